"""A table of WebSub hubs, the lowest cursor of the changes, categories of tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    """Change the tables; hubs are told what changes from now on."""
    op.create_table(
        "hubs",
        sa.Column("url", KEY, primary_key=True),
        sa.Column("told", INSTANT, nullable=False),
        sa.Column("waiting", sa.JSON, nullable=False),
        sa.Column("claimed_until", INSTANT, nullable=False),
    )
    for name in ("hubs_told", "hubs_due_at", "hubs_failures"):
        op.drop_column("revisions", name)
    op.add_column(
        "revisions", sa.Column("floor", INSTANT, nullable=False, server_default="0")
    )
    op.add_column(
        "tokens",
        sa.Column("category_ids", sa.JSON, nullable=False, server_default="[]"),
    )
