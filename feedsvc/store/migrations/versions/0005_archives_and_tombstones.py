"""The stamps of archives, the tombstones of what left the feeds, and when events start."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "months",
        sa.Column("kind", KEY, primary_key=True),
        sa.Column("category_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("month", KEY, primary_key=True),
        sa.Column("time", INSTANT, nullable=False),
        sa.Column("filled", sa.Boolean(), nullable=False),
        sa.Column("turned", INSTANT, nullable=False),
    )
    op.create_table(
        "tombstones",
        sa.Column(
            "entry_pk", sa.Integer(), sa.ForeignKey("entries.pk"), primary_key=True, autoincrement=False
        ),
        sa.Column("category_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("published", INSTANT),
        sa.Column("time", INSTANT, nullable=False),
    )
    op.create_index("ix_tombstones_time", "tombstones", ["category_id", "kind", "time"])
    run = op.get_bind().execute
    left = "FROM entries e {} WHERE e.appeared AND NOT e.shown"
    columns = "INSERT INTO tombstones (entry_pk, category_id, kind, published, time) SELECT e.pk, "
    whole, each = left.format(""), left.format("JOIN placements p ON p.entry_pk = e.pk")
    run(sa.text(f"{columns} 0, e.kind, e.published, e.updated {whole}"))
    run(sa.text(f"{columns} p.category_id, e.kind, e.published, e.updated {each}"))

    for table in ("entries", "placements"):
        op.add_column(table, sa.Column("starts", INSTANT))
    details = sa.table("event_details", *map(sa.column, ("entry_pk", "start", "timezone")))
    entries = sa.table("entries", sa.column("pk"), sa.column("starts", INSTANT))
    placements = sa.table("placements", sa.column("entry_pk"), sa.column("starts", INSTANT))
    for pk, start, zone in run(sa.select(details)).all():
        starts = datetime.fromisoformat(start) if "T" in start else _midnight(start, zone)
        values = {"starts": starts.astimezone(UTC)}
        run(entries.update().where(entries.c.pk == pk).values(values))
        run(placements.update().where(placements.c.entry_pk == pk).values(values))


def _midnight(day: str, zone: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
