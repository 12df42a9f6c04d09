"""Upgrade the schema, once, however many processes start at the same time."""

from __future__ import annotations

import sqlalchemy as sa

from feedsvc.errors import SchemaTooNew, Unavailable
from feedsvc.storage.database import Database, disable_timeouts
from feedsvc.storage.tables import REVISION

_LOCK_KEY = 0x6665656473
"""The key of PostgreSQL's advisory lock: any number that nothing else uses."""


def is_current(connection: sa.Connection) -> bool:
    """Return whether the schema is of this version, or of a newer one.

    Newer schemas only add, so this version works on them.
    """
    return revision(connection) >= REVISION


def revision(connection: sa.Connection) -> str:
    """Return the revision of the schema, or an empty string if there are no tables."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    newest = sa.text("SELECT max(version_num) FROM alembic_version")
    return str(connection.scalar(newest) or "")


def check_schema(database: Database) -> None:
    """Check that the database has this version's schema.

    :raises SchemaTooNew: it is newer than this version.
    :raises Unavailable: it does not answer, is empty, or has an older schema.
    """
    with database.read() as connection:
        current = revision(connection)
    _refuse_newer(current)
    if not current:
        raise Unavailable("The database is empty: run `.venv/bin/feedsvc db upgrade`.")
    if current < REVISION:
        raise Unavailable(
            f"The database needs an upgrade from schema {current} to {REVISION}: "
            "run `.venv/bin/feedsvc db upgrade`."
        )


def _refuse_newer(current: str) -> None:
    if current > REVISION:
        raise SchemaTooNew(
            f"The database is too new: it has schema {current}, "
            f"but this version knows {REVISION} at most."
        )


def upgrade(database: Database, *, or_newer: bool = False) -> bool:
    """Upgrade the schema to the newest revision; return whether that changed anything.

    Processes that start at the same time wait for the first one; with SQLite for its
    write transaction.

    :param or_newer: whether a schema of a newer version is accepted.
    :raises SchemaTooNew: the schema is of a newer version, unless `or_newer`.
    """
    database.create_file()
    with database.read() as connection:
        current = revision(connection)
    if not or_newer:
        _refuse_newer(current)
    if current >= REVISION:
        return False
    with database.write() as connection:
        # A migration may take long, and so may the wait for one.
        disable_timeouts(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
        # Another process may have been first.
        if is_current(connection):
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
