"""Dump a database as NDJSON, without secrets, and load it into an empty one.

The two may be of different kinds. Each line is an object with one member: the first
has the revision of the schema, the last the number of lines between, and each of those
has a row, under the name of its table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa

from feedsvc.errors import BadRequest, Conflict
from feedsvc.storage import tables
from feedsvc.storage.damaged_rows import readable_rows
from feedsvc.storage.database import disable_timeouts
from feedsvc.storage.search import SearchIndex
from feedsvc.storage.tables import REVISION, UTCDateTime, metadata

EXCLUDED_TABLES = frozenset(["tokens", "hubs", "entry_search"])
"""Tables with secrets, hubs, which are settings, and the index of words, which is made
again."""

# Rows and not documents of the API: those lack what keeps the bytes of feeds the same,
# such as the change log, feed versions and tombstones.
DUMPED_TABLES = [
    table for table in metadata.sorted_tables if table.name not in EXCLUDED_TABLES
]

_HEADER = "feedsvc"
_FOOTER = "end"
_BATCH_SIZE = 500


def dump(connection: sa.Connection) -> Iterator[str]:
    """Yield the lines of a dump, without the rows of damaged entries."""
    # The lines may be read slowly.
    disable_timeouts(connection)
    yield _line(_HEADER, REVISION)
    count = 0
    damaged: set[int] = set()
    for table in DUMPED_TABLES:
        rows = (
            _entries(connection, damaged)
            if table is tables.entries
            else _rows(connection, table, damaged)
        )
        for row in rows:
            count += 1
            values = {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in row.items()
                if value is not None
            }
            yield _line(table.name, values)
    yield _line(_FOOTER, count)


def _entries(connection: sa.Connection, damaged: set[int]) -> Iterator[Any]:
    """Yield the rows of `entries`, and add the keys of damaged ones to `damaged`."""
    key = tables.entries.c.pk
    last = 0
    while True:
        statement = sa.select(key).where(key > last).order_by(key).limit(_BATCH_SIZE)
        keys = list(connection.scalars(statement))
        if not keys:
            return
        last = keys[-1]
        batch = sa.select(tables.entries).where(key.in_(keys)).order_by(key)
        rows = readable_rows(connection, batch, key)
        damaged.update(set(keys) - {row.pk for row in rows})
        for row in rows:
            yield row._mapping


def _rows(
    connection: sa.Connection, table: sa.Table, damaged: set[int]
) -> Iterator[Any]:
    """Yield the rows of a table that are not of damaged entries."""
    statement = sa.select(table).order_by(*table.primary_key)
    statement = statement.execution_options(yield_per=_BATCH_SIZE)
    for row in connection.execute(statement).mappings():
        if row.get("entry_pk") not in damaged:
            yield row


def load_dump(connection: sa.Connection, lines: Iterable[bytes]) -> int:
    """Fill an empty database from the lines of a dump; return the number of rows.

    :raises Conflict: the database is not empty.
    :raises BadRequest: the lines are not a whole dump, or of another schema.
    """
    _check_empty(connection)
    disable_timeouts(connection)
    known = {table.name: table for table in DUMPED_TABLES}
    members = (_parse(number, line) for number, line in enumerate(lines, 1))
    if next(members, None) != (_HEADER, REVISION):
        raise BadRequest(
            f"Not an export of a database with schema {REVISION}, "
            "which this version knows."
        )
    # An empty database has rows in these.
    for table in (tables.change_sequence, tables.feed_versions, tables.sanitizer):
        connection.execute(table.delete())
    count = 0
    for name, group in groupby(members, lambda member: member[0]):
        if name == _FOOTER:
            if [value for _, value in group] != [count]:
                break
            reset_sequences(connection)
            SearchIndex(connection).build()
            return count
        if name not in known:
            raise BadRequest(f"After {count} rows: there is no table “{name}”.")
        rows = (_row(known[name], value) for _, value in group)
        while batch := list(islice(rows, _BATCH_SIZE)):
            _insert(connection, known[name], batch, after=count)
            count += len(batch)
    raise BadRequest("The export is not whole: its end is missing, or rows are.")


def _insert(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]], after: int
) -> None:
    try:
        connection.execute(table.insert(), rows)
    except sa.exc.OperationalError:  # of the database, not of the rows
        raise
    except sa.exc.StatementError:
        raise BadRequest(
            f"After {after} rows: a row of “{table.name}” has impossible values."
        ) from None


def reset_sequences(connection: sa.Connection) -> None:
    """Let PostgreSQL's sequences continue after the keys that were inserted.

    SQLite does so by itself.
    """
    if connection.dialect.name != "postgresql":
        return
    for key in (tables.categories.c.id, tables.entries.c.pk):
        sequence = sa.func.pg_get_serial_sequence(key.table.name, key.name)
        connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(key))))


def _line(name: str, value: object) -> str:
    return json.dumps({name: value}, ensure_ascii=False, separators=(",", ":")) + "\n"


def _parse(number: int, line: bytes) -> tuple[str, Any]:
    try:
        ((name, value),) = json.loads(line).items()
    except (ValueError, AttributeError):
        raise BadRequest(f"Line {number} is not one of an export.") from None
    return name, value


def _row(table: sa.Table, value: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all columns, also of those that are absent."""
    row: dict[str, Any] = {}
    try:
        for column in table.columns:
            cell = value.get(column.name)
            if cell and isinstance(column.type, UTCDateTime):
                cell = datetime.fromisoformat(cell)
            row[column.name] = cell
    except (AttributeError, TypeError, ValueError):
        raise BadRequest(f"A row of “{table.name}” is not one of an export.") from None
    return row


def _check_empty(connection: sa.Connection) -> None:
    for table in (tables.changes, tables.categories, tables.entries):
        if connection.scalar(sa.select(sa.exists().select_from(table))):
            raise Conflict(
                "An export is imported into an empty database; "
                "this one holds something."
            )
