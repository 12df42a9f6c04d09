"""The change log: one sequence of all changes, and the last change of every feed key.

A feed key is a kind, or a kind and a category. Last-Modified, caches, `/api/v1/changes`
and WebSub all read this log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from feedsvc.models import (
    NEVER_MODIFIED,
    Change,
    Clock,
    Entry,
    FeedKey,
    FeedVersion,
)
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import (
    change_sequence,
    changes,
    entries,
    entry_categories,
    feed_versions,
)

_log = logging.getLogger(__name__)

CATEGORY_LIST: FeedKey = ("categories", 0)
"""Affected by every change of a category."""

IMPORT = "import"
"""The token name of imports."""

SCHEDULER = "scheduler"
"""The token name of scheduled changes."""

TIMEZONES = "timezones"
"""The token name of changes that follow from new rules of time zones."""

MAINTENANCE = frozenset({SCHEDULER, TIMEZONES})
"""The token names of changes that are no edits."""

_GROUP_SIZE = 100
_GROUP_BYTES = 512 * 1024

LAST_CHANGE = sa.select(*change_sequence.c["seq", "time", "clock"])
# So that writers queue, and changes are committed in their order.
_LOCKED_LAST_CHANGE = LAST_CHANGE.with_for_update()
_HAS_FEED_KEY = sa.tuple_(feed_versions.c.kind, feed_versions.c.category_id).in_(
    sa.bindparam("feed_keys", expanding=True)
)
_FEED_VERSION = sa.select(
    sa.func.max(feed_versions.c.time), sa.func.max(feed_versions.c.seq)
).where(_HAS_FEED_KEY)
# Statements are built once: to build one takes longer than to run it.
_INSERT = changes.insert()
_UPDATE_FEED_VERSIONS = feed_versions.update().where(_HAS_FEED_KEY)
_UPDATE_SEQUENCE = change_sequence.update()


class ChangeLog:
    """The changes of one write transaction.

    It locks the sequence's row until the end of the transaction, so that writers take
    turns and every reader sees a change only after all earlier ones.
    """

    def __init__(self, connection: sa.Connection, clock: Clock, token: str) -> None:
        self._connection = connection
        self.clock = clock
        self._token = token
        row = connection.execute(_LOCKED_LAST_CHANGE).one()
        self._seq: int = row.seq
        self._time: datetime = row.time
        self._writer_clock: datetime = row.clock
        self._changes: list[dict[str, object]] = []
        self._affected: set[FeedKey] = set()
        self._invalidated: set[FeedKey] = set()

    def next_timestamp(self) -> datetime:
        """Return the time for a change: now, or just after the last if that is ahead.

        A change must not fall into a second that a response has already stated as its
        Last-Modified: clients that ask by date would miss it.
        """
        now = self.clock()
        if now > self._time:
            self._time = now
            self._writer_clock = now
        elif now >= self._writer_clock:
            # The clock is behind the log: it was set back, or another instance's clock
            # is ahead of this one. Stay in the log's last second, else the log would
            # run further and further ahead of all clocks. No response states that
            # second while a writer is behind it (`Check.ahead`).
            self._time += datetime.resolution
        else:
            # The first write behind the log, or the clock was set back again: responses
            # may have stated the log's last second, so begin the next one.
            self._time = self._time.replace(microsecond=0) + timedelta(seconds=1)
            self._writer_clock = now
        return self._time

    def record(
        self, action: str, kind: str, id: str, version: int, affected: Iterable[FeedKey]
    ) -> int:
        """Append a change, and return its sequence number.

        :param affected: the feed keys whose feeds change.
        """
        self._seq += 1
        self._changes.append(
            {
                "seq": self._seq,
                "action": action,
                "kind": kind,
                "id": id,
                "version": version,
                "token": self._token,
            }
        )
        self._affected.update(affected)
        return self._seq

    def origin(self) -> dict[str, bool]:
        """Return the column that says whether an import wrote an entry.

        Maintenance does not change it.
        """
        return {} if self._token in MAINTENANCE else {"imported": self._token == IMPORT}

    def invalidate_caches(self, feed_keys: Iterable[FeedKey]) -> None:
        """Invalidate cached responses without changing Last-Modified.

        An entry with a newly scheduled change leaves responses as they are, but they
        must expire when it is due.
        """
        self._invalidated.update(feed_keys)

    def flush(self) -> None:
        """Write the changes to the database.

        To be called last before COMMIT: a response that is sent between the time of a
        change and its COMMIT may state a Last-Modified that hides the change.
        """
        if not self._changes:
            return
        last_change = {"seq": self._seq, "time": self.next_timestamp()}
        self._connection.execute(
            _INSERT,
            [{**change, "time": self._time} for change in self._changes],
        )
        self._update_feed_versions(self._affected, last_change)
        self._update_feed_versions(self._invalidated, {"seq": self._seq})
        self._connection.execute(
            _UPDATE_SEQUENCE, {**last_change, "clock": self._writer_clock}
        )

    def log(self) -> None:
        """Write a line to the log for each change."""
        for change in self._changes:
            _log.info(
                "%(action)s %(kind)s/%(id)s version %(version)d by %(token)s", change
            )

    def _update_feed_versions(
        self, feed_keys: set[FeedKey], values: dict[str, object]
    ) -> None:
        if feed_keys:
            parameters = {"feed_keys": sorted(feed_keys), **values}
            self._connection.execute(_UPDATE_FEED_VERSIONS, parameters)


def feed_version(
    connection: sa.Connection, feed_keys: Iterable[FeedKey]
) -> FeedVersion:
    """Return the last change of some feed keys."""
    sorted_keys = sorted(set(feed_keys))
    parameters = {"feed_keys": sorted_keys}
    time, seq = connection.execute(_FEED_VERSION, parameters).one()
    return FeedVersion(max(time, NEVER_MODIFIED), seq, frozenset(sorted_keys))


class ChangePage:
    """The public changes after a sequence number, oldest first.

    Entries are loaded during the iteration, in groups, so that a page of any size needs
    little memory.

    :ivar next_after: the sequence number to continue after.
    :ivar size: upper estimate of the bytes of all entries.
    """

    def __init__(
        self,
        connection: sa.Connection,
        last_seq: int,
        *,
        after: int,
        limit: int,
        kind: str | None,
        category_id: int | None,
    ) -> None:
        self._connection = connection
        columns = entries.c["pk", "id", "guid", "kind", "seq", "is_visible", "size"]
        statement = (
            sa.select(*columns)
            .where(entries.c.was_visible, entries.c.seq > after)
            .order_by(entries.c.seq)
            .limit(limit)
        )
        if kind:
            statement = statement.where(entries.c.kind == kind)
        self._rows = connection.execute(statement).all()
        self._present = {row.pk for row in self._rows if row.is_visible}
        if category_id:
            self._present &= self._members(category_id)
        is_full = len(self._rows) == limit
        self.next_after: int = self._rows[-1].seq if is_full else last_seq
        self.size = sum(self._size(row) for row in self._rows)

    def __iter__(self) -> Iterator[Change]:
        """Yield the changes; only one group of entries is in memory at a time."""
        for group in self._groups():
            keys = [row.pk for row in group if row.pk in self._present]
            loaded = load_entries(self._connection, keys)
            for row in group:
                stored = loaded.get(row.pk)
                if stored:
                    yield Change(row.seq, True, stored.entry.public_view())
                else:
                    absent = Entry(row.id, row.kind, "", "", guid=row.guid)
                    yield Change(row.seq, False, absent)

    def _members(self, category_id: int) -> set[int]:
        members = sa.select(entry_categories.c.entry_pk).where(
            entry_categories.c.category_id == category_id,
            entry_categories.c.entry_pk.in_(self._present),
        )
        return set(self._connection.scalars(members))

    def _size(self, row: sa.Row[Any]) -> int:
        size: int = row.size if row.pk in self._present else 0
        return size

    def _groups(self) -> Iterator[Sequence[sa.Row[Any]]]:
        group: list[sa.Row[Any]] = []
        group_bytes = 0
        for row in self._rows:
            size = self._size(row)
            is_full = len(group) == _GROUP_SIZE or group_bytes + size > _GROUP_BYTES
            if group and is_full:
                yield group
                group, group_bytes = [], 0
            group.append(row)
            group_bytes += size
        if group:
            yield group
