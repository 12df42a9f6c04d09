"""Select the visible entries that match a feed.

`scheduler.py` decides which entries are visible, `size_estimates.py` how many fit in a
document.

Entries are read from the first rows of indexes, so that a feed costs the same however
large the tables are. The sources of a feed are `entries`, for a whole kind, or
`entry_categories`, which repeats the columns by which feeds are filtered and sorted,
for each category. Conditions that no index serves are checked on a bounded number of
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from feedsvc.models import Entry
from feedsvc.recurrence import overlaps
from feedsvc.storage.archives import Conditions, Position, part_ranges
from feedsvc.storage.damaged_rows import UNREADABLE, readable_rows
from feedsvc.storage.entry_rows import load_series
from feedsvc.storage.feed_conditions import (
    filter_conditions,
    language_condition,
    period_conditions,
)
from feedsvc.storage.feed_lookup import FeedFilter, FilterShape
from feedsvc.storage.search import MAX_CANDIDATES, SearchIndex
from feedsvc.storage.tables import (
    KEY,
    LIMIT,
    UTCDateTime,
    categories,
    entries,
    entry_categories,
    is_among,
)

MAX_IN_WINDOW = 10_000
"""Events that are examined for a feed with `from` or `to`: the last ones to start."""

MAX_FIRST = 1_000
"""First entries of a feed that are examined for the words of a search."""

_FIRST_MATCHES = 4
"""Matches of a search that are examined first, for each entry of the feed."""

_Beside = Literal["unlisted", "older", "newer"]
_Order = Callable[[Any], tuple[Any, ...]]

_KIND = sa.bindparam("kind", type_=KEY)
_BARE_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_MAX_EXAMINED = sa.bindparam("max_examined", type_=sa.Integer)
_WINDOW_BEGIN = sa.bindparam("window_begin", type_=UTCDateTime)
_WINDOW_END = sa.bindparam("window_end", type_=UTCDateTime)
_POSITION = sa.bindparam("position", type_=UTCDateTime)
_POSITION_GUID = sa.bindparam("position_guid", type_=KEY)
_SIZES = ("pk", "published", "guid", "size", "content_size")
# Together they change with everything that an entry shows: its row, the current
# occurrence of its series, and the texts of its categories. Read as strings: to decode
# hundreds of dates would take longer than the query.
_STAMP = [
    sa.type_coerce(value, sa.String)
    for value in (
        entries.c.seq,
        entries.c.changed_at,
        entries.c.starts,
        sa.select(sa.func.max(categories.c.changed_at)).scalar_subquery(),
    )
]


@dataclass(frozen=True, slots=True)
class ListedEntries:
    """The entries of a document.

    :param is_complete: whether they are all entries of the feed.
    :param newest_unlisted: the position of the newest entry that is not listed, if it
        is known.
    """

    entries: list[Entry]
    is_complete: bool
    newest_unlisted: Position | None = None


def stamp(row: sa.Row[Any]) -> Hashable:
    """Return the stamp of a row of `FeedEntries.rows`, as EntryCache needs it."""
    return row[len(_SIZES) :]


class FeedEntries:
    """Query the entries of one feed in one snapshot."""

    def __init__(self, connection: sa.Connection, feed_filter: FeedFilter) -> None:
        self._connection = connection
        self._filter = feed_filter

    @property
    def has_archive_order(self) -> bool:
        """True if the feed has the newest entries, in the order of its archives."""
        shape = self._filter.shape
        is_ordinary = not (shape.entry_filters or self._filter.query.q)
        return is_ordinary and shape == self._filter.navigation_shape

    def rows(self) -> Sequence[Any]:
        """Return keys, positions, sizes and stamps of entries, in the feed's order.

        There is one more than the limit, if the feed has one: the first that the
        document does not list.
        """
        parameters = self._filter.parameters
        if self._filter.shape.has_window:
            parameters = parameters | self._window_parameters()
        if self._filter.query.q:
            return self._searched_rows(self._filter.query.q, parameters)
        return self._rows(_sizes_select(self._filter.shape), parameters)

    def _rows(
        self, statement: sa.Select[Any], parameters: dict[str, Any]
    ) -> Sequence[Any]:
        return readable_rows(self._connection, statement, entries.c.pk, parameters)

    def _searched_rows(self, words: str, parameters: dict[str, Any]) -> Sequence[Any]:
        """Return the rows of the entries with all words, as `rows`.

        Frequent words are found among the feed's first entries, others by the index: at
        first a few more matches than the feed lists, as some of them are not in it.
        """
        index = SearchIndex(self._connection)
        kind, limit = self._filter.query.kind, parameters["limit"]
        shape = self._filter.shape
        first_entries = self._connection.scalars(
            entry_ids_select(shape), parameters | {"limit": MAX_FIRST}
        ).all()
        pks = index.among(first_entries, words)
        # With filters there may be more, since only some entries are examined for them.
        is_exhausted = len(first_entries) < MAX_FIRST and not shape.entry_filters
        if len(pks) >= limit or is_exhausted:
            return self._matching_rows(pks[:limit], parameters)
        matches = index.newest(kind, words, _FIRST_MATCHES * limit)
        rows = self._matching_rows(matches.pks, parameters)
        is_newest = len(rows) == limit and rows[-1].published >= matches.known_from
        # The index has the newest matches first, which tells nothing of their starts.
        if matches.is_complete or (is_newest and not shape.is_ordered_by_start):
            return rows
        # Besides those among the first entries: elsewhere there may be so many newer
        # matches that the index returns none of this feed.
        pks += index.newest(kind, words, MAX_CANDIDATES).pks
        return self._matching_rows(pks, parameters)

    def _matching_rows(
        self, pks: list[int], parameters: dict[str, Any]
    ) -> Sequence[Any]:
        statement = _matches_select(self._filter.shape)
        return self._rows(statement, parameters | {"matches": pks})

    def newest_unlisted(self, guids: Sequence[str]) -> Position | None:
        """Return the position of the newest entry that is not listed in a document.

        The feed's period is ignored: archives have all entries. Where entries are
        examined without an index, the position may be the last one that was examined:
        matching entries may follow.
        """
        return self._nearest("unlisted", {"listed_guids": guids})

    def nearest(
        self, neighbor: Literal["older", "newer"], position: Position
    ) -> Position | None:
        """Return the position of the entry beside a position.

        It is the newest one that is older, or the oldest one at the position or newer.
        """
        return self._nearest(
            neighbor,
            {"position": position.published, "position_guid": position.guid},
        )

    def ends_around(self, time: datetime) -> tuple[datetime | None, datetime | None]:
        """Return the last end of an event until a time, and the first end after it."""
        statement = _ends_select(self._filter.shape.sources)
        parameters = self._filter.parameters | {"time": time}
        row = self._connection.execute(statement, parameters).one()
        return row.last, row.next

    def _nearest(
        self, neighbor: _Beside, parameters: dict[str, Any]
    ) -> Position | None:
        statement = _nearest_select(self._filter.navigation_shape, neighbor)
        try:
            row = self._connection.execute(
                statement, self._filter.parameters | parameters
            ).first()
        except UNREADABLE:
            # A damaged date costs the link to the archive, not the feed.
            return None
        return Position(row.published, row.guid) if row else None

    def _window_parameters(self) -> dict[str, Any]:
        """Return the bounds of the window, and the series inside and outside of it.

        Series are expanded here, because SQL does not know recurrence rules. Those that
        are over before the window, or begin after it, are in neither list.
        """
        begin, end = self._filter.window
        conditions = [
            entries.c.kind == self._filter.query.kind,
            entries.c.is_visible,
            entries.c.ends >= begin,
            # A day later, since an update of time zones may not have been applied yet.
            entries.c.series_start < end + timedelta(days=1),
        ]
        if self._filter.included_ids:
            members = sa.select(entry_categories.c.entry_pk).where(
                entry_categories.c.category_id.in_(self._filter.included_ids)
            )
            conditions.append(entries.c.pk.in_(members))
        inside: list[int] = []
        outside: list[int] = []
        for key, event in load_series(self._connection, *conditions):
            (inside if overlaps(event, begin, end) else outside).append(key)
        return {
            "window_begin": begin,
            "window_end": end,
            "series_inside": inside,
            "examined_series": [*inside, *outside],
            "max_in_window": MAX_IN_WINDOW,
        }


@dataclass(frozen=True, slots=True)
class _Source:
    """A table whose indexes have the visible entries of a kind or of a category."""

    table: Any
    pk: sa.ColumnElement[int]
    conditions: Conditions


def _sources(number: int) -> list[_Source]:
    if not number:
        return [
            _Source(
                entries, entries.c.pk, [entries.c.kind == _KIND, entries.c.is_visible]
            )
        ]
    table = entry_categories
    is_visible = [table.c.kind == _KIND, table.c.is_visible]
    return [
        _Source(
            table,
            table.c.entry_pk,
            [table.c.category_id == sa.bindparam(f"source_{index}"), *is_visible],
        )
        for index in range(number)
    ]


@lru_cache(maxsize=256)
def _sizes_select(shape: FilterShape) -> sa.Select[Any]:
    return _sizes_of(entry_ids_select(shape), shape)


def _sizes_of(ids: sa.Select[int], shape: FilterShape) -> sa.Select[Any]:
    columns = [entries.c[name] for name in _SIZES]
    order = _feed_order(shape)
    return (
        sa.select(*columns, *_STAMP)
        .where(entries.c.pk.in_(ids))
        .order_by(*order(entries))
    )


def entry_ids_select(shape: FilterShape) -> sa.Select[int]:
    """Return the statement for the keys of a feed's entries."""
    order = _feed_order(shape)
    limit = None if shape.has_part else LIMIT  # an archive has all its entries
    if shape.has_window:
        # SQLite plans by its value: it finds series by their keys, not by their starts.
        limit = _BARE_LIMIT
    selects = [
        rows.limit(limit)
        for source in _sources(shape.sources)
        for rows in _entry_selects(shape, source)
    ]
    if len(selects) == 1:
        return selects[0].with_only_columns(selects[0].selected_columns.pk)
    # SQLite takes ORDER BY and LIMIT in a UNION only within subqueries.
    # Not UNION ALL: an entry may be in several of the categories.
    rows = sa.union(*(sa.select(select.subquery()) for select in selects)).subquery()
    return sa.select(rows.c.pk).order_by(*order(rows)).limit(limit)


