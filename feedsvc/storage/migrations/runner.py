"""Upgrade the schema, once, however many processes start at the same time."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from feedsvc.errors import Unavailable
from feedsvc.storage.database import Database, create_file, lift_timeouts

_VERSIONS = Path(__file__).parent / "versions"

#: The newest migration; the names of their files begin with the numbers.
HEAD = max(path.name[:4] for path in _VERSIONS.glob("[0-9]*.py"))

#: The schema of version 1, from which no migration begins.
_VERSION_1 = "0001"

#: The key of PostgreSQL's advisory lock: any number that nothing else uses.
_LOCK_KEY = 0x6665656473


def check_schema(database: Database) -> None:
    """Check that the database has this version's schema.

    :raises Unavailable: it has another one, or none.
    """
    # To connect would create the file.
    if database.is_sqlite and not Path(database.url.database or "").exists():
        raise Unavailable(
            f"There is no database {database.url.database}. Set FEEDSVC_SETTINGS, or "
            "run `feedsvc db upgrade`."
        )
    with database.read() as session:
        current = schema_version(session.connection())
    _refuse_unknown(current)
    if current < HEAD:
        raise Unavailable(
            "The database needs an upgrade: run `feedsvc db upgrade`."
        )


def upgrade(database: Database) -> bool:
    """Upgrade the schema to the newest revision; return whether that changed anything.

    :raises Unavailable: the schema is of version 1, or of a newer version.
    """
    if database.is_sqlite:
        create_file(database.url)
    with database.read() as session:
        current = schema_version(session.connection())
    _refuse_unknown(current)
    if current == HEAD:
        return False
    with database.begin_migration() as connection:
        # So may the wait for another migration.
        lift_timeouts(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(
                sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY))
            )
        # Another process may have been first.
        if schema_version(connection) == HEAD:
            return False
        _run_migrations(connection)
    return True


def _run_migrations(connection: sa.Connection) -> None:
    # Slow to import, and needed only here.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "feedsvc:storage/migrations")
    # env.py runs the migrations on this connection, in its transaction.
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def schema_version(connection: sa.Connection) -> str:
    """Return the newest migration that was run, or an empty string."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    newest = sa.text("SELECT max(version_num) FROM alembic_version")
    return str(connection.scalar(newest) or "")


def _refuse_unknown(current: str) -> None:
    if current == _VERSION_1:
        raise Unavailable(
            "The database is of version 1: upgrade it with feedsvc 2.0.0 first."
        )
    if current > HEAD:
        raise Unavailable(
            f"The database is of a newer version: it has schema {current}, this "
            f"version knows {HEAD} at most."
        )
