"""The form of words for searches, by which the tick finds those to renew."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    form = sa.Column("form", sa.Integer(), nullable=False, server_default="1")
    op.add_column("entry_words", form)
    op.create_index("ix_entry_words_form", "entry_words", ["form"])
