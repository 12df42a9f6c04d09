"""Series of events, and what calendars must know of changes."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("entries", sa.Column("starts", INSTANT))
    op.add_column("entries", sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("placements", sa.Column("starts", INSTANT))
    op.add_column("event_details", sa.Column("recurrence", sa.JSON()))
    op.add_column("event_details", sa.Column("previous", sa.String()))
    connection = op.get_bind()
    details = sa.table("event_details", *map(sa.column, ("entry_pk", "start", "timezone")))
    entries = sa.table("entries", sa.column("pk"), sa.column("starts", INSTANT))
    placements = sa.table("placements", sa.column("entry_pk"), sa.column("starts", INSTANT))
    for pk, start, timezone in connection.execute(sa.select(details)).all():
        values = {"starts": _instant(start, ZoneInfo(timezone))}
        connection.execute(entries.update().where(entries.c.pk == pk).values(values))
        connection.execute(placements.update().where(placements.c.entry_pk == pk).values(values))


def _instant(text: str, zone: ZoneInfo) -> datetime:
    """The instant of a start, in UTC: SQLite keeps no offsets."""
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(ZoneInfo("UTC"))
    return datetime.combine(date.fromisoformat(text), time(), zone).astimezone(ZoneInfo("UTC"))
