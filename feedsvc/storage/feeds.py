"""The contents of one feed: entries, tombstones, links to archives, version."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.feed_query import FORMATS, FeedQuery
from feedsvc.models import Category, Entry, FeedVersion, Tombstone
from feedsvc.storage.archives import Position, part_at
from feedsvc.storage.change_log import feed_version
from feedsvc.storage.entry_cache import EntryCache
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.feed_entries import FeedEntries, ListedEntries, stamp
from feedsvc.storage.feed_lookup import RECENT_PERIOD, resolve_filter
from feedsvc.storage.feed_tombstones import FeedTombstones
from feedsvc.storage.size_estimates import fit
from feedsvc.storage.tables import (
    UTCDateTime,
    entries,
    entry_categories,
    tombstones,
)


class FeedSelection:
    """The contents of one feed in one snapshot, at one time.

    :raises NotFound: a category or the archive part does not exist.
    :raises Gone: nothing is left of the feed without its retired categories.
    :raises FeedMoved: a category was renamed or retired.
    """

    def __init__(
        self,
        connection: sa.Connection,
        zone: ZoneInfo,
        query: FeedQuery,
        now: datetime,
        entry_cache: EntryCache,
    ) -> None:
        self._connection = connection
        self._query = query
        self._entry_cache = entry_cache
        self._filter = resolve_filter(connection, zone, query, now)
        self._entries = FeedEntries(connection, self._filter)
        self._tombstones = FeedTombstones(connection, self._filter)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories that the feed names, excluded ones too."""
        return self._filter.categories

    @property
    def categories_changed_at(self) -> datetime:
        """The last change of the texts of these categories."""
        return self._filter.categories_changed_at

    @property
    def is_language_in_use(self) -> bool:
        """True if an entry has, or once had, the language that the feed is in."""
        return self._filter.language_tags != ()

    def entries(
        self,
        max_bytes: int | None = None,
        admit: Callable[[int], object] = lambda size: None,
    ) -> ListedEntries:
        """Return the entries of the feed, in its order.

        Entries whose bodies do not fit into the document have none. Entries that do not
        fit at all are left out, but never from an archive.

        :param max_bytes: estimated bytes of the document; None for no limit.
        :param admit: called with the estimated bytes before they are loaded, so that it
            can wait for memory, or refuse the request by an exception.
        """
        if not self._filter.source_ids:
            return ListedEntries([], is_complete=True)
        is_archive = self._filter.part is not None
        rows = self._entries.rows()
        # Archives must be complete (RFC 5005 §4), so their limit is that of a part.
        fitting = fit(
            rows if is_archive else rows[: self._query.effective_limit],
            max_bytes,
            bodies=self._query.effective_content != "summary",
            cut=not is_archive,
        )
        admit(fitting.size)
        loaded = self._load_whole(row for row in rows if row.pk in fitting.whole)
        abridged = self._load(
            fitting.whole.symmetric_difference(fitting.keys), bodies=False
        )
        for key, entry in abridged.items():
            loaded[key] = replace(entry, abridged=True)
        # A damaged entry was not loaded; the feed goes without it.
        listed = [loaded[key] for key in fitting.keys if key in loaded]
        is_full = len(listed) >= self._query.effective_limit
        newest_unlisted = None
        if self._entries.has_archive_order:
            # Without a query, which `older_archive` makes for other feeds.
            unlisted = (row for row in rows if row.pk not in loaded)
            if row := next(unlisted, None):
                newest_unlisted = Position(row.published, row.guid)
        return ListedEntries(
            listed,
            is_complete=not (is_full or fitting.is_cut),
            newest_unlisted=newest_unlisted,
        )

    def _load_whole(self, rows: Iterable[Any]) -> dict[int, Entry]:
        """Load entries with their bodies, except for those in the cache."""
        loaded = {}
        missing = {}
        for row in rows:
            key = row.pk
            row_stamp = stamp(row)
            entry = self._entry_cache.get(key, row_stamp)
            if entry:
                loaded[key] = entry
            else:
                missing[key] = row_stamp, row.size
        for key, entry in self._load(missing).items():
            row_stamp, size = missing[key]
            self._entry_cache.put(key, row_stamp, size, entry)
            loaded[key] = entry
        return loaded

    def _load(self, keys: Collection[int], *, bodies: bool = True) -> dict[int, Entry]:
        loaded = load_entries(self._connection, sorted(keys), bodies=bodies)
        return {key: stored.entry for key, stored in loaded.items()}

    def tombstones(self, listed: ListedEntries) -> list[Tombstone]:
        """Return the tombstones that a document with some entries lists."""
        return self._tombstones.fetch(listed)

    def last_departure(self, listed: ListedEntries) -> datetime | None:
        """Return when the last entry left the feed, whatever the format lists."""
        last = self._tombstones.last(listed)
        return last.deleted_at if last else None

    def older_archive(self, listed: ListedEntries) -> str | None:
        """Return the name of the archive with the newest entry that comes after these.

        After a current feed that is the newest entry that the feed does not list,
        whatever its limit and period. A search has no archives.
        """
        if not self._filter.source_ids or self._query.q:
            return None
        if self._filter.part:
            position = self._entries.nearest("older", self._filter.part.begin)
        else:
            position = listed.newest_unlisted
            if position is None:
                guids = [entry.guid for entry in listed.entries]
                position = self._entries.newest_unlisted(guids)
        return self._archive_at(position)

    def newer_archive(self) -> str | None:
        """Return the name of the archive with the oldest entry after this archive."""
        if not self._filter.part or not self._filter.source_ids:
            return None
        return self._archive_at(self._entries.nearest("newer", self._filter.part.end))

    def _archive_at(self, position: Position | None) -> str | None:
        if position is None:
            return None
        kind = self._query.kind
        return part_at(self._connection, self._filter.zone, kind, position).name

    def version(self) -> tuple[FeedVersion, datetime | None]:
        """Return the version of the feed, and when it will change by itself.

        A feed changes by itself when an event ends, or when a calendar has listed a
        deletion for long enough. Neither is in the change log, so the time of the
        version is the latest of these and of the changes of its feed keys.
        """
        query = self._query
        keys = [(query.kind, category_id) for category_id in self._filter.key_ids]
        version = feed_version(self._connection, keys)
        if not self._filter.source_ids:
            return version, None
        past: list[datetime | None] = []
        ahead = [self._next_scheduled_change()]
        if query.kind == "events" and query.effective_period != "all":
            is_recent = query.effective_period == "recent"
            period = RECENT_PERIOD if is_recent else timedelta()
            last, following = self._entries.ends_around(self._filter.now - period)
            past.append(_plus(last, period))
            ahead.append(_plus(following, period))
        if FORMATS[query.format].is_calendar:
            last, following = self._deletions_around(self._filter.now - RECENT_PERIOD)
            past.append(_plus(last, RECENT_PERIOD))
            ahead.append(_plus(following, RECENT_PERIOD))
        time = max([version.time, *filter(None, past)])
        return replace(version, time=time), min(filter(None, ahead), default=None)

    def _next_scheduled_change(self) -> datetime | None:
        """Return when the scheduler will next change an entry of the feed."""
        statement = _next_change_select(has_categories=bool(self._filter.included_ids))
        parameters = {"kind": self._query.kind, "ids": self._filter.included_ids}
        return self._connection.execute(statement, parameters).scalar_one_or_none()

    def _deletions_around(
        self, time: datetime
    ) -> tuple[datetime | None, datetime | None]:
        """Return the last deletion of the feed until a time, and the first after it."""
        parameters = {
            "kind": self._query.kind,
            # The whole kind has its tombstones as category 0.
            "ids": self._filter.included_ids or (0,),
            "time": time,
        }
        row = self._connection.execute(_DELETIONS_AROUND, parameters).one()
        return row.last, row.next


