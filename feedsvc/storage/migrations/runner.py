"""Migrations at the start: once, however many processes start together."""

from __future__ import annotations

import sqlalchemy as sa

from feedsvc.errors import SchemaTooNew
from feedsvc.storage.database import Database
from feedsvc.storage.tables import REVISION

_LOCK = (
    0x6665656473  # the key of PostgreSQL's advisory lock; any number that is only ours
)


def is_current(connection: sa.Connection) -> bool:
    """Whether the schema is this version's, or a newer one, on which what runs may run on."""
    return revision(connection) >= REVISION


def revision(connection: sa.Connection) -> str:
    """The schema's revision, which is greater in newer versions; nothing where there are no tables yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(
        connection.execute(
            sa.text("SELECT max(version_num) FROM alembic_version")
        ).scalar()
        or ""
    )


def upgrade(database: Database, *, or_newer: bool = False) -> bool:
    """Bring the schema to the newest revision; returns whether there was anything to do.

    Those who start at the same time wait for the first one: on SQLite for its write transaction.

    :raises Outdated: the schema is newer than this version, unless `or_newer`.
    """
    with database.read() as connection:
        found = revision(connection)
    if found > REVISION and not or_newer:
        raise SchemaTooNew(
            f"The database has schema {found}, but this version knows {REVISION} at most."
        )
    if found >= REVISION:
        return False
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            # A migration takes as long as it takes, and those who wait for it too.
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(
                sa.text("SET LOCAL idle_in_transaction_session_timeout = 0")
            )
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        if is_current(connection):
            return False
        # Slow to import, and needed only here.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "feedsvc:storage/migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
