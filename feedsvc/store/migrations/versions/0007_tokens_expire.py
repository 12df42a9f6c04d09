"""Tokens expire, and are rotated: the former one works for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("tokens", sa.Column("expires", INSTANT))
    op.add_column(
        "tokens",
        sa.Column("former_hash", sa.String().with_variant(sa.String(collation="C"), "postgresql")),
    )
    op.add_column("tokens", sa.Column("former_until", INSTANT))
    op.create_index("ix_tokens_former_hash", "tokens", ["former_hash"])
