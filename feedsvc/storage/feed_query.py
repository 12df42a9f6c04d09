"""Which rows are a query's: its selector, filters and period as conditions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import FeedMoved, Gone, NotFound
from feedsvc.models import EPOCH, Category
from feedsvc.query import FeedQuery
from feedsvc.recurrence import MAX_DATETIME, overlaps
from feedsvc.stamps import BEGINNING
from feedsvc.storage.archives import part_named
from feedsvc.storage.languages import tags_in_use
from feedsvc.storage.mappers import category_from, load_series
from feedsvc.storage.tables import (
    categories,
    category_slug_history,
    entries,
    entry_categories,
    event_details,
    tombstones,
)

RECENT_PERIOD = timedelta(days=30)
"""How long an event stays in the recent ones after its end, and a deleted one in calendars."""

_COUNT_LIMIT = 1000
"""Rows of a category after which it does not matter how many more there are."""

Conditions = Callable[[sa.Table], list[sa.ColumnElement[bool]]]
"""Conditions on rows of `entries` or `entry_categories`, which share columns."""


class FeedQueryBuilder:
    """The rows of one query at one time, on one snapshot."""

    def __init__(
        self, connection: sa.Connection, zone: ZoneInfo, query: FeedQuery, now: datetime
    ) -> None:
        self._connection, self._zone, self.query, self._now = (
            connection,
            zone,
            query,
            now,
        )
        self._tags = (
            tags_in_use(connection, query.kind, query.lang) if query.lang else None
        )
        named = self._named()
        self._part = (
            part_named(connection, zone, query.kind, query.archive)
            if query.archive
            else None
        )
        self.categories = tuple(category for category, _, _ in named)
        self.described: datetime = max(
            (changed for _, _, changed in named), default=BEGINNING
        )
        """When the texts of these categories last changed; those of a section never do."""
        self._wanted, self._unwanted = (
            [key for category, key, _ in named if category.slug in terms]
            for terms in (query.category_filter.include, query.category_filter.exclude)
        )

    @property
    def _is_by_end(self) -> bool:
        """Whether entries are found by the index on their ends: of events, the few that are not over."""
        query = self.query
        is_ahead = query.effective_period not in ("past", "all") or bool(
            query.since or query.until
        )
        return query.kind == "events" and is_ahead

    def _spoken(self, table: Any) -> list[sa.ColumnElement[bool]]:
        """Return the condition that a row is in the language of the feed; no index is used for it."""
        return [] if self._tags is None else [table.c.lang.concat("").in_(self._tags)]

    def _named(self) -> list[tuple[Category, int, datetime]]:
        """The categories that the selector names, in its order, with their keys and last changes."""
        slugs = self.query.category_filter.all_slugs
        if not slugs:
            return []
        run = self._connection.execute
        rows = {
            row.slug: row
            for row in run(sa.select(categories).where(categories.c.slug.in_(slugs)))
        }
        current: dict[str, str] = {}
        if missing := set(slugs) - rows.keys():
            found = sa.select(
                category_slug_history.c.slug, categories.c.slug, categories.c.retired
            )
            former = {
                row[0]: row
                for row in run(
                    found.join(categories).where(
                        category_slug_history.c.slug.in_(missing)
                    )
                )
            }
            for slug in sorted(missing - former.keys()):
                raise NotFound(f"There is no category “{slug}”.")
            current = {slug: row[1] for slug, row in former.items()}
            rows |= former
        retired = [slug for slug in slugs if rows[slug].retired]
        living = self.query.category_filter.without(retired)
        if living is None:
            raise Gone(f"The category “{retired[0]}” was retired.")
        if retired or current:
            raise FeedMoved(living.with_current_slugs(current))
        return [
            (category_from(rows[slug]), rows[slug].id, rows[slug].changed_at)
            for slug in slugs
        ]

    @cached_property
    def _index_ranges(self) -> list[int]:
        """Return the categories whose ranges are read: of several that must all be there the smallest.

        0 stands for the whole section. There is nothing to read where no entry has the language, or where the
        filter excludes all that it includes.
        """
        if self._tags == []:
            return []
        if not self._wanted:
            return [0]
        included = [key for key in self._wanted if key not in self._emptied]
        if not self.query.category_filter.match_all:
            return included
        if len(included) < len(self._wanted):
            return []

        def size(key: int) -> int:
            rows = sa.select(entry_categories.c.entry_pk).where(
                entry_categories.c.category_id == key,
                entry_categories.c.kind == self.query.kind,
                entry_categories.c.is_visible,
            )
            count = sa.select(sa.func.count()).select_from(
                rows.limit(_COUNT_LIMIT).subquery()
            )
            return int(self._connection.execute(count).scalar_one())

        return [min(self._wanted, key=size)]

    @cached_property
    def _emptied(self) -> set[int]:
        """Return the included categories whose entries are all excluded.

        They are excluded themselves, or lie within an excluded category, which has all their entries too.
        """
        if not self._wanted or not self._unwanted:
            return set()
        start = sa.select(
            categories.c.id.label("included"), categories.c.id, categories.c.parent
        )
        path = start.where(categories.c.id.in_(self._wanted)).cte(
            "path", recursive=True
        )
        above = categories.c.slug == path.c.parent
        step = sa.select(
            path.c.included, categories.c.id, categories.c.parent
        ).join_from(path, categories, above)
        path = path.union(step)
        return set(
            self._connection.scalars(
                sa.select(path.c.included).where(path.c.id.in_(self._unwanted))
            )
        )

    def _filter_conditions(
        self, table: Any, driver: int
    ) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that a row is one of a driver's."""
        where = [table.c.kind == self.query.kind]
        if table is not entries:
            where.append(table.c.category_id == driver)
        if table is not tombstones:
            where.append(table.c.is_visible)
        return where

    @property
    def _is_filtered(self) -> bool:
        """Whether `_filters` has conditions."""
        selector = self.query.category_filter
        return (
            selector.match_all or bool(selector.exclude) or self.query.has_entry_filters
        )

    def _filters(
        self, pk: sa.ColumnElement[int], driver: int, filed: sa.Table
    ) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that an entry of a driver's is in the selection, which no index knows.

        :param filed: where it is filed: `entry_categories` or `tombstones`.
        """
        query = self.query
        where: list[sa.ColumnElement[bool]] = []
        other = filed.alias()

        def stands_in(keys: list[int]) -> sa.Exists:
            return sa.exists().where(
                other.c.entry_pk == pk, other.c.category_id.in_(keys)
            )

        if query.category_filter.match_all:
            where += [stands_in([key]) for key in self._wanted if key != driver]
        if self._unwanted:
            where.append(~stands_in(self._unwanted))
        # Of tombstones neither language nor event status: a deletion erases them, and an edit of a hidden
        # entry, which moves no feed, may change them.
        if query.cancelled == "hide" and filed is not tombstones:
            off = (
                event_details.c.entry_pk == pk,
                event_details.c.status == "cancelled",
            )
            where.append(~sa.exists().where(*off))
        return where

    def _period(self, table: Any) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that an event is over, or not, as the feed shows them."""
        query = self.query
        if query.kind != "events":
            return []
        ends = table.c.ends
        return {
            "upcoming": [ends > self._now],
            "recent": [ends > self._now - RECENT_PERIOD],
            "past": [
                sa.func.coalesce(ends, ends) <= self._now
            ],  # not by an index: most events are over
            "all": [],
        }[query.effective_period]

    @property
    def _window(self) -> tuple[datetime, datetime]:
        """The instants between which an event must take place."""
        first, last = self.query.since, self.query.until
        begin = self._midnight(first) if first else EPOCH
        return begin, self._midnight(last + timedelta(days=1)) if last else MAX_DATETIME

    @cached_property
    def _series(self) -> tuple[list[int], list[int]]:
        """The series that take place in the window, and those that do not.

        Read without their texts, and of the selector's categories alone; a series that is over before the
        window, or begins after it, is in neither list.
        """
        begin, end = self._window
        where = [
            entries.c.kind == self.query.kind,
            entries.c.is_visible,
            entries.c.ends >= begin,
        ]
        if self._wanted:
            filed = sa.select(entry_categories.c.entry_pk).where(
                entry_categories.c.category_id.in_(self._wanted)
            )
            where.append(entries.c.pk.in_(filed))
        # Text: a date, or one with the time behind it by the clocks of a zone, a day away at most.
        begins_by = event_details.c.start < (end + timedelta(days=2)).date().isoformat()
        found: tuple[list[int], list[int]] = [], []
        for key, event in load_series(self._connection, *where, begins_by):
            found[not overlaps(event, begin, end)].append(key)
        return found

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def _order(self, table: Any) -> tuple[Any, ...]:
        """Newest announced first, or next to start first (of past ones the last to start); ties by guid."""
        if self.query.order == "start":
            starts = table.c.starts
            if self._is_by_end:
                starts = sa.func.coalesce(
                    starts, starts
                )  # the index on starts would pass over what is over
            return starts.desc() if self.query.when == "past" else starts, table.c.guid
        return table.c.published.desc(), table.c.guid
