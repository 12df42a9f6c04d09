"""Archive documents (RFC 5005 §4): the entries of a month, or of a part of one where they are too many.

A part is a range of a kind's entries, from old to new: by time of publication, and of one instant by guid,
descending. The first part of a month begins with it and has no row; each other one has a number and begins
where its row says. Parts are only ever divided, so the address of each stays valid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import NotFound
from feedsvc.storage.months import bounds, month_of
from feedsvc.storage.tables import archive_parts, entries

MAX_ENTRIES = 500
"""Visible entries of a section in one part."""

Range = Callable[[Any, Any], list[sa.ColumnElement[bool]]]
"""Conditions on two columns, `published` and `guid`, that one range of an index meets."""

_MONTH = sa.tuple_(archive_parts.c.kind, archive_parts.c.month)


@dataclass(frozen=True, slots=True)
class Position:
    """A place among the entries of a kind: at one of them, or without a guid before all of its instant."""

    published: datetime
    guid: str | None = None

    def is_after(self, other: Position) -> bool:
        """Whether it is a newer place than another."""
        if self.published != other.published or self.guid is None:
            return self.published > other.published
        return other.guid is None or self.guid < other.guid


def before(place: Position) -> list[Range]:
    """Return the ranges of all that is older than a place, the newest range first."""
    older: Range = lambda published, guid: [published < place.published]  # noqa: E731
    if place.guid is None:
        return [older]
    return [
        lambda published, guid: [published == place.published, guid > place.guid],
        older,
    ]


def since(place: Position) -> list[Range]:
    """Return the ranges of what is at a place and all that is newer, the oldest range first."""
    if place.guid is None:
        return [lambda published, guid: [published >= place.published]]
    return [
        lambda published, guid: [published == place.published, guid <= place.guid],
        lambda published, guid: [published > place.published],
    ]


@dataclass(frozen=True, slots=True)
class Part:
    """One archive document of a kind: from `begin` to before `end`."""

    month: str
    number: int
    begin: Position
    end: Position

    @property
    def name(self) -> str:
        """The value of the parameter `archive`."""
        return self.month if self.number == 1 else f"{self.month}.{self.number}"

    def ranges(self) -> list[Range]:
        """Return its ranges, each of which is read from an index without passing over other entries."""
        first, last = self.begin, self.end
        if first.published == last.published:
            within = (
                [*_at_or_after(first), *_before_of_instant(last)]
                if last.guid is not None
                else None
            )
            return [] if within is None else [_all(first.published, within)]
        within_both: Range = lambda published, guid: [  # noqa: E731
            published > first.published,
            published < last.published,
        ]
        found = [within_both, _all(first.published, _at_or_after(first))]
        if last.guid is not None:
            found.append(_all(last.published, _before_of_instant(last)))
        return found


_OnGuid = Callable[[Any], sa.ColumnElement[bool]]


def _at_or_after(place: Position) -> list[_OnGuid]:
    return [lambda guid: guid <= place.guid] if place.guid is not None else []


def _before_of_instant(place: Position) -> list[_OnGuid]:
    return [lambda guid: guid > place.guid] if place.guid is not None else []


def _all(instant: datetime, conditions: Sequence[_OnGuid]) -> Range:
    return lambda published, guid: [
        published == instant,
        *(one(guid) for one in conditions),
    ]


def part_named(connection: sa.Connection, zone: ZoneInfo, kind: str, name: str) -> Part:
    """Return the part that a value of the parameter `archive` names.

    :raises NotFound: the month has no such part.
    """
    month, _, number = name.partition(".")
    for part in _parts(connection, zone, [(kind, month)])[kind, month]:
        if part.number == int(number or 1):
            return part
    raise NotFound(f"The archive of {month} has no part {number}.")


def part_at(
    connection: sa.Connection, zone: ZoneInfo, kind: str, place: Position
) -> Part:
    """Return the part that holds a place."""
    month = month_of(place.published, zone)
    return _holding(_parts(connection, zone, [(kind, month)])[kind, month], place)


def _holding(parts: Iterable[Part], place: Position) -> Part:
    return [part for part in parts if not part.begin.is_after(place)][-1]


def _parts(
    connection: sa.Connection, zone: ZoneInfo, months: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[Part]]:
    """Return the parts of months, each a kind and a month, from old to new."""
    found: dict[tuple[str, str], list[tuple[int, Position]]] = {
        month: [] for month in months
    }
    rows = sa.select(archive_parts).where(_MONTH.in_(sorted(found)))
    # By place, in two steps: of one instant the greater guid is the older.
    for row in connection.execute(
        rows.order_by(
            archive_parts.c.first_published, archive_parts.c.first_guid.desc()
        )
    ):
        found[row.kind, row.month].append(
            (row.number, Position(row.first_published, row.first_guid))
        )
    return {key: _bounded(key[1], begins, zone) for key, begins in found.items()}


def _bounded(
    month: str, begins: list[tuple[int, Position]], zone: ZoneInfo
) -> list[Part]:
    """Return the parts of a month; none of which leaves it, even if the site has another zone by now."""
    first, last = map(Position, bounds(month, zone))
    inside = [(1, first)]
    for number, place in begins:
        inside.append(
            (
                number,
                first
                if first.is_after(place)
                else last
                if place.is_after(last)
                else place,
            )
        )
    ends = [*(place for _, place in inside[1:]), last]
    return [
        Part(month, number, begin, end)
        for (number, begin), end in zip(inside, ends, strict=True)
    ]


class Archivist:
    """Divides parts that hold too much, once at the end of a write transaction.

    :param max_bytes: estimated bytes of the entries of a part, at most where it has more than one entry.
    """

    def __init__(
        self, connection: sa.Connection, zone: ZoneInfo, max_bytes: int
    ) -> None:
        self._connection, self._zone, self._max_bytes = connection, zone, max_bytes
        self._noted: dict[tuple[str, str], set[Position]] = defaultdict(set)

    def note(self, kind: str, published: datetime, guid: str) -> None:
        """Note an entry that is visible and new, or changed, so that its part may hold too much."""
        self._noted[kind, month_of(published, self._zone)].add(
            Position(published, guid)
        )

    def divide(self) -> None:
        """Divide the parts of the entries that were noted, where they hold too much."""
        noted, self._noted = self._noted, defaultdict(set)
        if not noted:
            return
        for (kind, month), parts in _parts(self._connection, self._zone, noted).items():
            numbers = max(part.number for part in parts)
            rows = []
            touched = {_holding(parts, place) for place in noted[kind, month]}
            for part in (part for part in parts if part in touched):
                for published, guid in self._cuts(
                    kind, part, is_last=part is parts[-1]
                ):
                    numbers += 1
                    begin = {"first_published": published, "first_guid": guid}
                    rows.append(
                        {"kind": kind, "month": month, "number": numbers, **begin}
                    )
            if rows:
                self._connection.execute(archive_parts.insert(), rows)

    def _cuts(
        self, kind: str, part: Part, *, is_last: bool
    ) -> Iterator[tuple[datetime, str]]:
        """Yield where new parts begin within one that holds too much."""
        totals = [
            self._visible(
                kind,
                one,
                sa.func.count().label("number"),
                sa.func.sum(entries.c.size).label("size"),
            )
            for one in part.ranges()
        ]
        if not totals:
            return
        held = self._connection.execute(sa.union_all(*totals)).all()
        number, size = (
            sum(row.number for row in held),
            sum(row.size or 0 for row in held),
        )
        if number < 2 or (number <= MAX_ENTRIES and size <= self._max_bytes):
            return
        columns = entries.c.published, entries.c.guid, entries.c.size
        ranges = [self._visible(kind, one, *columns) for one in part.ranges()]
        rows = [tuple(row) for row in self._connection.execute(sa.union_all(*ranges))]
        rows.sort(key=lambda row: row[1], reverse=True)
        rows.sort(key=lambda row: row[0])
        for at in sorted(self._divided(rows, is_last=is_last)):
            yield rows[at][:2]

    def _visible(self, kind: str, within: Range, *columns: Any) -> sa.Select[Any]:
        where = (entries.c.kind == kind, entries.c.is_visible)
        return sa.select(*columns).where(
            *where, *within(entries.c.published, entries.c.guid)
        )

    def _divided(self, rows: Sequence[Any], *, is_last: bool) -> Iterator[int]:
        """Yield the places at which rows are divided, so that all between two of them fits in a part.

        The newest part of a month is filled, since what follows is newer; any other is halved.
        """
        todo = [(0, len(rows), is_last)]
        while todo:
            begin, end, fill = todo.pop()
            if self._fits(rows[begin:end]):
                continue
            at = begin + (self._filled if fill else _middle)(rows[begin:end])
            yield at
            todo += [(begin, at, False), (at, end, fill)]

    def _fits(self, rows: Sequence[Any]) -> bool:
        held = sum(row[2] for row in rows)
        return len(rows) < 2 or (len(rows) <= MAX_ENTRIES and held <= self._max_bytes)

    def _filled(self, rows: Sequence[Any]) -> int:
        """Return how many rows fit in a part."""
        size = 0
        for number, row in enumerate(rows[:MAX_ENTRIES]):
            size += row[2]
            if number and size > self._max_bytes:
                return number
        return min(MAX_ENTRIES, len(rows) - 1)


def _middle(rows: Sequence[Any]) -> int:
    """Return where half of the bytes lie on each side, as near as can be, and no side is empty."""
    half, size = sum(row[2] for row in rows) / 2, 0
    for number, row in enumerate(rows):
        size += row[2]
        if size >= half:
            return min(max(number, 1), len(rows) - 1)
    return len(rows) - 1
