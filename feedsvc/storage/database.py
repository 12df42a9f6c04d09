"""The engine, and transactions that read one snapshot or write under one lock."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import (
    AbstractContextManager,
    closing,
    contextmanager,
    suppress,
)
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.models import EPOCH, Clock
from feedsvc.storage.tables import InstallationRow, RevisionRow

try:
    from pysqlite3 import dbapi2 as sqlite
except ImportError:  # It has no wheel for this kind of machine.
    import sqlite3 as sqlite

_log = logging.getLogger(__name__)

#: Seconds that a writer waits for others.
BUSY_SECONDS = 5

SQLITE_VERSION: str = sqlite.sqlite_version

#: SQLite before 3.51.3 can lose a commit in the mode WAL (https://sqlite.org/wal.html).
JOURNAL_MODE = "WAL" if sqlite.sqlite_version_info >= (3, 51, 3) else "DELETE"

#: Connections that a process keeps, one for each thread of `asgi.py`, and those that it
#: opens besides for the threads of `background.py` and `hubs.py`.
_POOL_SIZE = 25
_MAX_OVERFLOW = 5

#: The most by which the clocks of two machines may differ.
MAX_CLOCK_SKEW = timedelta(seconds=2)

#: A revision that is further ahead of the clock is of a clock that was once wrong.
#:
#: It is more than the skew, since revisions may be ahead of their own clock too.
_MAX_LEAD = timedelta(seconds=5)

_PRAGMAS = (
    f"busy_timeout = {BUSY_SECONDS * 1000}",
    # A write that got a 2xx survives a power cut.
    "synchronous = FULL",
    "foreign_keys = ON",
    "trusted_schema = OFF",
    # Deleted content is overwritten in the file.
    "secure_delete = ON",
)

_POSTGRESQL_PARAMETERS = {
    "connect_timeout": "3",
    # Notice a server that vanishes silently.
    "tcp_user_timeout": "5000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "options": "-c statement_timeout=4000 -c idle_in_transaction_session_timeout=4000",
}


class Revisions(NamedTuple):
    """The last revision of all, and that of each kind."""

    last: datetime = EPOCH
    news: datetime = EPOCH
    events: datetime = EPOCH

    def of(self, kinds: Iterable[str]) -> datetime:
        """Return the last revision of some kinds."""
        revisions: list[datetime] = [getattr(self, kind) for kind in kinds]
        return max(revisions)


class Transaction:
    """A write transaction that holds the lock of the revisions.

    `now` is the time of its changes: the clock after the lock was taken, but not before
    the last revision, so that the clocks of several writers may differ by seconds.
    If there are `category_ids`, only entries in and below these categories may be
    written. `log_lines` are logged after the commit. `erases` tells that content was
    deleted, which must not stay in SQLite's write-ahead log.
    """

    def __init__(
        self,
        session: Session,
        revisions: RevisionRow,
        clock: Clock,
        category_ids: Iterable[int],
    ) -> None:
        self.session = session
        self.revisions = revisions
        self.category_ids = frozenset(category_ids)
        self.now = clock()
        # A clock that was once wrong by more must not publish what is scheduled.
        if revisions.last <= self.now + _MAX_LEAD:
            self.now = max(self.now, revisions.last)
        self.log_lines: list[str] = []
        self.erases = False

    def next_revision(self, *kinds: str) -> datetime:
        """Return the revision of a change, and raise that of the affected kinds."""
        revision = max(self.now, self.revisions.last + timedelta(microseconds=1))
        self.revisions.last = revision
        for kind in kinds:
            setattr(self.revisions, kind, revision)
        return revision

    def updated_at(self, revision: datetime) -> datetime:
        """Return the date of a change for readers: its revision, unless far ahead."""
        return revision if revision <= self.now + _MAX_LEAD else self.now


class Database:
    """A connection pool; each process needs its own instance.

    :param is_read_only: an SQLite file stays as it is, with its journal mode.
    """

    def __init__(self, url: str, clock: Clock, *, is_read_only: bool = False) -> None:
        self.url = sa.make_url(url)
        self.clock = clock
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._is_read_only = is_read_only
        if self.is_sqlite:
            self.engine = _create_sqlite_engine(self.url, is_read_only)
            self._read_engine = self.engine
        else:
            self.engine = _create_postgresql_engine(self.url)
            self._read_engine = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._write_engine = self.engine.execution_options(is_write=True)
        #: The newest revisions that this process has committed or polled.
        self.revisions = Revisions()
        self._revisions_lock = threading.Lock()
        self._logged_failures: set[str] = set()

    def read(self) -> Session:
        """Return a session for a `with` statement, which reads one snapshot.

        Its statements raise OperationalError if the database does not respond.
        """
        return Session(self._read_engine)

    @contextmanager
    def write(
        self,
        actor: str | None = None,
        category_ids: Iterable[int] = (),
        *,
        is_dry_run: bool = False,
    ) -> Iterator[Transaction]:
        """Write in one transaction, and commit it at the end of the block.

        All writers lock the row of the revisions, so each one sees all that was written
        before. An error rolls the transaction back.

        :param actor: the name of the token or command that writes. None is the service
            itself, which publishes and expires what is due.
        :param category_ids: the categories to which the actor is limited, if to any.
        :param is_dry_run: nothing is stored at the end of the block.
        :raises OperationalError: the database is locked, full, read-only or away.
        """
        with Session(self._write_engine, expire_on_commit=False) as session:
            # SQLite has locked already, by BEGIN IMMEDIATE.
            statement = sa.select(RevisionRow).with_for_update()
            row = session.scalars(statement).one()
            # Detached, so that its changes are one statement, before the commit.
            session.expunge(row)
            transaction = Transaction(session, row, self.clock, category_ids)
            last = row.last
            yield transaction
            if is_dry_run:
                return
            # What the service itself publishes or expires is no write for /readyz.
            if actor and row.last > last:
                row.written_at = row.last
            session.add(row)
            session.commit()
        self.forget_failures()
        if self.is_sqlite and transaction.erases:
            self._truncate_log(timeout=0.1)
        for line in transaction.log_lines:
            _log.info("%s by %s", line, actor or "feedsvc")
        self._note_revisions(row)

    def log_failure(self, error: Exception) -> None:
        """Log why the database cannot be used, each reason once until it is usable."""
        reason = str(getattr(error, "orig", error))
        if reason not in self._logged_failures:
            self._logged_failures.add(reason)
            _log.warning("Database: %s", reason)

    def forget_failures(self) -> None:
        """Note that the database is usable."""
        self._logged_failures.clear()

    def begin_migration(self) -> AbstractContextManager[sa.Connection]:
        """Begin a transaction that writes but needs no tables."""
        return self._write_engine.begin()

    def poll(self) -> None:
        """Read the revisions, which other processes may have raised.

        While the database does not respond, they stay as they are.
        """
        # The tick, which comes as often, logs the error.
        with suppress(sa.exc.SQLAlchemyError), self.read() as session:
            self._note_revisions(revision_row(session))

    def _note_revisions(self, row: RevisionRow) -> None:
        with self._revisions_lock:
            # Another thread may have noted newer ones meanwhile.
            if row.last > self.revisions.last:
                self.revisions = Revisions(row.last, row.news, row.events)

    def _truncate_log(self, timeout: float) -> None:
        """Empty SQLite's write-ahead log, which has former versions of pages.

        A reader of an older snapshot may be in the way; then a later deletion does it.

        :param timeout: seconds to wait for readers, while writers wait too.
        """
        # It must not create a file.
        uri = f"file:{quote(self.url.database or '')}?mode=rw"
        with suppress(sqlite.OperationalError):
            connection = sqlite.connect(uri, timeout=timeout, uri=True)
            with closing(connection):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connections that are not in use, before the process ends.

        SQLite's file has all data then, so that a copy of it is a backup.
        """
        self.engine.dispose()
        if self.is_sqlite and not self._is_read_only:
            self._truncate_log(timeout=1)


