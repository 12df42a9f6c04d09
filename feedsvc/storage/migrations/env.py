"""Run migrations on the connection that `runner.upgrade` passes, in its transaction."""

from alembic import context

from feedsvc.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=False,
)
context.run_migrations()
