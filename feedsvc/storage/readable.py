"""Reading around rows that are damaged: each costs itself, and is logged once per process."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

_log = logging.getLogger(__name__)

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)
"""Errors of values that are no JSON, no date, no zone, or of another shape than they should have."""

_logged: set[int] = set()


def report(key: int, error: Exception | None = None) -> None:
    """Log that the entry with a key cannot be read, once per process."""
    if key not in _logged:
        _logged.add(key)
        _log.error(
            "The entry with the key %d cannot be read and is left out: %r", key, error
        )


def readable_rows(
    connection: sa.Connection,
    statement: sa.Select[Any],
    key: sa.ColumnElement[int],
    parameters: Mapping[str, Any] | None = None,
) -> Sequence[Any]:
    """Return the rows of a statement without those that the driver or SQLAlchemy cannot decode.

    One such row fails a whole fetch, so the rows are then fetched in halves, and halves of these.

    :param key: the column that identifies a row.
    """
    try:
        return _fetch(connection, statement, parameters)
    except UNREADABLE:
        statement = statement.params(parameters or {})
        keys = list(
            connection.scalars(
                statement.with_only_columns(key, maintain_column_froms=True)
            )
        )
    return _fetch_in_halves(connection, statement, key, keys)


def _fetch(
    connection: sa.Connection,
    statement: sa.Select[Any],
    parameters: Mapping[str, Any] | None = None,
) -> Sequence[Any]:
    with connection.execute(statement, parameters) as result:
        return result.all()


def _fetch_in_halves(
    connection: sa.Connection,
    statement: sa.Select[Any],
    key: sa.ColumnElement[int],
    keys: list[int],
) -> list[Any]:
    middle = len(keys) // 2
    rows: list[Any] = []
    for half in (keys[:middle], keys[middle:]):
        if not half:
            continue
        try:
            rows += _fetch(connection, statement.where(key.in_(half)))
        except UNREADABLE as error:
            if len(half) == 1:
                report(half[0], error)
            else:
                rows += _fetch_in_halves(connection, statement, key, half)
    return rows
