"""What one feed is made from: its entries, what left it, the archives beside it, when it last changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property

import sqlalchemy as sa

from feedsvc.models import Entry, Tombstone
from feedsvc.stamps import FeedVersion
from feedsvc.storage.archives import before, part_at, since
from feedsvc.storage.change_log import feed_version
from feedsvc.storage.feed_query import RECENT_PERIOD, Conditions
from feedsvc.storage.fitting import fit
from feedsvc.storage.mappers import fetch_entries, tombstone_from
from feedsvc.storage.ranges import Ranges, on_table
from feedsvc.storage.readable import UNREADABLE, readable_rows, report
from feedsvc.storage.tables import entries, entry_categories, tombstones

MAX_TOMBSTONES, MAX_CANCELLED = 1_000, 10_000
"""How many tombstones a feed has at most, and how many deleted events a calendar lists as cancelled."""


_FITTED = [
    entries.c[name] for name in ("pk", "published", "guid", "size", "content_size")
]


class Selection(Ranges):
    """One query on one snapshot, at one time."""

    _is_cut = False

    def entries(
        self,
        max_bytes: int | None = None,
        admit: Callable[[int], object] = lambda size: None,
    ) -> list[Entry]:
        """Return the entries of the feed, in its order; those whose bodies do not fit are without them.

        :param max_bytes: of the document.
        :param admit: called with its estimated bytes before they are loaded; may raise.
        """
        if not self._index_ranges:
            return []
        fitting = fit(
            self._connection.execute(
                sa.select(*_FITTED)
                .where(entries.c.pk.in_(self.keys()))
                .order_by(*self._order(entries))
            ),
            max_bytes,
            bodies=self.query.content != "summary",
            cut=self._part is None,
        )
        admit(fitting.size)
        self._is_cut = fitting.is_cut
        whole = self._load(fitting.whole)
        rest = self._load(
            fitting.whole.symmetric_difference(fitting.keys), bodies=False
        )
        loaded = whole | {
            pk: replace(entry, abridged=True) for pk, entry in rest.items()
        }
        return [loaded[pk] for pk in fitting.keys if pk in loaded]

    def _load(self, pks: Collection[int], *, bodies: bool = True) -> dict[int, Entry]:
        if not pks:
            return {}
        wanted = entries.c.pk.in_(sorted(pks))
        return {
            row.pk: entry
            for row, entry in fetch_entries(self._connection, wanted, bodies=bodies)
        }

    def tombstones(self, shown: list[Entry]) -> list[Tombstone]:
        """Return the entries that left the feed since the oldest one that it shows, the last to leave first.

        Of a calendar: the events that were deleted within 30 days, the last deleted first.
        """
        if self.query.format == "ics":
            when = tombstones.c.deleted
            of_archive = self._since_oldest(shown) if self._part else []
            return self._left(
                when, [when > self._now - RECENT_PERIOD, *of_archive], MAX_CANCELLED
            )
        return self._left(tombstones.c.time, self._since_oldest(shown), MAX_TOMBSTONES)

    def last_departure(self, shown: list[Entry]) -> datetime | None:
        """Return when the last entry left a feed of the query in any format but iCalendar."""
        last = self._left(tombstones.c.time, self._since_oldest(shown), 1)
        return last[0].deleted_at if last else None

    def _since_oldest(self, shown: list[Entry]) -> list[sa.ColumnElement[bool]]:
        """Return the conditions on tombstones of entries that left since the oldest one that is shown."""
        if self._part:
            ranges = [
                one(tombstones.c.published, entries.c.guid)
                for one in self._part.ranges()
            ]
            return [sa.or_(sa.false(), *(sa.and_(*one) for one in ranges))]
        if len(shown) < self.query.effective_limit and not self._is_cut:
            return []
        return [tombstones.c.time >= min(entry.date for entry in shown)]

    def _left(
        self, when: sa.Column[datetime], where: list[sa.ColumnElement[bool]], limit: int
    ) -> list[Tombstone]:
        """Return the tombstones that meet conditions by the time of a column, the last first."""
        left: dict[str, Tombstone] = {}
        for driver in self._index_ranges:
            rows = sa.select(tombstones, entries.c.guid, when.label("when")).join(
                entries
            )
            filters = self._filters(tombstones.c.entry_pk, driver, tombstones)
            rows = rows.where(
                *self._filter_conditions(tombstones, driver), *filters, *where
            )
            rows = rows.order_by(when.desc(), entries.c.guid.desc()).limit(limit)
            for row in readable_rows(self._connection, rows, tombstones.c.entry_pk):
                try:
                    left[row.guid] = tombstone_from(row)
                except UNREADABLE as error:
                    report(row.entry_pk, error)
        return sorted(
            left.values(), key=lambda one: (one.deleted_at, one.guid), reverse=True
        )[:limit]

    @property
    def is_language_in_use(self) -> bool:
        """Whether an entry has, or once had, the language that the query asks for."""
        return self._tags != []

    def older_archive(self, shown: list[Entry]) -> str | None:
        """Return the archive document that holds the newest entry which is older than this document.

        For a current feed it is the newest entry that the feed does not show, whatever its limit and period.
        """
        if self._part:
            return self._archive_of(
                [on_table(one) for one in before(self._part.begin)], newest=True
            )
        guids = [entry.guid for entry in shown]
        return self._archive_of(
            [lambda table: [table.c.guid.not_in(guids)]], newest=True
        )

    def newer_archive(self) -> str | None:
        """Return the archive document that holds the oldest entry which is newer than this document."""
        if not self._part:
            return None
        return self._archive_of(
            [on_table(one) for one in since(self._part.end)], newest=False
        )

    def _archive_of(self, ranges: list[Conditions], *, newest: bool) -> str | None:
        place = self._nearest(ranges, newest=newest)
        if place is None:
            return None
        return part_at(self._connection, self._zone, self.query.kind, place).name

    @cached_property
    def _feed_keys(self) -> FeedVersion:
        """The topics that the feed depends on: what it excludes stands in its title."""
        return feed_version(
            self._connection, [(self.query.kind, key) for key in self._named_keys]
        )

    def version(self) -> tuple[FeedVersion, datetime | None]:
        """The feed's topics and when it last changed; and when at the earliest it will by itself.

        That an event has ended, or that a calendar has named a deleted one for long enough, is no step of
        the ledger.
        """
        if not self._index_ranges:
            return self._feed_keys, None
        query = self.query
        past: list[datetime | None] = [self._feed_keys.time]
        filed = (
            entry_categories.c.entry_pk == entries.c.pk,
            entry_categories.c.category_id.in_(self._wanted),
        )
        ahead = [self._due(*([sa.exists().where(*filed)] if self._wanted else []))]
        if query.kind == "events" and query.effective_period != "all":
            stays = RECENT_PERIOD if query.effective_period == "recent" else timedelta()
            since = self._now - stays
            past.append(
                _plus(
                    self._edge(
                        "ends", lambda table: [table.c.ends <= since], last=True
                    ),
                    stays,
                )
            )
            ahead.append(
                _plus(
                    self._edge(
                        "ends", lambda table: [table.c.ends > since], last=False
                    ),
                    stays,
                )
            )
        if query.format == "ics":
            time, since = tombstones.c.deleted, self._now - RECENT_PERIOD
            mine = (
                tombstones.c.kind == query.kind,
                tombstones.c.category_id.in_(self._wanted or [0]),
            )
            left = sa.select(sa.func.max(time)).where(*mine, time <= since)
            leaves = sa.select(sa.func.min(time)).where(*mine, time > since)
            past.append(_plus(self._connection.scalar(left), RECENT_PERIOD))
            ahead.append(_plus(self._connection.scalar(leaves), RECENT_PERIOD))
        stamps, dues = (
            [moment for moment in moments if moment] for moments in (past, ahead)
        )
        return replace(self._feed_keys, time=max(stamps)), min(dues, default=None)

    def _due(self, *where: sa.ColumnElement[bool]) -> datetime | None:
        """The first moment of the entries that meet conditions, also one that has come unsettled.

        Few have one, so they are read by it, in order; the expression keeps indexes on the kind out of it.
        """
        mine = (
            entries.c.next_change_at.is_not(None),
            entries.c.kind.concat("") == self.query.kind,
        )
        found = (
            sa.select(entries.c.next_change_at)
            .where(*mine, *where)
            .order_by(entries.c.next_change_at)
            .limit(1)
        )
        due: datetime | None = self._connection.scalar(found)
        return due

    @property
    def _named_keys(self) -> list[int]:
        return [*(self._wanted or [0]), *self._unwanted]


def _plus(moment: datetime | None, by: timedelta) -> datetime | None:
    return moment and moment + by