@lru_cache(maxsize=256)
def _matches_select(shape: FilterShape) -> sa.Select[Any]:
    """Return the statement for the rows of the matches that are in the feed."""
    table = entry_categories if shape.sources else entries
    pk = entry_categories.c.entry_pk if shape.sources else entries.c.pk
    conditions = [
        is_among(pk, "matches"),
        # The expression keeps the databases from using any index but the primary key.
        sa.func.coalesce(table.c.is_visible, table.c.is_visible),
        *period_conditions(shape.period, table),
        *filter_conditions(shape.entry_filters, pk),
    ]
    if shape.languages or shape.has_language_filter:
        conditions.append(language_condition(table))
    if shape.sources:
        included_ids = sa.bindparam("included_ids", type_=sa.Integer, expanding=True)
        conditions.append(entry_categories.c.category_id.in_(included_ids))
    if shape.has_window:
        series_inside: Any = sa.bindparam("series_inside", expanding=True)
        is_single_inside = sa.and_(
            table.c.starts < _WINDOW_END, *_single_event_conditions(table, pk)
        )
        conditions.append(sa.or_(is_single_inside, pk.in_(series_inside)))
    columns = ("starts" if shape.is_ordered_by_start else "published", "guid")
    rows = (
        # An entry may be in several of the categories.
        sa.select(pk.label("pk"), *(table.c[name] for name in columns))
        .distinct()
        .where(*conditions)
        .subquery()
    )
    ids = sa.select(rows.c.pk).order_by(*_feed_order(shape)(rows)).limit(_BARE_LIMIT)
    return _sizes_of(ids, shape)


