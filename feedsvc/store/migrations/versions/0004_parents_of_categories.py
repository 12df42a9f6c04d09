"""Categories within categories."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "categories",
        sa.Column("parent", sa.String().with_variant(sa.String(collation="C"), "postgresql")),
    )
