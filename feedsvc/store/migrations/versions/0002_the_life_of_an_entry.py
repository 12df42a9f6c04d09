"""The life of entries and categories: schedules, expiry, withdrawal, renames, retirement."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        sa.Column("appeared", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("due", INSTANT),
        sa.Column("seq", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("expires", INSTANT),
        sa.Column("withdrawn", INSTANT),
        sa.Column("notice", sa.String()),
    ):
        op.add_column("entries", column)
    # What was deleted may have been seen: its tombstone says so rather than not.
    op.execute("UPDATE entries SET appeared = (shown OR status = 'deleted')")
    op.execute(
        "UPDATE entries SET seq = coalesce((SELECT max(changes.seq) FROM changes"
        " WHERE changes.kind = entries.kind AND changes.id = entries.id), 0)"
    )
    op.add_column("categories", sa.Column("retired", INSTANT))
    op.create_table(
        "renames",
        sa.Column("slug", KEY, primary_key=True),
        sa.Column("category_id", sa.Integer(), sa.ForeignKey("categories.id"), nullable=False),
    )
    op.create_index("ix_entries_due", "entries", ["due"])
    op.create_index("ix_entries_seq", "entries", ["seq"])