def _single_event_conditions(events: Any, pk: sa.ColumnElement[int]) -> Conditions:
    """Return the conditions of single events that end after the window begins."""
    # An event without a duration at the begin of the window is in it too.
    is_instant = sa.and_(
        events.c.ends == _WINDOW_BEGIN, events.c.starts == _WINDOW_BEGIN
    )
    return [
        sa.or_(events.c.ends > _WINDOW_BEGIN, is_instant),
        pk.not_in(sa.bindparam("examined_series", expanding=True)),
    ]


def _entry_selects(shape: FilterShape, source: _Source) -> Iterator[sa.Select[Any]]:
    """Yield the statements that together select a source's entries of the feed."""
    columns = ("starts" if shape.is_ordered_by_start else "published", "guid")
    if shape.has_window:
        yield from _window_selects(shape, source, columns)
        return
    table = source.table
    ranges = [period_conditions(shape.period, table)]
    if shape.has_part:
        ranges = part_ranges(
            table.c.published,
            table.c.guid,
            is_single_instant=shape.is_single_instant,
        )
    order = _feed_order(shape)
    for conditions in _divide_by_language(shape, table, ranges):
        yield _select_rows(shape, source, conditions, order, columns)


def _divide_by_language(
    shape: FilterShape, table: Any, ranges: list[Conditions]
) -> list[Conditions]:
    """Return ranges, divided by language, since each tag is a range of an index."""
    if shape.has_language_filter:
        has_language = language_condition(table)
        return [[*conditions, has_language] for conditions in ranges]
    if not shape.languages:
        return ranges
    return [
        [*conditions, table.c.lang == sa.bindparam(f"language_{index}")]
        for conditions in ranges
        for index in range(shape.languages)
    ]


