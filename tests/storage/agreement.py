"""What must hold in the tables after every write: rows that say the same thing agree."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from feedsvc.storage import archives
from feedsvc.storage.archives import (
    find_part,
    month_of,
    part_ranges,
)
from feedsvc.storage.tables import (
    INHERITED,
    archive_parts,
    categories,
    entries,
    entry_categories,
    tombstones,
)
from tests.fake_clock import HANOI

SHARED = ("kind", "is_visible", "published", "guid", "lang", "starts", "ends")


def check(connection: sa.Connection) -> None:
    """Raise where they do not."""
    rows = {row.pk: row for row in connection.execute(sa.select(entries))}
    filed = connection.execute(sa.select(entry_categories)).all()
    shown = {pk for pk, row in rows.items() if row.is_visible}
    assert not shown.intersection(
        connection.scalars(sa.select(tombstones.c.entry_pk))
    ), "shown, with a tombstone"
    own: dict[int, set[int]] = defaultdict(set)
    inherited: dict[int, set[int]] = defaultdict(set)
    for place in filed:
        entry = rows[place.entry_pk]
        assert [getattr(place, name) for name in SHARED] == [
            getattr(entry, name) for name in SHARED
        ], entry.id
        (inherited if place.position == INHERITED else own)[entry.pk].add(
            place.category_id
        )
    above = _above(connection)
    for pk, keys in own.items():
        assert inherited[pk] == set().union(*(above[key] for key in keys)) - keys, rows[
            pk
        ].id
    assert inherited.keys() <= own.keys()
    _check_archives(connection, [row for row in rows.values() if row.is_visible])


def _check_archives(connection: sa.Connection, shown: list[sa.Row[Any]]) -> None:
    """Raise where a visible entry is in no archive document or in two, or one holds too much."""
    months = {(row.kind, month_of(row.published, HANOI)) for row in shown}
    for kind, month in months:
        numbers = select(
            connection,
            archive_parts.c.number,
            archive_parts.c.kind == kind,
            archive_parts.c.month == month,
        )
        held: list[str] = []
        for name in [month, *(f"{month}.{number}" for number in numbers)]:
            part = find_part(connection, HANOI, kind, name)
            ranges = part_ranges(
                entries.c.published,
                entries.c.guid,
                is_single_instant=part.is_single_instant,
            )
            guids = [
                guid
                for conditions in ranges
                for guid in connection.scalars(
                    sa.select(entries.c.guid).where(
                        entries.c.kind == kind, entries.c.is_visible, *conditions
                    ),
                    part.parameters,
                )
            ]
            assert len(guids) <= archives.MAX_ENTRIES
            held += guids
        assert sorted(held) == sorted(
            row.guid
            for row in shown
            if (row.kind, month_of(row.published, HANOI)) == (kind, month)
        )


def select(
    connection: sa.Connection, column: sa.Column[Any], *where: sa.ColumnElement[bool]
) -> list[Any]:
    return list(connection.scalars(sa.select(column).where(*where)))


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
