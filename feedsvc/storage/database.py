"""The engine, and transactions that lose nothing: one writer at a time, readers never behind it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import exc

from feedsvc.errors import Unavailable

_log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""How long a writer waits for another before it gives up."""

CONNECTIONS = 24
"""Connections to PostgreSQL a process has at most, where no setting says otherwise."""

_NOT_QUEUED = 0.05
"""Seconds within which a writer has got its place without a wait."""

PRAGMAS = (
    "busy_timeout = {busy}",
    "journal_mode = {journal}",
    "synchronous = FULL",  # what was answered 2xx survives a power cut
    "foreign_keys = ON",
    f"journal_size_limit = {64 * 1024 * 1024}",
    "trusted_schema = OFF",
    "secure_delete = ON",  # what a deletion erases is overwritten in the file, too
)

PG_CONNECT_ARGS = {
    "connect_timeout": 3,
    # A server that vanishes without a word is noticed, whether it was being sent to or waited for.
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}
"""How PostgreSQL's client connects, where the URL does not say otherwise."""

PG_SESSION_OPTIONS = (
    "-c statement_timeout={busy} -c idle_in_transaction_session_timeout={idle}"
)


def safe_for_wal(version: tuple[int, ...] = sqlite.sqlite_version_info) -> bool:
    """Whether this SQLite has the fix for the WAL-reset bug, by which an answered commit may be lost."""
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51)
        or (3, 44, 6) <= version < (3, 45)
    )


