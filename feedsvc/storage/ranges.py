"""The entries of a query as ranges of indexes, so that what it costs does not grow with the table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedsvc.storage import archives
from feedsvc.storage.archives import Position, Range
from feedsvc.storage.feed_query import Conditions, FeedQueryBuilder
from feedsvc.storage.tables import entries, entry_categories

MAX_EXAMINED = 10_000
"""Entries that are looked at for those that belong to a combination, or are not cancelled.

The ranges of a query share them, but each has as many as an archive document, which must be complete.
"""

MAX_IN_WINDOW = 10_000
"""Events that are looked at for those in a window, the last to start before its end."""

_MAX_RANGES = 100
"""Tags times categories in one statement: three ranges each of an archive, and SQLite takes 500 in all."""

Order = Callable[[Any], tuple[Any, ...]]


class Ranges(FeedQueryBuilder):
    """The rows of one query at one time, read from indexes."""

    def keys(self) -> sa.Select[tuple[int]]:
        """Return the statement for the keys of the feed's entries."""
        if self._part:
            return self._pick(
                self._by_language([on_table(one) for one in self._part.ranges()]), None
            )
        if self.query.since or self.query.until:
            return self._pick_in_window()
        if self._is_by_end:
            return self._pick(
                [_both(self._period, self._spoken)], self.query.effective_limit
            )
        return self._pick(self._by_language([self._period]), self.query.effective_limit)

    def _by_language(self, ranges: list[Conditions]) -> list[Conditions]:
        """Return ranges, each divided by the tags of the feed's language: each tag is a range of an index."""
        if self._tags is None:
            return ranges
        if (
            self.query.order == "start"
            or len(self._tags) * len(self._index_ranges) > _MAX_RANGES
        ):
            return [_both(one, self._spoken) for one in ranges]
        tagged = [_tagged(tag) for tag in self._tags]
        return [_both(one, of_tag) for one in ranges for of_tag in tagged]

    def _pick(
        self, ranges: list[Conditions], limit: int | None
    ) -> sa.Select[tuple[int]]:
        """Return the statement for the keys of the first entries in some ranges, in the feed's order.

        Each range of each driver is read from an index.
        """
        sources = list(itertools.product(self._index_ranges, ranges))
        columns = self._sorts if len(sources) > 1 else ()
        return self._first(
            [
                self._rows(driver, conditions, self._order, columns)
                for driver, conditions in sources
            ],
            limit,
        )

    def _pick_in_window(self) -> sa.Select[tuple[int]]:
        """Return the statement for the keys of the first events that take place in the window."""
        statements = [
            rows for driver in self._index_ranges for rows in self._in_window(driver)
        ]
        return self._first(statements, self.query.effective_limit)

    def _in_window(self, driver: int) -> Iterator[sa.Select[Any]]:
        """Yield the statements for a driver's events in the window: single ones, and series.

        Of single ones those are examined that start last before the window ends.
        """
        table: Any = entry_categories if driver else entries
        pk = table.c.entry_pk if driver else table.c.pk
        (begin, end), (inside, outside) = self._window, self._series
        where = [*self._filter_conditions(table, driver), *self._spoken(table)]
        columns = [table.c[name] for name in ("published", "guid", "starts", "ends")]
        begun = sa.select(pk.label("pk"), *columns).where(*where, table.c.starts < end)
        near = begun.order_by(table.c.starts.desc()).limit(MAX_IN_WINDOW).subquery()
        at_once = sa.and_(near.c.ends == begin, near.c.starts == begin)
        single = [
            sa.or_(near.c.ends > begin, at_once),
            near.c.pk.not_in([*inside, *outside]),
        ]
        for source, key, conditions in (
            (near, near.c.pk, single),
            (table, pk, [*where, pk.in_(inside)]),
        ):
            rows = sa.select(key.label("pk"), *(source.c[name] for name in self._sorts))
            rows = rows.where(
                *conditions,
                *self._period(source),
                *self._filters(key, driver, entry_categories),
            )
            yield rows.order_by(*self._order(source))

    @property
    def _sorts(self) -> tuple[str, str]:
        return ("guid", "starts" if self.query.order == "start" else "published")

    def _first(
        self, statements: list[sa.Select[Any]], limit: int | None
    ) -> sa.Select[tuple[int]]:
        """Return the statement for the first keys, in the feed's order, of some that have that order each."""
        selects = [one.limit(limit) for one in statements]
        if len(selects) == 1:
            return selects[0]
        union = sa.union(*(sa.select(one.subquery()) for one in selects)).subquery()
        return sa.select(union.c.pk).order_by(*self._order(union)).limit(limit)

    def _rows(
        self,
        driver: int,
        conditions: Conditions,
        order: Order,
        columns: tuple[str, ...],
    ) -> sa.Select[Any]:
        """Return the statement for the keys and some columns of a driver's rows that meet conditions.

        Where entries are filtered by what no index knows, only the first rows are examined: a filter may
        leave none of a million.
        """
        table: Any = entry_categories if driver else entries
        pk = table.c.entry_pk if driver else table.c.pk
        where = [*self._filter_conditions(table, driver), *conditions(table)]
        if not self._is_filtered:
            named = (table.c[name] for name in columns)
            return (
                sa.select(pk.label("pk"), *named).where(*where).order_by(*order(table))
            )
        needed = [table.c[name] for name in ("published", "guid", "starts")]
        rows = sa.select(pk.label("pk"), *needed).where(*where).order_by(*order(table))
        first = rows.limit(self._max_examined).subquery()
        named = (first.c[name] for name in columns)
        fitting = sa.select(first.c.pk, *named).where(
            *self._filters(first.c.pk, driver, entry_categories)
        )
        return fitting.order_by(*order(first))

    @property
    def _max_examined(self) -> int:
        """Return the number of entries of a range that are looked at."""
        number = max(1, len(self._index_ranges) * len(self._tags or [""]))
        return max(MAX_EXAMINED // number, archives.MAX_ENTRIES)

    def _nearest(self, ranges: list[Conditions], *, newest: bool) -> Position | None:
        """Return the place of the newest or oldest entry in the first of some ranges that has one.

        Where entries are filtered it may be the last place that was examined, beyond which they may go on.
        """
        for within in ranges:
            best: Position | None = None
            for driver, conditions in itertools.product(
                self._index_ranges, self._by_language([within])
            ):
                place = self._first_place(
                    driver, conditions, _newest_first if newest else _oldest_first
                )
                if place and (best is None or place.is_after(best) is newest):
                    best = place
            if best:
                return best
        return None

    def _first_place(
        self, driver: int, conditions: Conditions, order: Order
    ) -> Position | None:
        rows = self._rows(driver, conditions, order, ("published", "guid"))
        row = self._connection.execute(rows.limit(1)).first()
        if row is None and self._is_filtered:
            table: Any = entry_categories if driver else entries
            examined = sa.select(table.c.published, table.c.guid)
            examined = examined.where(
                *self._filter_conditions(table, driver), *conditions(table)
            ).order_by(*order(table))
            row = self._connection.execute(
                examined.offset(self._max_examined - 1).limit(1)
            ).first()
        return Position(row.published, row.guid) if row else None

    def _edge(
        self, column: str, conditions: Conditions, *, last: bool
    ) -> datetime | None:
        """Return the first or last instant in a column among the drivers' rows that meet conditions."""
        found = []
        for driver in self._index_ranges:
            table = entry_categories if driver else entries
            sort = table.c[column]
            rows = sa.select(sort).where(
                *self._filter_conditions(table, driver), *conditions(table)
            )
            found.append(
                self._connection.scalar(
                    rows.order_by(sort.desc() if last else sort).limit(1)
                )
            )
        known = [moment for moment in found if moment]
        return (max if last else min)(known, default=None)


def _newest_first(table: Any) -> tuple[Any, ...]:
    return table.c.published.desc(), table.c.guid


def _oldest_first(table: Any) -> tuple[Any, ...]:
    return table.c.published, table.c.guid.desc()


def _both(one: Conditions, other: Conditions) -> Conditions:
    return lambda table: [*one(table), *other(table)]


def _tagged(tag: str) -> Conditions:
    return lambda table: [table.c.lang == tag]


def on_table(within: Range) -> Conditions:
    """Return the conditions of a range on the columns of a table."""
    return lambda table: within(table.c.published, table.c.guid)
