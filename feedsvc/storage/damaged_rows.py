"""Read around damaged rows.

A damaged row costs its own entry and nothing else: it is left out, and logged once in a
process. It can be replaced by a PUT, or deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

_log = logging.getLogger(__name__)

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    msgspec.MsgspecError,
)
"""Errors of values that are no JSON, no date, no zone, or of another type."""

_logged: set[int] = set()


def report(key: int, error: Exception) -> None:
    """Log that the entry with a key cannot be read, once per process."""
    # Each feed reads the row again: a line for each would fill the log.
    if key not in _logged:
        _logged.add(key)
        _log.error("Entry with key %d is unreadable and left out: %r", key, error)


def readable_rows(
    connection: sa.Connection,
    statement: sa.Select[Any],
    key: sa.ColumnElement[int],
    parameters: Mapping[str, Any] | None = None,
) -> Sequence[Any]:
    """Return the rows of a statement without those that SQLAlchemy cannot decode.

    :param key: the column that identifies a row.
    """
    try:
        return connection.execute(statement, parameters).all()
    except UNREADABLE as error:
        keys_only = statement.with_only_columns(key, maintain_column_froms=True)
        keys = connection.scalars(keys_only, parameters).all()
        if len(keys) == 1:
            report(keys[0], error)
            return []
    # One such row fails a whole fetch, so fetch halves, and halves of these.
    middle = len(keys) // 2
    rows: list[Any] = []
    for half in (keys[:middle], keys[middle:]):
        in_half = statement.where(key.in_(half))
        rows += readable_rows(connection, in_half, key, parameters)
    return rows