@lru_cache
def _next_change_select(*, has_categories: bool) -> sa.Select[datetime]:
    # Few entries have a scheduled change, so they are read in the order of its time:
    # the expression keeps the databases from using an index on the kind instead.
    conditions = [
        entries.c.next_change_at.is_not(None),
        entries.c.kind.concat("") == sa.bindparam("kind"),
    ]
    if has_categories:
        is_member = (
            entry_categories.c.entry_pk == entries.c.pk,
            entry_categories.c.category_id.in_(sa.bindparam("ids", expanding=True)),
        )
        conditions.append(sa.exists().where(*is_member))
    return (
        sa.select(entries.c.next_change_at)
        .where(*conditions)
        .order_by(entries.c.next_change_at)
        .limit(sa.literal_column("1", sa.Integer))  # no parameter: see LIMIT
    )


_TIME = sa.bindparam("time", type_=UTCDateTime)
_DELETIONS = (
    tombstones.c.kind == sa.bindparam("kind"),
    tombstones.c.category_id.in_(sa.bindparam("ids", expanding=True)),
)
_DELETIONS_AROUND = sa.select(
    sa.select(sa.func.max(tombstones.c.deleted))
    .where(*_DELETIONS, tombstones.c.deleted <= _TIME)
    .scalar_subquery()
    .label("last"),
    sa.select(sa.func.min(tombstones.c.deleted))
    .where(*_DELETIONS, tombstones.c.deleted > _TIME)
    .scalar_subquery()
    .label("next"),
)


def _plus(time: datetime | None, period: timedelta) -> datetime | None:
    return time + period if time else None
