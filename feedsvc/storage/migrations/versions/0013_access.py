"""Who can come to an event: a column of entries, by which feeds select."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_HAS_ACCESS = sa.text("access <> ''")


def upgrade() -> None:
    """Add the column with its index; free are events whose offers all cost nothing."""
    op.add_column(
        "entries", sa.Column("access", _KEY, nullable=False, server_default="")
    )
    entries = sa.table("entries", sa.column("pk"), sa.column("access"))
    contents = sa.table("entry_contents", sa.column("entry_pk"), sa.column("document"))
    key, document = contents.c
    # Quotes within texts have backslashes.
    statement = sa.select(key, document).where(document.like('%"offers":[{%'))
    free = []
    for entry_pk, text in op.get_bind().execute(statement):
        offers = json.loads(text)["event"]["offers"]
        if not any(float(offer["price"]) for offer in offers):
            free.append({"entry_pk": entry_pk})
    if free:
        update = sa.update(entries).where(entries.c.pk == sa.bindparam("entry_pk"))
        op.get_bind().execute(update.values(access=" free "), free)
    op.create_index(
        "ix_entries_access",
        "entries",
        ["kind", "is_public", "is_over", "access"],
        sqlite_where=_HAS_ACCESS,
        postgresql_where=_HAS_ACCESS,
    )
