"""What must hold in the tables after every write: rows that say the same thing agree."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa

from feedsvc.store.months import month_of
from feedsvc.store.tables import INHERITED, categories, entries, months, placements, tombstones
from tests.clocks import HANOI

SHARED = ("kind", "shown", "published", "guid", "starts", "ends")


def check(connection: sa.Connection) -> None:
    """Raise where they do not."""
    rows = {row.pk: row for row in connection.execute(sa.select(entries))}
    filed = connection.execute(sa.select(placements)).all()
    shown = {pk for pk, row in rows.items() if row.shown}
    assert not shown.intersection(connection.scalars(sa.select(tombstones.c.entry_pk))), (
        "shown, with a tombstone"
    )
    own: dict[int, set[int]] = defaultdict(set)
    inherited: dict[int, set[int]] = defaultdict(set)
    for place in filed:
        entry = rows[place.entry_pk]
        assert [getattr(place, name) for name in SHARED] == [getattr(entry, name) for name in SHARED], (
            entry.id
        )
        (inherited if place.position == INHERITED else own)[entry.pk].add(place.category_id)
    above = _above(connection)
    for pk, keys in own.items():
        assert inherited[pk] == set().union(*(above[key] for key in keys)) - keys, rows[pk].id
    assert inherited.keys() <= own.keys()
    held = {(row.kind, 0, month_of(row.published, HANOI)) for row in rows.values() if row.shown}
    held |= {(row.kind, row.category_id, month_of(row.published, HANOI)) for row in filed if row.shown}
    known = {
        (row.kind, row.category_id, row.month): row.filled for row in connection.execute(sa.select(months))
    }
    assert {month for month, filled in known.items() if filled} == held


def _above(connection: sa.Connection) -> dict[int, set[int]]:
    """The keys of all categories that each stands within."""
    found = {row.slug: row for row in connection.execute(sa.select(categories))}
    above: dict[int, set[int]] = {}
    for row in found.values():
        above[row.id], parent = set(), row.parent
        while parent:
            above[row.id].add(found[parent].id)
            parent = found[parent].parent
    return above
