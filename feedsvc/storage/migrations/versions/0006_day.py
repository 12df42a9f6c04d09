"""The site's day, from which the `period` of feeds counts; the tick stores it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    day = sa.Column("day", sa.Date(), nullable=False, server_default="1970-01-01")
    op.add_column("revisions", day)
