"""The entries before and after an entry in its category, for its page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from feedsvc.models import Entry
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import KEY, UTCDateTime, entries, entry_categories

Direction = Literal["previous", "next"]

_KIND = sa.bindparam("kind", type_=KEY)
_CATEGORY_ID = sa.bindparam("category_id", type_=sa.Integer)
_TIME = sa.bindparam("time", type_=UTCDateTime)
_GUID = sa.bindparam("guid", type_=KEY)


def neighbor(
    connection: sa.Connection,
    entry: Entry,
    category_id: int | None,
    direction: Direction,
) -> Entry | None:
    """Return the visible entry before or after another, or None at the end.

    Articles are in the order of their publication, events in that of their starts.

    :param category_id: the key of a category of the entry; None for the whole kind.
    """
    column = "starts" if entry.event else "published"
    time = entry.starts if entry.event else entry.published
    if time is None:
        return None
    statement = _neighbor_select(
        column, direction, has_category=category_id is not None
    )
    parameters = {
        "kind": entry.kind,
        "category_id": category_id,
        "time": time,
        "guid": entry.guid,
    }
    key = connection.execute(statement, parameters).scalar()
    # The page shows only the neighbor's title, so without the body.
    stored = load_entries(connection, [key] if key else [], bodies=False)
    return stored[key].entry.public_view() if key in stored else None


@lru_cache
def _neighbor_select(
    column: str, direction: Direction, *, has_category: bool
) -> sa.Select[Any]:
    """Return the statement for the key of the entry beside a time and a guid.

    Each of its two ranges is the first row of an index.
    """
    table: Any = entry_categories if has_category else entries
    conditions = [table.c.kind == _KIND, table.c.is_visible]
    if has_category:
        conditions.append(table.c.category_id == _CATEGORY_ID)
    time = table.c[column]
    is_forward = direction == "next"
    # Of one moment, the index on publication has the newer entry first.
    is_guid_forward = is_forward == (column == "starts")
    guid = table.c.guid
    ranges = (
        [time == _TIME, guid > _GUID if is_guid_forward else guid < _GUID],
        [time > _TIME if is_forward else time < _TIME],
    )
    pk = table.c.entry_pk if has_category else table.c.pk
    rows = (
        sa.select(pk.label("pk"), time.label("time"), guid.label("guid"))
        .where(*conditions, *range_)
        .order_by(*_order(time, guid, is_forward, is_guid_forward))
        .limit(1)
        .subquery()
        for range_ in ranges
    )
    # SQLite takes ORDER BY and LIMIT in a UNION only within subqueries.
    nearest: Any = sa.union_all(*(sa.select(row) for row in rows)).subquery()
    order = _order(nearest.c.time, nearest.c.guid, is_forward, is_guid_forward)
    return sa.select(nearest.c.pk).order_by(*order).limit(1)


def _order(
    time: Any, guid: Any, is_forward: bool, is_guid_forward: bool
) -> tuple[Any, Any]:
    return (
        time if is_forward else time.desc(),
        guid if is_guid_forward else guid.desc(),
    )
