"""The engine, and transactions that lose nothing: one writer at a time, readers never behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import exc

from feedsvc.errors import Unavailable

BUSY_SECONDS = 5.0
"""How long a writer waits for another before it gives up."""

PRAGMAS = (
    "busy_timeout = {busy}",
    "journal_mode = {journal}",
    "synchronous = FULL",  # what was answered 2xx survives a power cut
    "foreign_keys = ON",
    f"journal_size_limit = {64 * 1024 * 1024}",
    "trusted_schema = OFF",
)


def safe_for_wal(version: tuple[int, ...] = sqlite.sqlite_version_info) -> bool:
    """Whether this SQLite has the fix for the WAL-reset bug, by which an answered commit may be lost."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


class Database:
    """An engine and the two kinds of transaction, `read` and `write`."""

    def __init__(self, url: str) -> None:
        target = sa.make_url(url)
        options: dict[str, Any] = {"pool_timeout": BUSY_SECONDS, "pool_size": 8, "max_overflow": 32}
        if target.get_backend_name() == "sqlite":
            if target.database:
                Path(target.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = sa.create_engine(target, module=sqlite, **options)
            _set_up_sqlite(self.engine)
            reading: dict[str, Any] = {"readonly": True}
        else:
            self.engine = sa.create_engine(
                target,
                pool_pre_ping=True,
                connect_args={
                    "options": "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=10000"
                },
                **options,
            )
            reading = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        # SQLite's busy handler is not fair; the writers of one process queue here instead.
        self._writers = threading.Lock()
        self._readonly = self.engine.execution_options(**reading)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A snapshot: all that is read through it is of one moment.

        :raises Unavailable: where the database does not answer.
        """
        with _translated(), self._readonly.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end of the block, and rolls back on an error.

        :raises Unavailable: where the database is locked, full, read-only or away.
        """
        if not self._writers.acquire(timeout=BUSY_SECONDS):
            raise Unavailable("The database is busy with other writes.")
        try:
            with _translated(), self.engine.begin() as connection:
                yield connection
        finally:
            self._writers.release()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (exc.OperationalError, exc.InternalError, exc.TimeoutError, exc.InterfaceError) as error:
        raise Unavailable("The database cannot be used at the moment.") from error


def _set_up_sqlite(engine: sa.Engine) -> None:
    journal = "WAL" if safe_for_wal() else "DELETE"

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours to say
        for pragma in PRAGMAS:
            connection.execute("PRAGMA " + pragma.format(busy=int(BUSY_SECONDS * 1000), journal=journal))

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        readonly = connection.get_execution_options().get("readonly")
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")
