"""The only SQL: entries, categories, tokens and the ledger, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from feedsvc.models import Clock, FeedKey, Revision
from feedsvc.storage import dump
from feedsvc.storage.change_log import IMPORT, SANITIZE, SCHEDULER, TIMEZONES, ChangeLog
from feedsvc.storage.change_page import ChangePage
from feedsvc.storage.database import CONNECTIONS, Database
from feedsvc.storage.deliveries import Deliveries, Hubs
from feedsvc.storage.entries import Precondition, VisibleChanges
from feedsvc.storage.markup import Markup
from feedsvc.storage.migrations.runner import is_current, upgrade
from feedsvc.storage.scheduler import run_periodically
from feedsvc.storage.sessions import Reader, Writer
from feedsvc.storage.subscriptions import Subscriptions
from feedsvc.storage.tokens import Tokens

MAX_FEED = 4 * 1024 * 1024
"""Bytes of a feed document, where no other limit is given."""

__all__ = [
    "IMPORT",
    "SANITIZE",
    "ChangePage",
    "Precondition",
    "Reader",
    "Storage",
    "Writer",
    "run_periodically",
]


class Storage:
    """A database of entries. Give each process its own.

    :param zone: the site's: months are by its clocks.
    :param max_feed: bytes of a feed document, by which the archives of large months are divided.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        zone: ZoneInfo,
        connections: int = CONNECTIONS,
        max_feed: int = MAX_FEED,
    ) -> None:
        self._database = Database(url, connections)
        self._clock, self._zone, self._max_feed = clock, zone, max_feed
        self._upgraded = False
        self._may_downgrade_timezones = False
        self.on_commit: Callable[[], None] = lambda: None
        """What is called, by whoever wrote, when a write is stored."""
        self.tokens = Tokens(self._database, clock)
        self.subscriptions = Subscriptions(self._database, clock)
        self.deliveries = Deliveries(self._database, clock)
        self.hubs = Hubs(self._database, clock)
        self.markup = Markup(self._database)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Read one snapshot.

        :raises Unavailable: where the database does not answer.
        """
        with self._database.read() as connection:
            yield Reader(connection, self._zone)

    @contextmanager
    def writer(self, token: str) -> Iterator[Writer]:
        """Write in one transaction, in the name of a token; it is stored when the block has ended.

        :raises Unavailable: where the database is locked, full, read-only or away.
        """
        with self._database.write() as connection:
            change_log = ChangeLog(connection, self._clock, token)
            visible_changes = VisibleChanges(connection, self._zone, self._max_feed)
            yield Writer(connection, change_log, self._zone, visible_changes)
            visible_changes.flush()
            # Last, so that the time of the changes is as late as it can be.
            change_log.flush()
        self.on_commit()

    def changes_since(
        self, after: Revision
    ) -> tuple[Revision, Mapping[FeedKey, int] | None]:
        """As `Reader.moved`.

        :raises Unavailable: as `read`.
        """
        with self.reader() as reader:
            return reader.changed_feeds(after)

    def apply_scheduled_changes(self) -> int:
        """Let appear and leave what is due by now; returns how many entries did.

        :raises Unavailable: as `read` and `write`.
        """
        if not self._upgraded:  # the database was away at the start
            self.upgrade(or_newer=True)
        with self.reader() as reader:
            next_change_at = reader.entries.next_change_at()
        if next_change_at is None or next_change_at > self._clock():
            self._refresh_timezones()
            return 0
        with self.writer(SCHEDULER) as writer:
            return writer.entries.apply_scheduled_changes()

    def _refresh_timezones(self) -> None:
        """Recompute a batch of events where another release of tzdata was in use before."""
        with self.reader() as reader:
            due = reader.is_timezone_refresh_due(
                downgrade=self._may_downgrade_timezones
            )
        self._may_downgrade_timezones = False
        if due:
            with self.writer(TIMEZONES) as writer:
                writer.refresh_timezones()

    def upgrade(self, *, or_newer: bool = False) -> bool:
        """Bring the database to the newest schema; returns whether there was anything to do.

        :raises Outdated: it is newer than this version, unless `or_newer`.
        """
        done = upgrade(self._database, or_newer=or_newer)
        self._upgraded = True
        # A worker that replaces another may run beside a newer version, whose tzdata is to stay in use.
        self._may_downgrade_timezones = not or_newer
        return done

    def latest_published(self) -> Mapping[str, datetime]:
        """As `Reader.newest`.

        :raises Unavailable: as `read`.
        """
        with self.reader() as reader:
            return reader.latest_published()

    def dump(self) -> Iterator[str]:
        """The lines of an export, of one moment.

        :raises Unavailable: as `read`.
        """
        with self._database.read() as connection:
            yield from dump.dump(connection)

    def load_dump(self, lines: Iterable[bytes]) -> int:
        """Fill an empty database from an export, all or nothing; returns how many rows there were.

        :raises Conflict: the database is not empty.
        :raises Malformed: the lines are not a whole export, or one of another schema.
        :raises Unavailable: as `write`.
        """
        with self._database.write() as connection:
            count = dump.load_dump(connection, lines)
        self.on_commit()
        return count

    def is_ready(self) -> bool:
        """Whether the database answers, is the one of the start, and has the newest schema.

        :raises Unavailable: as `read` and `write`.
        """
        self._database.check_file()
        with self._database.read() as connection:
            return is_current(connection)
