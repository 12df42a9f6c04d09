"""Connect to SQLite or PostgreSQL, with read and write transactions.

Entries and categories are changed by one transaction at a time. Readers do not wait for
writers, unless SQLite is too old for its write-ahead log.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite

from config import DEFAULT_CONNECTIONS
from feedsvc.errors import Busy, FeedsvcError, Unavailable
from feedsvc.storage.outages import OutageLog, translate

_log = logging.getLogger(__name__)

BUSY_SECONDS = float(Unavailable.retry_after)
"""Seconds that a writer waits for other writers.

After that the write fails with 503, whose Retry-After is the same number.
"""

_UNCONTENDED_WAIT = 0.05
"""Seconds of waiting for this process's writers that leave the timeout as it is.

A change of the timeout costs a statement.
"""

PRAGMAS = (
    "busy_timeout = {busy}",
    "journal_mode = {journal}",
    # A write that got a 2xx survives a power cut.
    "synchronous = FULL",
    "foreign_keys = ON",
    f"journal_size_limit = {64 * 1024 * 1024}",
    "trusted_schema = OFF",
    # Deleted content is overwritten in the file, too.
    "secure_delete = ON",
)

PG_CONNECT_ARGS = {
    "connect_timeout": 3,
    # Notice a server that vanishes silently: the first option while data is being sent
    # to it, the keepalives while its response is awaited.
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}
"""Defaults for parameters of PostgreSQL's client; the URL may override them."""


def safe_for_wal(version: tuple[int, ...] = sqlite.sqlite_version_info) -> bool:
    """Return whether a version of SQLite has the fix for the WAL-reset bug.

    Without it, SQLite may lose commits in WAL mode (https://sqlite.org/wal.html).
    """
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51)
        or (3, 44, 6) <= version < (3, 45)
    )


