"""What one feed is made from: its entries, what left it, the months beside it, and when it last changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property

import sqlalchemy as sa

from feedsvc.model import Entry, Tombstone
from feedsvc.stamps import Stamp
from feedsvc.store.ledger import latest
from feedsvc.store.months import bounds, month_of
from feedsvc.store.picking import RECENT, Conditions, Picking
from feedsvc.store.readable import UNREADABLE, readable_rows, report
from feedsvc.store.rows import load, tombstone_from
from feedsvc.store.tables import entries, months, placements, tombstones

MAX_TOMBSTONES, MAX_CANCELLED = 1_000, 10_000
"""How many tombstones a feed has at most, and how many deleted events a calendar lists as cancelled."""


class Selection(Picking):
    """One query on one snapshot, at one time; where it speaks of months, whatever limit and period it has."""

    def entries(self) -> list[Entry]:
        """The entries of the feed, in its order."""
        found = load(self._connection, entries.c.pk.in_(self.keys()), order=self._order(entries))
        return [entry for _, entry in found]

    def tombstones(self, shown: list[Entry]) -> list[Tombstone]:
        """Return the entries that left the feed since the oldest one that it shows, the last to leave first.

        Of a calendar: the events that were deleted within 30 days, the last deleted first.
        """
        if self.query.format == "ics":
            when = tombstones.c.deleted
            of_archive = self._period(tombstones) if self.query.archive else []
            return self._left(when, [when > self._now - RECENT, *of_archive], MAX_CANCELLED)
        return self._left(tombstones.c.time, self._since_oldest(shown), MAX_TOMBSTONES)

    def last_departure(self, shown: list[Entry]) -> datetime | None:
        """Return when the last entry left a feed of the query in any format but iCalendar."""
        last = self._left(tombstones.c.time, self._since_oldest(shown), 1)
        return last[0].when if last else None

    def _since_oldest(self, shown: list[Entry]) -> list[sa.ColumnElement[bool]]:
        """Return the conditions on tombstones of entries that left since the oldest one that is shown."""
        if self.query.archive:
            return self._period(tombstones)
        if len(shown) < self.query.at_most:
            return []
        return [tombstones.c.time >= min(entry.announced for entry in shown)]

    def _left(
        self, when: sa.Column[datetime], where: list[sa.ColumnElement[bool]], limit: int
    ) -> list[Tombstone]:
        """Return the tombstones that meet conditions by the time of a column, the last first."""
        left: dict[str, Tombstone] = {}
        for driver in self._drivers:
            rows = sa.select(tombstones, entries.c.guid, when.label("when")).join(entries)
            rows = rows.where(*self._within(tombstones, driver), *where)
            rows = rows.order_by(when.desc(), entries.c.guid.desc()).limit(limit)
            for row in readable_rows(self._connection, rows, tombstones.c.entry_pk):
                try:
                    left[row.guid] = tombstone_from(row)
                except UNREADABLE as error:
                    report(row.entry_pk, error)
        return sorted(left.values(), key=lambda one: (one.when, one.guid), reverse=True)[:limit]

    def newest_month(self, besides: list[Entry]) -> str | None:
        """The newest month of which some entry is not among those of a feed."""
        guids = [entry.guid for entry in besides]
        return self._month(lambda table: [table.c.guid.not_in(guids)])

    def month_before(self, month: str) -> str | None:
        """The last month before this one that has entries."""
        begin, _ = bounds(month, self._zone)
        return self._month(lambda table: [table.c.published < begin])

    def month_after(self, month: str) -> str | None:
        """The first month after this one that has entries, if it is over."""
        _, end = bounds(month, self._zone)
        found = self._month(lambda table: [table.c.published >= end], last=False)
        return found if found and self.is_over(found) else None

    def is_over(self, month: str) -> bool:
        """Whether a month lies in the past."""
        return bounds(month, self._zone)[1] <= self._now

    @cached_property
    def _topics(self) -> Stamp:
        """The topics that the feed depends on: what it excludes stands in its title."""
        return latest(self._connection, [(self.query.kind, key) for key in self._named_keys])

    def stamp(self) -> tuple[Stamp, datetime | None]:
        """The feed's topics and when it last changed; and when at the earliest it will by itself.

        That an event has ended, or that a calendar has named a deleted one for long enough, is no step of
        the ledger.
        """
        query = self.query
        past: list[datetime | None] = [self._topics.time]
        filed = (placements.c.entry_pk == entries.c.pk, placements.c.category_id.in_(self._wanted))
        ahead = [self._due(*([sa.exists().where(*filed)] if self._wanted else []))]
        if query.kind == "events" and query.period != "all":
            stays = RECENT if query.period == "recent" else timedelta()
            since = self._now - stays
            past.append(_later(self._edge("ends", lambda table: [table.c.ends <= since], last=True), stays))
            ahead.append(_later(self._edge("ends", lambda table: [table.c.ends > since], last=False), stays))
        if query.format == "ics":
            time, since = tombstones.c.deleted, self._now - RECENT
            mine = (tombstones.c.kind == query.kind, tombstones.c.category_id.in_(self._wanted or [0]))
            left = sa.select(sa.func.max(time)).where(*mine, time <= since)
            leaves = sa.select(sa.func.min(time)).where(*mine, time > since)
            past.append(_later(self._connection.scalar(left), RECENT))
            ahead.append(_later(self._connection.scalar(leaves), RECENT))
        stamps, dues = ([moment for moment in moments if moment] for moments in (past, ahead))
        return replace(self._topics, time=max(stamps)), min(dues, default=None)

    def archive_stamp(self, older: str | None, newer: str | None) -> Stamp:
        """An archive document's topics, and when its entries changed last, or what stands beside it.

        The latter is known exactly of a section and a category; of what is made from several, or filtered,
        any change of a month beside it counts.
        """
        month = self.query.archive or ""
        of_topic = (months.c.kind == self.query.kind, months.c.category_id.in_(self._named_keys))
        own = sa.select(sa.func.max(months.c.time)).where(*of_topic, months.c.month == month)
        plain = len(self._named_keys) == 1 and not (self.query.lang or self.query.cancelled)
        # A month that is not over stands beside none: it would change all the time.
        over = months.c.month < month_of(self._now, self._zone)
        upto = months.c.month <= newer if newer else sa.or_(over, months.c.month == month)
        beside = sa.select(sa.func.max(months.c.turned if plain else months.c.time)).where(
            *of_topic, months.c.month >= (older or ""), upto
        )
        linked = bounds(newer, self._zone)[1] if newer else None
        changed = self._connection.scalar(own) or self.stamp()[0].time
        stamps = (changed, self._connection.scalar(beside), linked)
        return replace(self._topics, time=max(stamp for stamp in stamps if stamp))

    def archive_due(self, newer: str | None) -> datetime | None:
        """When at the earliest an archive document, or what stands beside it, changes by itself."""
        assert self.query.archive
        begin, end = bounds(self.query.archive, self._zone)
        moment = self._due(entries.c.published >= begin, entries.c.published < end)
        turn = None if newer else bounds(month_of(self._now, self._zone), self._zone)[1]
        return min((due for due in (moment, turn) if due), default=None)

    def _due(self, *where: sa.ColumnElement[bool]) -> datetime | None:
        """The first moment of the entries that meet conditions, also one that has come unsettled.

        Few have one, so they are read by it, in order; the expression keeps indexes on the kind out of it.
        """
        mine = (entries.c.due.is_not(None), entries.c.kind.concat("") == self.query.kind)
        found = sa.select(entries.c.due).where(*mine, *where).order_by(entries.c.due).limit(1)
        due: datetime | None = self._connection.scalar(found)
        return due

    @property
    def _named_keys(self) -> list[int]:
        return [*(self._wanted or [0]), *self._unwanted]

    def _month(self, conditions: Conditions, *, last: bool = True) -> str | None:
        """The month of the last or first entry that meets conditions."""
        found = self._edge("published", conditions, last=last)
        return month_of(found, self._zone) if found else None


def _later(moment: datetime | None, by: timedelta) -> datetime | None:
    return moment and moment + by
