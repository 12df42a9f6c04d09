"""Titles folded for search, and the answers that retries get."""

import sqlalchemy as sa
from alembic import op

from feedsvc.store.rows import folded

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("entries", sa.Column("folded", sa.String(), nullable=False, server_default=""))
    connection = op.get_bind()
    entries = sa.table("entries", sa.column("pk"), sa.column("title"), sa.column("folded"))
    for pk, title in connection.execute(sa.select(entries.c.pk, entries.c.title)).all():
        connection.execute(entries.update().where(entries.c.pk == pk).values(folded=folded(title)))
    op.create_table(
        "retries",
        sa.Column("token", KEY, primary_key=True),
        sa.Column("path", KEY, primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_retries_time", "retries", ["time"])
