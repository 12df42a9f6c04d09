"""Archive documents (RFC 5005 §4): the entries of a month, or of a part of a month.

Months are those of the site's time zone. A month with more entries than one document
may hold is divided into parts. A part is a range of a kind's entries, from old to new:
by time of publication, and within one instant by guid, descending. The first part of a
month begins with the month and has no row; every other part has a number, and a row
that says where it begins. Parts are only ever divided further, so their URLs stay
valid.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import NotFound
from feedsvc.storage.tables import KEY, UTCDateTime, archive_parts, entries

MAX_ENTRIES = 500
"""Visible entries in one part, counted over all categories of its kind."""

Conditions = list[sa.ColumnElement[bool]]
"""Conditions of a WHERE clause, all of which must hold."""

_GREATEST_GUID = "\U0010ffff"

_BEGIN = sa.bindparam("begin_published", type_=UTCDateTime)
_BEGIN_GUID = sa.bindparam("begin_guid", type_=KEY)
_END = sa.bindparam("end_published", type_=UTCDateTime)
_END_GUID = sa.bindparam("end_guid", type_=KEY)

_PARTS_OF_MONTH = (
    sa.select(
        archive_parts.c.number,
        archive_parts.c.first_published,
        archive_parts.c.first_guid,
    )
    .where(
        archive_parts.c.kind == sa.bindparam("kind"),
        archive_parts.c.month == sa.bindparam("month"),
    )
    # From old to new: within one instant, the greater guid is the older entry.
    .order_by(archive_parts.c.first_published, archive_parts.c.first_guid.desc())
)


def month_of(time: datetime, zone: ZoneInfo) -> str:
    """Return the month of an instant in a time zone, as `YYYY-MM`."""
    return time.astimezone(zone).strftime("%Y-%m")


def month_bounds(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the instants at which a month and the following month begin."""
    year, number = map(int, month.split("-"))
    begin = datetime(year, number, 1, tzinfo=zone)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=zone)
    return begin.astimezone(UTC), end.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of a kind's entries.

    Without a guid it is before all entries of its instant.
    """

    published: datetime
    guid: str = _GREATEST_GUID

    def is_newer_than(self, other: Position) -> bool:
        """Return whether the position is newer than another.

        Within one instant the greater guid is older, so the guids change sides.
        """
        return (self.published, other.guid) > (other.published, self.guid)


@dataclass(frozen=True, slots=True)
class Part:
    """One archive document of a kind: from `begin` until before `end`."""

    month: str
    number: int
    begin: Position
    end: Position

    @property
    def name(self) -> str:
        """The value of the URL parameter `archive`."""
        return self.month if self.number == 1 else f"{self.month}.{self.number}"

    @property
    def is_single_instant(self) -> bool:
        """True if all entries of the part have the same time of publication."""
        return self.begin.published == self.end.published

    @property
    def parameters(self) -> dict[str, Any]:
        """The bound parameters of `part_ranges`."""
        return {
            "begin_published": self.begin.published,
            "begin_guid": self.begin.guid,
            "end_published": self.end.published,
            "end_guid": self.end.guid,
        }


def part_ranges(
    published: sa.ColumnElement[Any],
    guid: sa.ColumnElement[Any],
    *,
    is_single_instant: bool,
) -> list[Conditions]:
    """Return the conditions of a part, as ranges of an index on both columns.

    One condition for all would be an OR, for which the databases read the whole month.
    """
    if is_single_instant:
        return [[published == _BEGIN, guid <= _BEGIN_GUID, guid > _END_GUID]]
    return [
        [published > _BEGIN, published < _END],
        [published == _BEGIN, guid <= _BEGIN_GUID],
        [published == _END, guid > _END_GUID],
    ]


def find_part(connection: sa.Connection, zone: ZoneInfo, kind: str, name: str) -> Part:
    """Return the part with a name, which is a value of the URL parameter `archive`.

    :raises NotFound: the month has no such part.
    """
    month, _, number = name.partition(".")
    for part in _fetch_month(connection, zone, kind, month):
        if part.number == int(number or 1):
            return part
    raise NotFound(f"The archive of {month} has no part {number}.")


def part_at(
    connection: sa.Connection, zone: ZoneInfo, kind: str, position: Position
) -> Part:
    """Return the part that contains a position."""
    month = month_of(position.published, zone)
    return _containing(_fetch_month(connection, zone, kind, month), position)


def _containing(parts: Iterable[Part], position: Position) -> Part:
    return [part for part in parts if not part.begin.is_newer_than(position)][-1]


def _fetch_month(
    connection: sa.Connection, zone: ZoneInfo, kind: str, month: str
) -> list[Part]:
    """Return the parts of a month, from old to new."""
    rows = connection.execute(_PARTS_OF_MONTH, {"kind": kind, "month": month})
    month_begin, month_end = map(Position, month_bounds(month, zone))
    bounded = [(1, month_begin)]
    for number, published, guid in rows:
        begin = Position(published, guid)
        # The site's time zone may have changed since the part was stored; no part
        # reaches beyond the month as it is now.
        if month_begin.is_newer_than(begin):
            begin = month_begin
        elif begin.is_newer_than(month_end):
            begin = month_end
        bounded.append((number, begin))
    ends = [*(begin for _, begin in bounded[1:]), month_end]
    return [
        Part(month, number, begin, end)
        for (number, begin), end in zip(bounded, ends, strict=True)
    ]


@lru_cache(maxsize=4)
def _part_select(
    *columns: sa.ColumnElement[Any], is_single_instant: bool
) -> sa.CompoundSelect[Any]:
    """Return the statement for the visible entries of a kind in a part."""
    ranges = part_ranges(
        entries.c.published, entries.c.guid, is_single_instant=is_single_instant
    )
    is_visible = (entries.c.kind == sa.bindparam("kind"), entries.c.is_visible)
    return sa.union_all(
        *(sa.select(*columns).where(*is_visible, *conditions) for conditions in ranges)
    )


_TOTALS = (
    sa.func.count().label("number"),
    sa.func.coalesce(sa.func.sum(entries.c.size), 0).label("size"),
)
_ROWS = (entries.c.published, entries.c.guid, entries.c.size)


class ArchiveDivider:
    """Divide the parts that have become too large, at the end of a write transaction.

    :param max_bytes: estimated bytes of the entries of a part; a part with one entry
        may exceed it.
    """

    def __init__(
        self, connection: sa.Connection, zone: ZoneInfo, max_bytes: int
    ) -> None:
        self._connection = connection
        self._zone = zone
        self._max_bytes = max_bytes
        self._changed: dict[tuple[str, str], set[Position]] = defaultdict(set)

    def add(self, kind: str, published: datetime, guid: str) -> None:
        """Add a visible entry that is new or has changed."""
        month = month_of(published, self._zone)
        self._changed[kind, month].add(Position(published, guid))

    def divide(self) -> None:
        """Divide the parts that contain added entries, where they are too large."""
        for (kind, month), positions in self._changed.items():
            parts = _fetch_month(self._connection, self._zone, kind, month)
            affected = {_containing(parts, position) for position in positions}
            # New parts get the next numbers: the URLs of the others must stay.
            number = max(part.number for part in parts)
            for part in parts:
                if part not in affected:
                    continue
                is_last = part is parts[-1]
                for begin in self._first_rows(kind, part, is_last=is_last):
                    number += 1
                    row = {
                        "kind": kind,
                        "month": month,
                        "number": number,
                        "first_published": begin.published,
                        "first_guid": begin.guid,
                    }
                    self._connection.execute(archive_parts.insert(), row)
        self._changed.clear()

    def _first_rows(self, kind: str, part: Part, *, is_last: bool) -> list[Any]:
        """Return the rows with which new parts begin, or none if the part fits."""
        # Nearly every part fits: read its sums first, not hundreds of rows.
        totals = self._execute(_TOTALS, kind, part)
        number = sum(row.number for row in totals)
        if self._fits(number, sum(row.size for row in totals)):
            return []
        rows = self._execute(_ROWS, kind, part)
        # From old to new, as in `Position`: sorting by time keeps the order by guid.
        rows.sort(key=lambda row: row.guid, reverse=True)
        rows.sort(key=lambda row: row.published)
        return [rows[at] for at in sorted(self._cuts(rows, is_last=is_last))]

    def _execute(self, columns: tuple[Any, ...], kind: str, part: Part) -> list[Any]:
        statement = _part_select(*columns, is_single_instant=part.is_single_instant)
        parameters = {"kind": kind, **part.parameters}
        return list(self._connection.execute(statement, parameters))

    def _cuts(self, rows: Sequence[Any], *, is_last: bool) -> Iterator[int]:
        """Yield the indexes at which rows are divided, in any order.

        The newest part of a month is filled, since newer entries will follow; any other
        part is halved, since entries may be added anywhere in it.
        """
        # Not by recursion: an import may bring thousands of parts for one month.
        pending = [(0, len(rows), is_last)]
        while pending:
            begin, end, fill = pending.pop()
            sizes = list(accumulate(row.size for row in rows[begin:end]))
            number, size = len(sizes), sizes[-1]
            if self._fits(number, size):
                continue
            if fill:
                first = min(bisect_right(sizes, self._max_bytes), MAX_ENTRIES)
            else:
                first = bisect_left(sizes, size / 2)
            # Neither side may be empty, also beside an entry larger than a part.
            at = begin + min(max(first, 1), number - 1)
            yield at
            pending += [(begin, at, False), (at, end, fill)]

    def _fits(self, number: int, size: int) -> bool:
        return number < 2 or (number <= MAX_ENTRIES and size <= self._max_bytes)