def _select_rows(
    shape: FilterShape,
    source: _Source,
    conditions: Conditions,
    order: _Order,
    columns: Sequence[str],
) -> sa.Select[Any]:
    """Return the statement for the rows of a source that meet conditions, in order.

    With conditions that no index serves, only the first rows are examined: such a
    condition may leave none of a million rows.
    """
    if not shape.entry_filters:
        return _select_range(source, conditions, order, columns)
    examined_columns = ("published", "guid", "starts")
    rows = _select_range(source, conditions, order, examined_columns)
    examined: Any = rows.limit(_MAX_EXAMINED).subquery()
    return (
        sa.select(examined.c.pk, *(examined.c[name] for name in columns))
        .where(*filter_conditions(shape.entry_filters, examined.c.pk))
        .order_by(*order(examined))
    )


def _select_range(
    source: _Source, conditions: Conditions, order: _Order, columns: Sequence[str]
) -> sa.Select[Any]:
    # No other columns than needed: the index alone is read if it has all of them.
    return (
        sa.select(source.pk.label("pk"), *(source.table.c[name] for name in columns))
        .where(*source.conditions, *conditions)
        .order_by(*order(source.table))
    )


def _window_selects(
    shape: FilterShape, source: _Source, columns: Sequence[str]
) -> Iterator[sa.Select[Any]]:
    """Yield the statements for single events and for series in the window."""
    table = source.table
    conditions = [*source.conditions]
    if shape.has_language_filter:
        conditions.append(language_condition(table))
    names = ("published", "guid", "starts", "ends")
    nearest: Any = (
        sa.select(source.pk.label("pk"), *(table.c[name] for name in names))
        .where(*conditions, table.c.starts < _WINDOW_END)
        .order_by(table.c.starts.desc())
        .limit(sa.bindparam("max_in_window", type_=sa.Integer))
        .subquery()
    )
    # Series are apart, since their rows tell only the current or next occurrence.
    is_single_inside = _single_event_conditions(nearest, nearest.c.pk)
    is_series_inside = [
        *conditions,
        source.pk.in_(sa.bindparam("series_inside", expanding=True)),
    ]
    for rows, pk, is_inside in (
        (nearest, nearest.c.pk, is_single_inside),
        (table, source.pk, is_series_inside),
    ):
        yield (
            sa.select(pk.label("pk"), *(rows.c[name] for name in columns))
            .where(
                *is_inside,
                *period_conditions(shape.period, rows),
                *filter_conditions(shape.entry_filters, pk),
            )
            .order_by(*_feed_order(shape)(rows))
        )


