"""The database: entries, categories, feeds, change log, tokens and hubs.

This package has all SQL of the service, for SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from config import DEFAULT_CONNECTIONS
from feedsvc.models import Clock, FeedKey, Revision
from feedsvc.storage import dump
from feedsvc.storage.change_log import (
    IMPORT,
    SCHEDULER,
    TIMEZONES,
    ChangeLog,
    ChangePage,
)
from feedsvc.storage.database import Database
from feedsvc.storage.entry_cache import EntryCache
from feedsvc.storage.entry_writer import Precondition, VisibleChanges
from feedsvc.storage.hubs import Hubs
from feedsvc.storage.migrations.runner import check_schema, is_current, upgrade
from feedsvc.storage.scheduler import run_periodically
from feedsvc.storage.timezone_refresh import is_refresh_due
from feedsvc.storage.tokens import Tokens
from feedsvc.storage.transactions import Reader, Writer

MAX_FEED = 4 * 1024 * 1024
"""Bytes of a feed, by default."""

__all__ = [
    "IMPORT",
    "ChangePage",
    "Precondition",
    "Reader",
    "Storage",
    "Writer",
    "run_periodically",
]


class Storage:
    """A database; each process needs its own instance.

    :param zone: of the site, which archives by month follow.
    :param connections: to PostgreSQL at most.
    :param max_feed: bytes of a feed at most, by which large archives are divided.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        zone: ZoneInfo,
        connections: int = DEFAULT_CONNECTIONS,
        max_feed: int = MAX_FEED,
    ) -> None:
        self.database = Database(url, connections)
        """For transactions of no `Reader` or `Writer`, as of maintenance and tests."""
        self.outage_log = self.database.outage_log
        self._clock = clock
        self._zone = zone
        self._max_feed = max_feed
        self.entry_cache = EntryCache()
        self._is_schema_current = False
        self._may_downgrade_timezones = False
        self.on_commit: Callable[[], None] = lambda: None
        """Called after each commit, in the thread of the writer."""
        self.tokens = Tokens(self.database, clock)
        self.hubs = Hubs(self.database, clock)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Open a snapshot to read.

        :raises Unavailable: the database does not respond.
        """
        with self.database.read() as connection:
            yield Reader(connection, self._zone, self.entry_cache)

    @contextmanager
    def writer(self, token: str) -> Iterator[Writer]:
        """Open a transaction, and commit it at the end of the block.

        :param token: its name in the change log.
        :raises Unavailable: the database is locked, full, read-only or away.
        """
        with self.database.write() as connection:
            change_log = ChangeLog(connection, self._clock, token)
            visible_changes = VisibleChanges(connection, self._zone, self._max_feed)
            writer = Writer(connection, change_log, self._zone, visible_changes)
            yield writer
            writer.entries.flush()
            # Last, so that the time of the changes is as late as it can be.
            change_log.flush()
        change_log.log()
        self.on_commit()

    def changes_since(
        self, after: Revision
    ) -> tuple[Revision, Mapping[FeedKey, int] | None]:
        """Return the last change and the feeds changed since one, as `changed_feeds`.

        :raises Unavailable: as `reader`.
        """
        with self.reader() as reader:
            last, changed = reader.changed_feeds(after)
        if changed is None:
            self.entry_cache.clear()
        return last, changed

    def apply_scheduled_changes(self) -> int:
        """Apply the changes that are due, a batch at most; return how many.

        :raises Unavailable: as `reader` and `writer`.
        """
        # The database may not have responded at the start.
        if not self._is_schema_current:
            self.upgrade(or_newer=True)
        with self.reader() as reader:
            next_change_at = reader.entries.next_change_at()
        if next_change_at is None or next_change_at > self._clock():
            self._refresh_timezones()
            return 0
        with self.writer(SCHEDULER) as writer:
            return writer.entries.apply_scheduled_changes()

    def _refresh_timezones(self) -> None:
        """Compute instants of events anew if another release of tzdata was in use."""
        with self.database.read() as connection:
            is_due = is_refresh_due(connection, downgrade=self._may_downgrade_timezones)
        # Once: a newer version may be started beside this process later.
        self._may_downgrade_timezones = False
        if is_due:
            with self.writer(TIMEZONES) as writer:
                writer.refresh_timezones()

    def upgrade(self, *, or_newer: bool = False) -> bool:
        """Upgrade the schema; return whether that changed anything.

        :param or_newer: whether a schema of a newer version is accepted.
        :raises SchemaTooNew: the schema is of a newer version, unless `or_newer`.
        :raises Unavailable: as `writer`.
        """
        is_changed = upgrade(self.database, or_newer=or_newer)
        self._is_schema_current = True
        # A worker that replaces another one may run beside a newer version, whose
        # tzdata must stay in use.
        self._may_downgrade_timezones = not or_newer
        return is_changed

    def check_schema(self) -> None:
        """Check that the database has this version's schema, without migrating it.

        :raises SchemaTooNew: it is newer than this version.
        :raises Unavailable: it does not answer, is empty, or has an older schema.
        """
        check_schema(self.database)
        self._is_schema_current = True
        self._may_downgrade_timezones = True

    def dump(self) -> Iterator[str]:
        """Yield the lines of a dump, all of one moment.

        :raises Unavailable: as `reader`.
        """
        with self.database.read() as connection:
            yield from dump.dump(connection)

    def load_dump(self, lines: Iterable[bytes]) -> int:
        """Fill an empty database from a dump, or change nothing; return the rows.

        :raises Conflict: the database is not empty.
        :raises BadRequest: the lines are not a whole dump, or of another schema.
        :raises Unavailable: as `writer`.
        """
        with self.database.write() as connection:
            count = dump.load_dump(connection, lines)
        self.on_commit()
        return count

    def is_ready(self) -> bool:
        """Return whether the database responds, and has the newest schema.

        :raises Unavailable: as `reader`; or the file of SQLite was replaced.
        """
        self.database.check_file()
        with self.database.read() as connection:
            return is_current(connection)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()