class Database:
    """A connection pool with two kinds of transaction, `read` and `write`.

    :param connections: connections to PostgreSQL at most. SQLite has no limit.
    """

    def __init__(self, url: str, connections: int = DEFAULT_CONNECTIONS) -> None:
        target = sa.make_url(url)
        self.outage_log = OutageLog()
        self._read_errors = _ErrorHandler(target, self.outage_log, is_read=True)
        self._write_errors = _ErrorHandler(target, self.outage_log)
        self._file: _DatabaseFileGuard | None = None
        self.engine: sa.Engine
        if target.get_backend_name() == "sqlite":
            self.engine = self._create_sqlite_engine(target)
            self._begin = _begin_sqlite
            read_options: dict[str, Any] = {"readonly": True}
            # SQLite's busy handler is not fair; the writers of one process queue here.
            self._writer_queue = _WriterQueue(1)
        else:
            self.engine = _create_postgresql_engine(target, connections)
            self._begin = _begin_postgresql
            read_options = {
                "postgresql_readonly": True,
                "isolation_level": "REPEATABLE READ",
            }
            # PostgreSQL's row locks are fair, so writers queue in the database; those
            # that wait there must leave connections to readers.
            self._writer_queue = _WriterQueue(connections // 2)
        self._read_engine = self.engine.execution_options(**read_options)

    def _create_sqlite_engine(self, url: sa.URL) -> sa.Engine:
        engine = sa.create_engine(
            url,
            module=sqlite,
            pool_timeout=BUSY_SECONDS,
            pool_size=8,
            max_overflow=32,
        )
        if url.database:
            self._file = _DatabaseFileGuard(Path(url.database), engine)
        _configure_sqlite(engine)
        return engine

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Read one snapshot of the database.

        :raises Unavailable: the database does not respond.
        """
        with self._read_errors, self._read_engine.begin() as connection:
            # Not by a listener for `begin`: an engine that has a listener dispatches
            # more events for each statement too.
            self._begin(connection)
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Write in one transaction; an error rolls it back.

        :raises Unavailable: the database is locked, full, read-only or away.
        """
        self.check_file()
        with (
            self._write_errors,
            self._writer_queue as busy_timeout,
            self.engine.connect() as connection,
            connection.execution_options(busy_timeout=busy_timeout).begin(),
        ):
            self._begin(connection)
            yield connection
        self.check_file()

    def check_file(self) -> None:
        """Check that SQLite's file is still the one that was opened.

        A file that was removed can still be written to, until it is closed.

        :raises Unavailable: the file was removed or replaced.
        """
        if self._file:
            with self._write_errors:
                self._file.check()

    def create_file(self) -> None:
        """Create SQLite's file, unless it exists.

        :raises Unavailable: the file cannot be created.
        """
        if self._file:
            with self._write_errors:
                self._file.create()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()


def disable_timeouts(connection: sa.Connection) -> None:
    """Let a transaction take as long as it needs; in SQLite it may anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def create_private(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists.

    SQLite makes it a database, and gives its other files, such as the write-ahead log,
    the same mode.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def no_database(path: Path) -> Unavailable:
    """Return the error of an SQLite file that does not exist.

    An operator's command most often lacks the service's settings.
    """
    return Unavailable(
        "The database cannot be used at the moment.",
        f"There is no database {path.absolute()}: name the service's settings with "
        "`--settings FILE`, or create it with `.venv/bin/feedsvc db upgrade`.",
    )


class _DatabaseFileGuard:
    """Notice when SQLite's file is removed or replaced after the first connection."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self._path = path
        self._write_ahead_log = path.with_name(f"{path.name}-wal")
        self._opened: tuple[int, int] | None = None

        @sa.event.listens_for(engine, "do_connect")
        def before_connect(*_: object) -> None:
            self.check()
            # SQLite would create an empty database, which only an upgrade should do.
            if not path.exists():
                raise no_database(path)

        @sa.event.listens_for(engine, "connect")
        def after_connect(*_: object) -> None:
            self._opened = self._opened or self._identity()

    def create(self) -> None:
        """Create the file, unless it exists.

        :raises Unavailable: the file cannot be created.
        """
        self.check()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            create_private(self._path)
        except OSError as error:
            raise Unavailable(
                "The database cannot be used at the moment.",
                f"The database {self._path.absolute()} cannot be created: "
                f"{error.strerror}.",
            ) from error

    def check(self) -> None:
        """Check the file; raise `Unavailable` as `Database.check_file`."""
        # In this order: another thread or process may be creating the file and its log.
        opened = self._opened
        has_log = not opened and self._write_ahead_log.exists()
        identity = self._identity()
        is_replaced = opened is not None and identity != opened
        # SQLite would create an empty database beside the log of a lost one.
        is_lost = has_log and not identity
        if is_replaced or is_lost:
            raise Unavailable(
                "The database cannot be used at the moment.",
                f"The database's file {self._path.absolute()} "
                "has been removed or replaced.",
            )

    def _identity(self) -> tuple[int, int] | None:
        """Return the device and inode of the file; None if it does not exist."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


class _WriterQueue:
    """Admit a number of writers at once; entering returns the seconds left to wait."""

    def __init__(self, writers: int) -> None:
        self._semaphore = threading.BoundedSemaphore(writers)

    def __enter__(self) -> float:
        end = time.monotonic() + BUSY_SECONDS
        if not self._semaphore.acquire(timeout=BUSY_SECONDS):
            raise Unavailable("The database is busy with other writes.")
        return max(0.0, end - time.monotonic())

    def __exit__(self, *error: object) -> None:
        self._semaphore.release()


class _ErrorHandler:
    """Raise `Unavailable` for errors that a retry or an operator can mend; log them.

    A class, since a context manager made of a generator costs more, and each
    transaction enters one.
    """

    def __init__(self, url: sa.URL, log: OutageLog, *, is_read: bool = False) -> None:
        self._url = url
        self._log = log
        self._is_read = is_read

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        if error is None:
            if self._is_read and self._log.is_outage:
                self._log.end_outage()
            return
        unavailable = translate(error, self._url)
        if unavailable is None:
            return
        self._log.report(unavailable)
        if self._is_read and not isinstance(unavailable, Busy):
            self._log.begin_outage()
        if unavailable is not error:
            raise unavailable from error


def _configure_sqlite(engine: sa.Engine) -> None:
    journal = "WAL" if safe_for_wal() else "DELETE"
    if journal == "DELETE":
        _log.warning(
            "SQLite %s can lose commits in WAL mode; readers wait for writers now",
            sqlite.sqlite_version,
        )

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        # The driver must not begin transactions itself: BEGIN depends on their kind.
        connection.isolation_level = None
        for pragma in PRAGMAS:
            value = pragma.format(busy=int(BUSY_SECONDS * 1000), journal=journal)
            _execute_unlocked(connection, f"PRAGMA {value}")


def _execute_unlocked(connection: Any, statement: str) -> None:
    """Execute a statement; try again while another process holds its lock."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite.OperationalError as error:
            # SQLite's own timeout does not cover a change of the journal mode, which
            # processes that start on a new database make at the same time.
            is_busy = error.sqlite_errorcode == sqlite.SQLITE_BUSY
            if not is_busy or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    # A writer that waited for this process's others waits less for other processes.
    busy_timeout = int(options.get("busy_timeout", BUSY_SECONDS) * 1000)
    # By the driver: through SQLAlchemy, these two take longer than a short
    # transaction.
    execute = connection.connection.execute
    execute(f"PRAGMA busy_timeout = {busy_timeout}")
    execute("BEGIN" if options.get("readonly") else "BEGIN IMMEDIATE")


def _create_postgresql_engine(url: sa.URL, connections: int) -> sa.Engine:
    if not find_spec("psycopg"):
        raise FeedsvcError(
            "PostgreSQL needs psycopg: run `pip install feedsvc[postgres]`."
        )
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=BUSY_SECONDS,
        pool_size=min(8, connections),
        max_overflow=max(0, connections - 8),
        # Whatever the server's default is. Writers first lock the row of the change
        # sequence, and then see all that was written before, so no transaction fails to
        # serialize. They cannot deadlock either: what is written without that lock is
        # one row of a token or of a hub.
        isolation_level="READ COMMITTED",
        connect_args=_postgresql_arguments(url),
    )

    # An optional dependency, so not imported for SQLite.
    from psycopg.types.string import StrDumperUnknown

    class NulSafeDumper(StrDumperUnknown):
        """Send U+FFFD instead of NUL, which PostgreSQL refuses.

        A search for text with NUL then finds nothing, as in SQLite.
        """

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.adapters.register_dumper(str, NulSafeDumper)

    return engine


def _begin_postgresql(connection: sa.Connection) -> None:
    # A writer that waited in this process waits less in the database.
    options = connection.get_execution_options()
    busy_timeout = options.get("busy_timeout", BUSY_SECONDS)
    if busy_timeout < BUSY_SECONDS - _UNCONTENDED_WAIT:
        milliseconds = max(1, int(busy_timeout * 1000))
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")


def _postgresql_arguments(url: sa.URL) -> dict[str, Any]:
    busy = int(BUSY_SECONDS * 1000)
    arguments: dict[str, Any] = {
        name: value for name, value in PG_CONNECT_ARGS.items() if name not in url.query
    }
    # Of options that are given twice, the last one counts: that of the URL.
    arguments["options"] = (
        f"-c statement_timeout={busy} "
        f"-c idle_in_transaction_session_timeout={2 * busy} "
        f"{url.query.get('options', '')}"
    )
    return arguments
