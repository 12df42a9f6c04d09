"""Titles of categories in further languages."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "categories",
        sa.Column("titles", sa.JSON, nullable=False, server_default="{}"),
    )