@lru_cache(maxsize=256)
def _nearest_select(shape: FilterShape, neighbor: _Beside) -> sa.Select[Any]:
    """Return the statement for the nearest position beside a document."""
    order = _oldest_first if neighbor == "newer" else _newest_first
    columns = ("published", "guid")
    selects = []
    for source in _sources(shape.sources):
        ranges = _neighbor_ranges(source.table, neighbor)
        for conditions in _divide_by_language(shape, source.table, ranges):
            rows = _select_rows(shape, source, conditions, order, columns)
            selects.append(rows.limit(1))
            if shape.entry_filters:
                # If none of the examined rows matches, go on from the last of them.
                rows = _select_range(source, conditions, order, columns)
                selects.append(rows.offset(_MAX_EXAMINED - 1).limit(1))
    nearest = sa.union_all(
        *(sa.select(select.subquery()) for select in selects)
    ).subquery()
    position = sa.select(nearest.c.published, nearest.c.guid)
    return position.order_by(*order(nearest)).limit(1)


def _neighbor_ranges(table: Any, neighbor: _Beside) -> list[Conditions]:
    published, guid = table.c.published, table.c.guid
    if neighbor == "unlisted":
        return [[guid.not_in(sa.bindparam("listed_guids", expanding=True))]]
    if neighbor == "older":
        return [
            [published == _POSITION, guid > _POSITION_GUID],
            [published < _POSITION],
        ]
    return [
        [published == _POSITION, guid <= _POSITION_GUID],
        [published > _POSITION],
    ]


@lru_cache(maxsize=16)
def _ends_select(number_of_sources: int) -> sa.Select[Any]:
    """Return the statement for the ends of events around the parameter `time`."""
    time = sa.bindparam("time", type_=UTCDateTime)
    sources = _sources(number_of_sources)

    def nearest_end(
        is_wanted: Callable[[Any], Any], order: Callable[[Any], Any]
    ) -> Any:
        rows = (
            sa.select(source.table.c.ends)
            .where(*source.conditions, is_wanted(source.table.c.ends))
            .order_by(order(source.table.c.ends))
            .limit(1)
            .subquery()
            for source in sources
        )
        ends: Any = sa.union_all(*(sa.select(row) for row in rows)).subquery()
        nearest = sa.select(ends.c.ends).order_by(order(ends.c.ends)).limit(1)
        return nearest.scalar_subquery()

    last = nearest_end(lambda ends: ends <= time, sa.desc)
    following = nearest_end(lambda ends: ends > time, sa.asc)
    return sa.select(last.label("last"), following.label("next"))


def _feed_order(shape: FilterShape) -> _Order:
    if not shape.is_ordered_by_start:
        return _newest_first

    def by_start(table: Any) -> tuple[Any, ...]:
        starts = table.c.starts
        if shape.is_read_by_end:
            # By the index on starts, all past events would be read first: the
            # expression keeps the databases from using it.
            starts = sa.func.coalesce(starts, starts)
        return starts.desc() if shape.is_newest_start_first else starts, table.c.guid

    return by_start


def _newest_first(table: Any) -> tuple[Any, ...]:
    return table.c.published.desc(), table.c.guid


def _oldest_first(table: Any) -> tuple[Any, ...]:
    return table.c.published, table.c.guid.desc()
