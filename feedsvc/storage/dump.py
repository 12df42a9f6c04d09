"""All that a database holds, but for secrets, as NDJSON, and back into an empty database of any kind.

Each line is an object of one member. The first names the schema's revision, the last counts the others; those
between hold a row each, under the name of its table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa

from feedsvc.errors import BadRequest, Conflict
from feedsvc.storage import tables
from feedsvc.storage.damaged_rows import readable_rows
from feedsvc.storage.tables import REVISION, UTCDateTime, metadata

EXCLUDED_TABLES = frozenset(
    "tokens idempotency_keys subscriptions subscription_requests websub_feeds websub_feed_keys hubs".split()
)
"""What is not moved: secrets, answers that are kept for a day, and subscriptions, which are renewed."""

DUMPED_TABLES = [
    table for table in metadata.sorted_tables if table.name not in EXCLUDED_TABLES
]
_HEAD, _END = "feedsvc", "end"
_GROUP = 500
_NO_LIMIT = "SET LOCAL idle_in_transaction_session_timeout = 0"


def dump(connection: sa.Connection) -> Iterator[str]:
    """The lines of a snapshot, each with its line end."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_NO_LIMIT)  # who reads the lines may be slow
    count = 0
    yield _line(_HEAD, REVISION)
    damaged: set[int] = set()
    for table in DUMPED_TABLES:
        for row in _readable(connection, table, damaged):
            count += 1
            yield _line(
                table.name,
                {
                    name: _plain(value)
                    for name, value in row.items()
                    if value is not None
                },
            )
    yield _line(_END, count)


def _readable(
    connection: sa.Connection, table: sa.Table, damaged: set[int]
) -> Iterator[Any]:
    """Yield the rows of a table without those of entries that are damaged."""
    if table is tables.entries:
        for rows in _groups(connection, table, damaged):
            yield from (row._mapping for row in rows if row[0] not in damaged)
        return
    every = (
        sa.select(table)
        .order_by(*table.primary_key)
        .execution_options(yield_per=_GROUP)
    )
    for row in connection.execute(every).mappings():
        if row.get("entry_pk") not in damaged:
            yield row


def _groups(
    connection: sa.Connection, table: sa.Table, damaged: set[int]
) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table in groups, and add the keys of those that cannot be decoded to `damaged`."""
    (key,) = table.primary_key
    last = 0
    while True:
        keys = list(
            connection.scalars(
                sa.select(key).where(key > last).order_by(key).limit(_GROUP)
            )
        )
        if not keys:
            return
        last = keys[-1]
        statement = sa.select(key, *(column for column in table.c if column is not key))
        rows = readable_rows(
            connection, statement.where(key.in_(keys)).order_by(key), key
        )
        damaged |= set(keys) - {row[0] for row in rows}
        yield rows


def load_dump(connection: sa.Connection, lines: Iterable[bytes]) -> int:
    """Fill an empty database from the lines of an export; returns how many rows there were.

    :raises Conflict: the database is not empty.
    :raises Malformed: the lines are not a whole export, or one of another schema.
    """
    _check_empty(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_NO_LIMIT)
    known, count = {table.name: table for table in DUMPED_TABLES}, 0
    members = (_member(number, line) for number, line in enumerate(lines, 1))
    if next(members, None) != (_HEAD, REVISION):
        raise BadRequest(
            f"Not an export of a database with schema {REVISION}, which this version knows."
        )
    for table in (tables.change_sequence, tables.feed_versions, tables.sanitizer):
        connection.execute(table.delete())
    for name, group in groupby(members, lambda member: member[0]):
        if name == _END:
            if [value for _, value in group] != [count]:
                break
            _reset_sequences(connection)
            return count
        if name not in known:
            raise BadRequest(f"After {count} rows: there is no table “{name}”.")
        rows = (_row(known[name], value) for _, value in group)
        while some := list(islice(rows, _GROUP)):
            connection.execute(known[name].insert(), some)
            count += len(some)
    raise BadRequest("The export is not whole: its end is missing, or rows are.")


def _line(name: str, value: object) -> str:
    return json.dumps({name: value}, ensure_ascii=False, separators=(",", ":")) + "\n"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _member(number: int, line: bytes) -> tuple[str, Any]:
    try:
        ((name, value),) = json.loads(line).items()
    except (ValueError, AttributeError):
        raise BadRequest(f"Line {number} is not one of an export.") from None
    return name, value


def _row(table: sa.Table, value: dict[str, Any]) -> dict[str, Any]:
    """A row's values, those that are absent too."""
    row: dict[str, Any] = {
        column.name: value.get(column.name) for column in table.columns
    }
    for column in table.columns:
        if isinstance(column.type, UTCDateTime) and row[column.name]:
            row[column.name] = datetime.fromisoformat(row[column.name])
    return row


def _check_empty(connection: sa.Connection) -> None:
    for table in (tables.changes, tables.categories, tables.entries):
        if connection.scalar(sa.select(sa.exists().select_from(table))):
            raise Conflict(
                "An export is imported into an empty database; this one holds something."
            )


def _reset_sequences(connection: sa.Connection) -> None:
    """Let PostgreSQL's sequences go on after the keys that were given; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for key in (tables.categories.c.id, tables.entries.c.pk):
        sequence = sa.func.pg_get_serial_sequence(key.table.name, key.name)
        connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(key))))
