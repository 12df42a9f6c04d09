"""Runs migrations on the connection that `migrate.upgrade` hands over, in its transaction."""

import sqlalchemy as sa
from alembic import context

from config import Config
from feedsvc.storage.database import Database
from feedsvc.storage.tables import metadata


def run(connection: sa.Connection) -> None:
    context.configure(
        connection=connection, target_metadata=metadata, transactional_ddl=False
    )
    context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:  # alembic's own command line
    with Database(Config.from_env().database_url).write() as own:
        run(own)