class Database:
    """An engine and the two kinds of transaction, `read` and `write`."""

    def __init__(self, url: str, connections: int = CONNECTIONS) -> None:
        """:param connections: to PostgreSQL at most; SQLite's are files, and have no limit that matters."""
        target = sa.make_url(url)
        options: dict[str, Any] = {
            "pool_timeout": BUSY_SECONDS,
            "pool_size": 8,
            "max_overflow": 32,
        }
        self._file: _DatabaseFileGuard | None = None
        if target.get_backend_name() == "sqlite":
            self.engine = sa.create_engine(target, module=sqlite, **options)
            if target.database and target.database != ":memory:":
                self._file = _DatabaseFileGuard(Path(target.database), self.engine)
            _set_up_sqlite(self.engine)
            reading: dict[str, Any] = {"readonly": True}
            # SQLite's busy handler is not fair; the writers of one process queue here instead.
            self._writers = _WriterLock(1)
        else:
            # PostgreSQL's row locks are fair, so writers queue in the database; those that wait there must
            # leave connections for reads.
            self._writers = _WriterLock(connections // 2)
            options |= {
                "pool_size": min(8, connections),
                "max_overflow": max(0, connections - 8),
            }
            self.engine = sa.create_engine(
                target,
                pool_pre_ping=True,
                # Whatever the server's default is. Writers take the ledger's row first and see from then on
                # all that was written before, so none of them can fail to serialise; nor can they deadlock,
                # as of the rows written without the ledger's tokens are written one a transaction, and
                # subscriptions taken in one order.
                isolation_level="READ COMMITTED",
                connect_args=_postgresql_arguments(target),
                **options,
            )
            _set_up_postgresql(self.engine)
            reading = {
                "postgresql_readonly": True,
                "isolation_level": "REPEATABLE READ",
            }
        self._readonly = self.engine.execution_options(**reading)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A snapshot: all that is read through it is of one moment.

        :raises Unavailable: where the database does not answer.
        """
        with translate_db_errors(), self._readonly.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end of the block, and rolls back on an error.

        :raises Unavailable: where the database is locked, full, read-only or away.
        """
        self.check_file()
        with (
            self._writers as patience,
            translate_db_errors(),
            self.engine.connect() as connection,
            connection.execution_options(patience=patience).begin(),
        ):
            yield connection
        self.check_file()

    def check_file(self) -> None:
        """See that SQLite's file is still the one that was opened; one that was removed can be written to.

        :raises Unavailable: it is gone, or another.
        """
        if self._file:
            self._file.check()

    def create_file(self) -> None:
        """Create SQLite's file, unless there is one; PostgreSQL has none.

        :raises Unavailable: the file cannot be created.
        """
        if self._file:
            self._file.create()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()


def create_private(path: Path) -> None:
    """Create an empty file that its owner alone can read, unless there is one; SQLite makes it a database.

    SQLite gives its other files, such as the write-ahead log, the same mode.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


class _DatabaseFileGuard:
    """A file of SQLite's, which is to stay the one that it is at the first connection."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._first: tuple[int, int] | None = None

        @sa.event.listens_for(engine, "do_connect")
        def before(*_: object) -> None:
            self.check()
            # SQLite would create an empty database, which only an upgrade should do.
            if not path.exists():
                raise Unavailable(
                    f"There is no database {path}. Run `python -m feedsvc db upgrade`."
                )

        @sa.event.listens_for(engine, "connect")
        def after(*_: object) -> None:
            self._first = self._first or self._now()

    def create(self) -> None:
        """Create the file, unless there is one.

        :raises Unavailable: the file cannot be created.
        """
        self.check()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            create_private(self._path)
        except OSError as error:
            raise Unavailable(
                f"The database {self._path} cannot be created: {error.strerror}."
            ) from error

    def check(self) -> None:
        now = self._now()
        if now != self._first if self._first else not now and self._log.exists():
            raise Unavailable("The database's file has been removed or replaced.")

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class _WriterLock:
    """Let some in at once; others wait BUSY_SECONDS at most. Entering returns the seconds left of those."""

    def __init__(self, places: int) -> None:
        self._lock = threading.BoundedSemaphore(places)

    def __enter__(self) -> float:
        end = time.monotonic() + BUSY_SECONDS
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise Unavailable("The database is busy with other writes.")
        return max(0.0, end - time.monotonic())

    def __exit__(self, *error: object) -> None:
        self._lock.release()


@contextmanager
def translate_db_errors() -> Iterator[None]:
    try:
        yield
    except (
        exc.OperationalError,
        exc.InternalError,
        exc.TimeoutError,
        exc.InterfaceError,
        sqlite.OperationalError,  # of a BEGIN
    ) as error:
        raise Unavailable("The database cannot be used at the moment.") from error
    except exc.ProgrammingError as error:
        # While a database is being restored, its tables are missing or not ours yet.
        if type(error.orig).__name__ in ("UndefinedTable", "InsufficientPrivilege"):
            raise Unavailable("The database is not set up.") from error
        raise
    except (exc.DatabaseError, sqlite.DatabaseError) as error:
        # SQLite's for a file that is damaged, or none of its own
        if type(error) in (exc.DatabaseError, sqlite.DatabaseError):
            raise Unavailable(
                "The database is damaged; its operator has a backup to restore."
            ) from error
        raise


def _set_up_sqlite(engine: sa.Engine) -> None:
    journal = "WAL" if safe_for_wal() else "DELETE"
    if journal == "DELETE":
        _log.warning(
            "SQLite %s can lose commits in WAL mode; readers wait for writers now",
            sqlite.sqlite_version,
        )

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours to say
        for pragma in PRAGMAS:
            connection.execute(
                "PRAGMA "
                + pragma.format(busy=int(BUSY_SECONDS * 1000), journal=journal)
            )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        # Who has queued does not wait as long again for other processes.
        patience = int(options.get("patience", BUSY_SECONDS) * 1000)
        # By the driver itself: SQLAlchemy would take longer about these two than a short transaction does.
        run = connection.connection.execute
        run(f"PRAGMA busy_timeout = {patience}")
        run("BEGIN" if options.get("readonly") else "BEGIN IMMEDIATE")


def _postgresql_arguments(url: sa.URL) -> dict[str, Any]:
    busy = int(BUSY_SECONDS * 1000)
    given = url.query
    arguments: dict[str, Any] = {
        name: value for name, value in PG_CONNECT_ARGS.items() if name not in given
    }
    # Of options that are named twice, the last one counts: the URL's.
    arguments["options"] = (
        f"{PG_SESSION_OPTIONS.format(busy=busy, idle=2 * busy)} {given.get('options', '')}"
    )
    return arguments


def _set_up_postgresql(engine: sa.Engine) -> None:
    # An optional dependency, so not imported for SQLite.
    from psycopg.types.string import StrDumperUnknown

    class NulSafeDumper(StrDumperUnknown):
        """Send a NUL as U+FFFD: PostgreSQL's text has none, so the query matches nothing."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.adapters.register_dumper(str, NulSafeDumper)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A writer that has queued in this process does not wait as long again in the database.
        patience = connection.get_execution_options().get("patience", BUSY_SECONDS)
        if patience < BUSY_SECONDS - _NOT_QUEUED:
            connection.exec_driver_sql(
                f"SET LOCAL statement_timeout = {max(1, int(patience * 1000))}"
            )
