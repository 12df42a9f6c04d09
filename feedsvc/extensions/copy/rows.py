"""Copy all rows of a database into an empty one, of the same kind or the other."""

from collections.abc import Iterator

import sqlalchemy as sa

from feedsvc.errors import Conflict
from feedsvc.storage.migrations.runner import HEAD, lift_timeouts, schema_version
from feedsvc.storage.tables import (
    Base,
    CategoryRow,
    InstallationRow,
    RevisionRow,
)

#: Rows that are in memory together, of at most half a megabyte each.
_STEP = 100

_TABLES = Base.metadata.tables


def count_rows(source: sa.Connection) -> int:
    """Return the number of rows that `copy_rows` copies.

    :raises Conflict: the source has another schema than this version, or none.
    """
    lift_timeouts(source)
    version = schema_version(source)
    if version != HEAD:
        raise Conflict(
            f"The database to copy must have schema {HEAD}, as after `feedsvc db "
            f"upgrade`; it has {version or 'none'}."
        )
    counts = (
        sa.select(sa.func.count()).select_from(table) for table in _TABLES.values()
    )
    return sum(source.execute(count).scalar_one() for count in counts)


def copy_rows(source: sa.Connection, target: sa.Connection) -> Iterator[int]:
    """Copy the rows of all tables; yield the number of rows of each step.

    :raises Conflict: the target has entries, categories or tokens, or a service was
        started on it.
    """
    lift_timeouts(target)
    # Every writer takes this lock, so a service that was not stopped has to wait.
    target.execute(sa.select(RevisionRow.id).with_for_update())
    for name in ("entries", "categories", "tokens"):
        if target.scalar(sa.select(sa.exists(_TABLES[name]))):
            raise Conflict(f"The database of the settings is not empty: it has {name}.")
    # Its workers may go on with the empty feeds that they have cached.
    if target.scalar(sa.select(InstallationRow.fingerprint)):
        raise Conflict(
            "A service was started on the database of the settings. Name a new one."
        )
    # In this order, each table comes after those that it refers to.
    for table in Base.metadata.sorted_tables:
        stored = _as_stored(table)
        # A new database has its own revisions and secret.
        target.execute(sa.delete(table))
        statement = sa.select(stored).execution_options(yield_per=_STEP)
        for partition in source.execute(statement).mappings().partitions():
            rows = [dict(row) for row in partition]
            target.execute(sa.insert(stored), rows)
            yield len(rows)
    _copy_parents(source, target)
    if target.dialect.name == "postgresql":
        _continue_sequences(target)


def _as_stored(table: sa.Table) -> sa.TableClause:
    """Return a table whose documents and instants are copied without decoding them.

    It lacks the columns that refer to the table itself, such as parents of categories.
    """
    columns = []
    for column in table.columns:
        type_ = column.type
        if isinstance(type_, sa.TypeDecorator):
            type_ = type_.impl_instance
        if not any(column.references(key) for key in table.primary_key):
            columns.append(sa.column(column.name, type_))
    return sa.table(table.name, *columns)


def _copy_parents(source: sa.Connection, target: sa.Connection) -> None:
    """Set the parents of the categories, which may be later rows than these."""
    parents = sa.select(CategoryRow.id, CategoryRow.parent_id)
    for key, parent in source.execute(parents).all():
        statement = sa.update(CategoryRow).filter_by(id=key)
        target.execute(statement.values(parent_id=parent))


def _continue_sequences(target: sa.Connection) -> None:
    """Let PostgreSQL's sequences continue after the keys that were copied."""
    for table in _TABLES.values():
        column = table.autoincrement_column
        # Keys of other tables are texts, or those of the entries.
        if column is not None:
            last = target.scalar(sa.select(sa.func.max(column))) or 0
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            # Without the last argument the next key would be one higher.
            statement = sa.func.setval(sequence, last + 1, sa.false())
            target.execute(sa.select(statement))