def revision_row(session: Session) -> RevisionRow:
    """Return the row of the revisions, which a session reads once."""
    return session.get_one(RevisionRow, 1)


def installation_row(session: Session) -> InstallationRow:
    """Return the row of the installation."""
    return session.get_one(InstallationRow, 1)


def _create_sqlite_engine(url: sa.URL, is_read_only: bool) -> sa.Engine:
    mode = "ro" if is_read_only else "rw"
    engine = sa.create_engine(
        # To connect must not create an empty file: an upgrade does it.
        url.set(database=f"file:{quote(url.database or '')}").update_query_dict(
            {"mode": mode, "uri": "true"}
        ),
        module=sqlite,
        pool_size=_POOL_SIZE,
        max_overflow=_MAX_OVERFLOW,
        pool_timeout=BUSY_SECONDS,
    )

    # How often a write has failed because the connection was read-only.
    generation = 0

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info["generation"] = generation
        # The driver must not begin transactions itself: BEGIN depends on their kind.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if not is_read_only:
            _set_journal_mode(connection)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        is_write = connection.get_execution_options().get("is_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    @sa.event.listens_for(engine, "handle_error")
    def handle_error(context: sa.ExceptionContext) -> None:
        # A connection that was opened while the file could not be written never writes.
        # Until it is closed, new connections share its memory of the file, and cannot
        # write either.
        nonlocal generation
        code = getattr(context.original_exception, "sqlite_errorcode", 0)
        if code & 0xFF == sqlite.SQLITE_READONLY:
            generation += 1
            # `engine.dispose` would replace the pool. A thread that has just taken a
            # connection from the former one would return it there, and it stayed open.
            engine.pool.dispose()

    @sa.event.listens_for(engine, "checkin")
    def checkin(connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        # Connections that were in use when the write failed.
        if record.info["generation"] != generation:
            record.invalidate()

    return engine


def _set_journal_mode(connection: Any) -> None:
    """Set the journal mode, of which WAL stays in the file; wait for other processes.

    SQLite's own timeout does not cover it, and several processes may create a database
    at the same time.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {JOURNAL_MODE}")
            return
        except sqlite.OperationalError as error:
            is_busy = error.sqlite_errorcode == sqlite.SQLITE_BUSY
            if not is_busy or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _create_postgresql_engine(url: sa.URL) -> sa.Engine:
    return sa.create_engine(
        # Parameters in the URL of the settings take precedence.
        url.set(query={**_POSTGRESQL_PARAMETERS, **url.query}),
        pool_pre_ping=True,
        pool_timeout=BUSY_SECONDS,
        pool_size=_POOL_SIZE,
        max_overflow=_MAX_OVERFLOW,
        # A writer that waited for the lock must see what was committed meanwhile, and
        # the server's default may be another level.
        isolation_level="READ COMMITTED",
    )
