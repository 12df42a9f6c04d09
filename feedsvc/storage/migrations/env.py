"""Run migrations on the connection that `runner.upgrade` passes, in its transaction.

The commands `alembic revision` and `alembic check`, for developers, pass none: they get
one to the database of the settings.
"""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.operations import MigrationScript

from feedsvc.config import Config
from feedsvc.models import utcnow
from feedsvc.storage.database import Database
from feedsvc.storage.migrations.runner import HEAD
from feedsvc.storage.tables import Base, UTCDateTime


def number_migration(
    migration_context: Any, parents: Any, scripts: list[MigrationScript]
) -> None:
    """Give a new migration the number after the newest one, since numbers sort."""
    scripts[0].rev_id = f"{int(HEAD) + 1:04}"


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Return an instant as the number that it is in the database; False for others."""
    is_instant = kind == "type" and isinstance(item, UTCDateTime)
    return "sa.BigInteger()" if is_instant else False


def run(connection: sa.Connection) -> None:
    """Run what alembic was called for."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=False,
        process_revision_directives=number_migration,
        render_item=render_item,
    )
    context.run_migrations()


if "connection" in context.config.attributes:
    run(context.config.attributes["connection"])
else:
    database = Database(Config.from_env().database_url, utcnow)
    with database.begin_migration() as connection:
        run(connection)
