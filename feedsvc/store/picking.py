"""Which rows are a query's: its selector and filters as conditions, its entries as ranges of indexes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import Gone, NotFound, Renamed
from feedsvc.model import EPOCH, Category
from feedsvc.occurrences import END_OF_TIME, overlaps
from feedsvc.query import FeedQuery
from feedsvc.stamps import BEGINNING
from feedsvc.store.archives import Position, Range, part_named
from feedsvc.store.rows import category_from, load_series
from feedsvc.store.tables import categories, entries, event_details, placements, renames, tombstones

RECENT = timedelta(days=30)
"""How long an event stays in the recent ones after its end, and a deleted one in calendars."""

_ENOUGH = 1000
"""Rows of a category after which it does not matter how many more there are."""

Conditions = Callable[[sa.Table], list[sa.ColumnElement[bool]]]
"""Conditions on the rows of `entries` or `placements`, which both have the columns that order and filter."""


class Picking:
    """The rows of one query at one time, on one snapshot."""

    def __init__(self, connection: sa.Connection, zone: ZoneInfo, query: FeedQuery, now: datetime) -> None:
        self._connection, self._zone, self.query, self._now = connection, zone, query, now
        named = self._named()
        self._part = part_named(connection, zone, query.kind, query.archive) if query.archive else None
        self.categories = tuple(category for category, _, _ in named)
        self.described: datetime = max((changed for _, _, changed in named), default=BEGINNING)
        """When the texts of these categories last changed; those of a section never do."""
        self._wanted, self._unwanted = (
            [key for category, key, _ in named if category.slug in terms]
            for terms in (query.selector.wanted, query.selector.unwanted)
        )

    def keys(self) -> sa.Select[tuple[int]]:
        """The statement that finds the feed's entries."""
        if self._part:
            return self._pick([on_table(one) for one in self._part.ranges()], None)
        return self._pick([self._period], self.query.at_most)

    def _named(self) -> list[tuple[Category, int, datetime]]:
        """The categories that the selector names, in its order, with their keys and last changes."""
        slugs = self.query.selector.slugs
        if not slugs:
            return []
        run = self._connection.execute
        rows = {row.slug: row for row in run(sa.select(categories).where(categories.c.slug.in_(slugs)))}
        current: dict[str, str] = {}
        if missing := set(slugs) - rows.keys():
            found = sa.select(renames.c.slug, categories.c.slug, categories.c.retired)
            former = {row[0]: row for row in run(found.join(categories).where(renames.c.slug.in_(missing)))}
            for slug in sorted(missing - former.keys()):
                raise NotFound(f"There is no category “{slug}”.")
            current = {slug: row[1] for slug, row in former.items()}
            rows |= former
        retired = [slug for slug in slugs if rows[slug].retired]
        living = self.query.selector.without(retired)
        if living is None:
            raise Gone(f"The category “{retired[0]}” was retired.")
        if retired or current:
            raise Renamed(str(living.renamed(current)))
        return [(category_from(rows[slug]), rows[slug].id, rows[slug].changed_at) for slug in slugs]

    @cached_property
    def _drivers(self) -> list[int]:
        """The categories whose ranges are read; of several that must all be there the smallest; 0 is none."""
        if not self.query.selector.every:
            return self._wanted or [0]

        def size(key: int) -> int:
            rows = sa.select(placements.c.entry_pk).where(
                placements.c.category_id == key, placements.c.kind == self.query.kind, placements.c.shown
            )
            count = sa.select(sa.func.count()).select_from(rows.limit(_ENOUGH).subquery())
            return int(self._connection.execute(count).scalar_one())

        return [min(self._wanted, key=size)]

    def _within(self, table: sa.Table, driver: int) -> list[sa.ColumnElement[bool]]:
        """That a row of a driver's range is in the selection, whatever its dates."""
        query = self.query
        pk = entries.c.pk if table is entries else table.c.entry_pk
        where = [table.c.kind == query.kind]
        if table is not entries:
            where.append(table.c.category_id == driver)
        if table is not tombstones:
            where.append(table.c.shown)
        filed = (tombstones if table is tombstones else placements).alias()

        def stands_in(keys: list[int]) -> sa.Exists:
            return sa.exists().where(filed.c.entry_pk == pk, filed.c.category_id.in_(keys))

        if query.selector.every:
            where += [stands_in([key]) for key in self._wanted if key != driver]
        if self._unwanted:
            where.append(~stands_in(self._unwanted))
        if table is tombstones:
            # Neither language nor event status: a deletion erases them, and an edit of a hidden entry, which
            # moves no feed, may change them.
            return where
        if query.lang:  # RFC 4647 §3.3.1: "en" is also "en-GB"
            entry = entries if table is entries else entries.alias()
            tag = sa.func.lower(entry.c.language)
            spoken = sa.or_(tag == query.lang, tag.startswith(f"{query.lang}-", autoescape=True))
            where.append(spoken if table is entries else sa.exists().where(entry.c.pk == pk, spoken))
        if query.cancelled == "hide":
            off = (event_details.c.entry_pk == pk, event_details.c.status == "cancelled")
            where.append(~sa.exists().where(*off))
        return where

    def _period(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        """That a row is of the time that the feed shows."""
        query = self.query
        if query.kind != "events":
            return []
        starts, ends = table.c.starts, table.c.ends
        where = {
            "upcoming": [ends > self._now],
            "recent": [ends > self._now - RECENT],
            "past": [ends <= self._now],
            "all": [],
        }[query.period]
        if query.since or query.until:
            begin, end = self._window
            window = [sa.or_(ends > begin, sa.and_(ends == begin, starts == begin)), starts < end]
            pk = entries.c.pk if table is entries else table.c.entry_pk
            inside, outside = self._series
            where += [sa.or_(sa.and_(*window), pk.in_(inside)), pk.not_in(outside)]
        return where

    @property
    def _window(self) -> tuple[datetime, datetime]:
        """The instants between which an event must take place."""
        first, last = self.query.since, self.query.until
        begin = self._midnight(first) if first else EPOCH
        return begin, self._midnight(last + timedelta(days=1)) if last else END_OF_TIME

    @cached_property
    def _series(self) -> tuple[list[int], list[int]]:
        """The series that take place in the window, and those that do not.

        Read without their texts, and of the selector's categories alone; a series that is over before the
        window, or begins after it, is in neither list.
        """
        begin, end = self._window
        where = [entries.c.kind == self.query.kind, entries.c.shown, entries.c.ends >= begin]
        if self._wanted:
            filed = sa.select(placements.c.entry_pk).where(placements.c.category_id.in_(self._wanted))
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
            starts = table.c.starts.desc() if self.query.when == "past" else table.c.starts
            return starts, table.c.guid
        return table.c.published.desc(), table.c.guid

    def _pick(self, ranges: list[Conditions], limit: int | None) -> sa.Select[tuple[int]]:
        """Return the statement for the keys of the first entries in some ranges, in the feed's order.

        Each range of each driver is read from an index.
        """
        selects = []
        sources = [(driver, conditions) for driver in self._drivers for conditions in ranges]
        for driver, conditions in sources:
            table = placements if driver else entries
            key = table.c.entry_pk if driver else table.c.pk
            sorts = [table.c.guid, table.c.starts if self.query.order == "start" else table.c.published]
            columns = [key.label("pk"), *(sorts if len(sources) > 1 else ())]
            where = [*self._within(table, driver), *conditions(table)]
            selects.append(sa.select(*columns).where(*where).order_by(*self._order(table)).limit(limit))
        if len(selects) == 1:
            return selects[0]
        union = sa.union(*(sa.select(one.subquery()) for one in selects)).subquery()
        return sa.select(union.c.pk).order_by(*self._order(union)).limit(limit)

    def _nearest(self, ranges: list[Conditions], *, newest: bool) -> Position | None:
        """Return the place of the newest or oldest entry in the first of some ranges that has one."""
        for conditions in ranges:
            best: Position | None = None
            for driver in self._drivers:
                table: Any = placements if driver else entries
                order = (table.c.published.desc(), table.c.guid)
                if not newest:
                    order = (table.c.published, table.c.guid.desc())
                rows = sa.select(table.c.published, table.c.guid)
                rows = rows.where(*self._within(table, driver), *conditions(table))
                row = self._connection.execute(rows.order_by(*order).limit(1)).first()
                place = Position(row.published, row.guid) if row else None
                if place and (best is None or place.is_after(best) is newest):
                    best = place
            if best:
                return best
        return None

    def _edge(self, column: str, conditions: Conditions, *, last: bool) -> datetime | None:
        """The first or last instant in a column among the rows that meet conditions."""
        found = []
        for driver in self._drivers:
            table = placements if driver else entries
            sort = table.c[column]
            rows = sa.select(sort).where(*self._within(table, driver), *conditions(table))
            found.append(self._connection.scalar(rows.order_by(sort.desc() if last else sort).limit(1)))
        known = [moment for moment in found if moment]
        return (max if last else min)(known, default=None)


def on_table(within: Range) -> Conditions:
    """Return the conditions of a range on the columns of a table."""
    return lambda table: within(table.c.published, table.c.guid)
