"""Upgrade the schema, once, however many processes start at the same time."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from feedsvc.errors import Unavailable
from feedsvc.storage.database import Database

_VERSIONS = Path(__file__).parent / "versions"

#: The newest migration; the names of their files begin with the numbers.
HEAD = max(path.name[:4] for path in _VERSIONS.glob("[0-9]*.py"))

#: The schema of version 1, from which no migration begins.
_VERSION_1 = "0001"

#: The key of PostgreSQL's advisory lock: any number that nothing else uses.
_LOCK_KEY = 0x6665656473


def check_schema(database: Database) -> None:
    """Check that this version can use the schema of the database.

    :raises Unavailable: it cannot, or there is none.
    """
    # To connect would create the file.
    if database.is_sqlite and not Path(database.url.database or "").exists():
        raise Unavailable(
            f"There is no database {database.url.database}. Set FEEDSVC_SETTINGS, or "
            "run `feedsvc db upgrade`."
        )
    with database.read() as session:
        current = _usable_version(session.connection())
    if current < HEAD:
        raise Unavailable("The database needs an upgrade: run `feedsvc db upgrade`.")


def upgrade(database: Database) -> str:
    """Upgrade the schema to that of this version, unless a later one has been first.

    Return the newest migration that was run.

    :raises Unavailable: the schema is of version 1, or of a version that is too new.
    """
    if database.is_sqlite:
        _create_file(database.url)
    with database.read() as session:
        current = _usable_version(session.connection())
    while current < HEAD:
        # One transaction each, since other instances read tables in any order: to lock
        # a second table would be a deadlock with them.
        with database.begin_migration() as connection:
            # So may the wait for another migration.
            lift_timeouts(connection)
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
            # Another process may have been first.
            if _usable_version(connection) < HEAD:
                _run_next_migration(connection)
            current = _usable_version(connection)
    return current


def lift_timeouts(connection: sa.Connection) -> None:
    """Let the statements of a command's transaction take long."""
    if connection.dialect.name == "postgresql":
        for name in (
            "statement_timeout",
            "idle_in_transaction_session_timeout",
        ):
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")


def _create_file(url: sa.URL) -> None:
    """Create an SQLite file that only its owner can read, unless it exists."""
    path = Path(url.database or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _run_next_migration(connection: sa.Connection) -> None:
    # Slow to import, and needed only here.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "feedsvc:storage/migrations")
    # env.py runs it on this connection, in its transaction.
    config.attributes["connection"] = connection
    command.upgrade(config, "+1")


def schema_version(connection: sa.Connection) -> str:
    """Return the newest migration that was run, or an empty string."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    newest = sa.text("SELECT max(version_num) FROM alembic_version")
    return str(connection.scalar(newest) or "")


def _usable_version(connection: sa.Connection) -> str:
    """Return the newest migration that was run, or an empty string.

    :raises Unavailable: this version cannot use the schema.
    """
    current = schema_version(connection)
    if current == _VERSION_1:
        raise Unavailable(
            "The database is of version 1: upgrade it with feedsvc 2.0.0 first."
        )
    if current > HEAD:
        statement = sa.text("SELECT oldest_schema FROM installation")
        oldest = connection.scalar(statement)
        if oldest > HEAD:
            raise Unavailable(
                "The database is of a newer version: it needs one that knows schema "
                f"{oldest}, this version knows {HEAD} at most."
            )
    return current
