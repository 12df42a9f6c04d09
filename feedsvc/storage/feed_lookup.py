"""Look up the categories, languages and archive part that a feed's URL names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import FeedMoved, Gone, NotFound
from feedsvc.feed_query import FeedQuery
from feedsvc.models import EPOCH, NEVER_MODIFIED, Category
from feedsvc.recurrence import MAX_DATETIME
from feedsvc.storage import archives
from feedsvc.storage.archives import Part, find_part
from feedsvc.storage.categories import (
    CategoryReader,
    category_from,
    no_such_category,
)
from feedsvc.storage.feed_conditions import EntryFilters, condition_values
from feedsvc.storage.languages import matching_tags
from feedsvc.storage.tables import categories, category_slug_history, entry_categories

RECENT_PERIOD = timedelta(days=30)
"""Time for which an ended event is recent, and calendars list a deletion."""

MAX_EXAMINED = 10_000
"""Entries that are examined for a feed with a condition that no index serves.

Without a bound, a combination without entries would cost a search of the whole table.
The sources of a feed share them, but each has as many as an archive document may hold,
because archives must be complete.
"""

_MAX_RANGES = 100
"""Languages times sources in one statement, each of which is read from an index.

An archive has three ranges for each, and SQLite allows 500 SELECTs in a UNION.
"""

_COUNT_LIMIT = 1000
"""Entries of a category beyond which it does not matter how many more it has."""

_BY_SLUG = sa.select(categories).where(
    categories.c.slug.in_(sa.bindparam("slugs", expanding=True))
)
_BY_FORMER_SLUG = (
    sa.select(category_slug_history.c.slug, categories.c.slug, categories.c.retired)
    .join(categories)
    .where(category_slug_history.c.slug.in_(sa.bindparam("slugs", expanding=True)))
)
_VISIBLE_ENTRIES = (
    sa.select(entry_categories.c.entry_pk)
    .where(
        entry_categories.c.category_id == sa.bindparam("category_id"),
        entry_categories.c.kind == sa.bindparam("kind"),
        entry_categories.c.is_visible,
    )
    .limit(_COUNT_LIMIT)
)
_COUNT = sa.select(sa.func.count()).select_from(_VISIBLE_ENTRIES.subquery())


@dataclass(frozen=True, slots=True)
class FilterShape:
    """The properties of a feed that its SQL depends on; all else is a bound parameter.

    Building a statement takes longer than running it, so statements are memoized by
    shape. There are few shapes, since most feeds differ in values only.
    """

    sources: int
    """Categories whose entries are read; 0: the entries of the whole kind are read."""

    entry_filters: EntryFilters = EntryFilters()

    languages: int = 0
    """Language tags, each a range of an index; 0 where the language is no range."""

    has_language_filter: bool = False
    """True if entries are examined for their language, without an index."""

    period: str = "all"
    is_ordered_by_start: bool = False
    is_newest_start_first: bool = False

    is_read_by_end: bool = False
    """True if events that are not over are found by the index on their ends."""

    has_window: bool = False
    """True if events must take place between two days."""

    has_part: bool = False
    is_single_instant: bool = False


@dataclass(frozen=True)
class FeedFilter:
    """A feed's query, with the database's keys for what it names.

    :param language_tags: tags that entries of the feed may have; None for any.
    :param source_ids: categories whose entries are read, or 0 for the whole kind; none
        if the feed cannot have entries.
    """

    query: FeedQuery
    now: datetime
    zone: ZoneInfo
    categories: tuple[Category, ...]
    categories_changed_at: datetime
    included_ids: tuple[int, ...]
    excluded_ids: tuple[int, ...]
    language_tags: tuple[str, ...] | None
    source_ids: tuple[int, ...]
    part: Part | None

    @cached_property
    def shape(self) -> FilterShape:
        """The key of the feed's memoized statements."""
        query = self.query
        shape = self.navigation_shape
        is_ordered_by_start = query.effective_order == "start"
        if shape.languages and (self._is_read_by_end or is_ordered_by_start):
            # The index on the language has its rows in the order of publication.
            shape = replace(shape, languages=0, has_language_filter=True)
        return replace(
            shape,
            period=query.effective_period if query.kind == "events" else "all",
            is_ordered_by_start=is_ordered_by_start,
            is_newest_start_first=query.when == "past",
            is_read_by_end=self._is_read_by_end,
            has_window=self._has_window,
            has_part=self.part is not None,
            is_single_instant=self.part is not None and self.part.is_single_instant,
        )

    @cached_property
    def navigation_shape(self) -> FilterShape:
        """The key of the statements that search the archives beside a document.

        Archives have entries of all periods, in the order of their publication.
        """
        languages = len(self.language_tags or ())
        is_divided = languages * len(self.source_ids) <= _MAX_RANGES
        return FilterShape(
            sources=len(self._source_categories),
            entry_filters=EntryFilters(
                required=len(self._required_ids),
                has_excluded=bool(self.excluded_ids),
                parameters=tuple(condition_values(self.query)),
            ),
            languages=languages if is_divided else 0,
            has_language_filter=not is_divided,
        )

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The bound parameters of the feed's statements."""
        tags = self.language_tags or ()
        parameters: dict[str, Any] = {
            "kind": self.query.kind,
            "now": self.now,
            "recent_since": self.now - RECENT_PERIOD,
            "included_ids": self.source_ids,
            "excluded_ids": self.excluded_ids,
            "languages": tags,
            # One more than the document lists: it tells where the archives go on.
            "limit": self.query.effective_limit + 1,
            "max_examined": self._max_examined,
        }
        parameters |= condition_values(self.query)
        parameters |= _numbered("source", self._source_categories)
        parameters |= _numbered("required", self._required_ids)
        parameters |= _numbered("language", tags)
        if self.part:
            parameters |= self.part.parameters
        return parameters

    @property
    def key_ids(self) -> tuple[int, ...]:
        """The categories of the feed keys that the feed depends on.

        Those that it excludes are among them, since its title names them.
        """
        return (*(self.included_ids or (0,)), *self.excluded_ids)

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The instants between which an event must take place."""
        begin, end = EPOCH, MAX_DATETIME
        if self.query.since:
            begin = self._midnight(self.query.since)
        if self.query.until:
            # The last day belongs to the window.
            end = self._midnight(self.query.until + timedelta(days=1))
        return begin, end

    @property
    def _has_window(self) -> bool:
        return bool(self.query.since or self.query.until)

    @property
    def _is_read_by_end(self) -> bool:
        """True if the index on ends is used: past events pile up, others are few."""
        if self.query.kind != "events":
            return False
        return self._has_window or self.query.effective_period not in ("past", "all")

    @property
    def _source_categories(self) -> tuple[int, ...]:
        return tuple(key for key in self.source_ids if key)

    @property
    def _required_ids(self) -> tuple[int, ...]:
        if not self.query.category_filter.match_all:
            return ()
        return tuple(key for key in self.included_ids if key not in self.source_ids)

    @property
    def _max_examined(self) -> int:
        ranges = len(self.source_ids) * len(self.language_tags or ("",))
        return max(MAX_EXAMINED // max(1, ranges), archives.MAX_ENTRIES)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


def _numbered(name: str, values: tuple[Any, ...]) -> dict[str, Any]:
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def resolve_filter(
    connection: sa.Connection, zone: ZoneInfo, query: FeedQuery, now: datetime
) -> FeedFilter:
    """Look up what a query names.

    :raises NotFound: a category or the archive part does not exist.
    :raises Gone: nothing is left of the feed without its retired categories.
    :raises FeedMoved: a category was renamed or retired.
    """
    tags = matching_tags(connection, query.kind, query.lang) if query.lang else None
    rows = _resolve_categories(connection, query)
    part = None
    if query.archive:
        part = find_part(connection, zone, query.kind, query.archive)
    ids = {row.slug: row.id for row in rows}
    included = tuple(ids[slug] for slug in query.category_filter.include)
    excluded = tuple(ids[slug] for slug in query.category_filter.exclude)
    # If no entry has the language, none of the categories has such entries.
    sources: tuple[int, ...] = ()
    if tags != ():
        sources = _source_ids(connection, query, included, excluded)
    return FeedFilter(
        query=query,
        now=now,
        zone=zone,
        categories=tuple(category_from(row) for row in rows),
        categories_changed_at=max(
            (row.changed_at for row in rows), default=NEVER_MODIFIED
        ),
        included_ids=included,
        excluded_ids=excluded,
        language_tags=tags,
        source_ids=sources,
        part=part,
    )


def _resolve_categories(
    connection: sa.Connection, query: FeedQuery
) -> list[sa.Row[Any]]:
    """Return the rows of the categories that a query names, in its order."""
    slugs = query.category_filter.all_slugs
    if not slugs:
        return []
    rows = {row.slug: row for row in connection.execute(_BY_SLUG, {"slugs": slugs})}
    current: dict[str, str] = {}
    missing = sorted(set(slugs) - rows.keys())
    if missing:
        # Another query, which nearly no request needs.
        former = connection.execute(_BY_FORMER_SLUG, {"slugs": missing}).all()
        current = {row[0]: row[1] for row in former}
        rows |= {row[0]: row for row in former}
    for slug in missing:
        if slug not in current:
            known = CategoryReader(connection).slugs()
            raise NotFound(no_such_category(slug, known))
    retired = [slug for slug in slugs if rows[slug].retired]
    remaining = query.category_filter.without(retired)
    if remaining is None:
        raise Gone(f"The category “{retired[0]}” was retired.")
    # Both in one redirect.
    if retired or current:
        raise FeedMoved(remaining.with_current_slugs(current))
    return [rows[slug] for slug in slugs]


def _source_ids(
    connection: sa.Connection,
    query: FeedQuery,
    included: tuple[int, ...],
    excluded: tuple[int, ...],
) -> tuple[int, ...]:
    """Return the categories whose entries are read; 0 is the whole kind.

    Of categories that are all required, the smallest one is enough. There are none if
    the excluded categories contain all entries of the included ones.
    """
    if not included:
        return (0,)
    contained = _contained(connection, included, excluded)
    if not query.category_filter.match_all:
        return tuple(key for key in included if key not in contained)
    if contained:
        # Each entry would have to be in a category that is excluded.
        return ()

    def size(key: int) -> int:
        parameters = {"category_id": key, "kind": query.kind}
        return connection.execute(_COUNT, parameters).scalar_one()

    return (min(included, key=size),)


def _contained(
    connection: sa.Connection, included: tuple[int, ...], excluded: tuple[int, ...]
) -> set[int]:
    """Return the included categories that are excluded too, or are inside an excluded.

    Every entry of a category is also in the wider categories around it.
    """
    if not excluded:
        return set()
    start = sa.select(
        categories.c.id.label("included"), categories.c.id, categories.c.parent
    ).where(categories.c.id.in_(included))
    ancestors = start.cte("ancestors", recursive=True)
    is_parent = categories.c.slug == ancestors.c.parent
    parents = sa.select(
        ancestors.c.included, categories.c.id, categories.c.parent
    ).join_from(ancestors, categories, is_parent)
    ancestors = ancestors.union(parents)
    contained = sa.select(ancestors.c.included).where(ancestors.c.id.in_(excluded))
    return set(connection.scalars(contained))
