"""Run migrations: for `runner.upgrade` on its connection, else on one of our own."""

import sqlalchemy as sa
from alembic import context

from config import Config
from feedsvc.storage.database import Database
from feedsvc.storage.tables import metadata


def run(connection: sa.Connection) -> None:
    """Run the migrations on a connection, within its transaction."""
    context.configure(
        connection=connection, target_metadata=metadata, transactional_ddl=False
    )
    context.run_migrations()


shared_connection = context.config.attributes.get("connection")
if shared_connection is not None:
    run(shared_connection)
else:
    # Alembic's own command line.
    with Database(Config.from_env().database_url).write() as new_connection:
        run(new_connection)
