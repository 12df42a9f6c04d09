"""Responses to requests with an Idempotency-Key, stored with their effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from feedsvc.errors import Gone, IdempotencyKeyConflict
from feedsvc.models import Clock
from feedsvc.storage.tables import idempotency_keys

RETENTION = timedelta(hours=24)
"""Time for which a response is stored."""


class IdempotentRequest(NamedTuple):
    """A request with an Idempotency-Key.

    :param token: the name of the token that sent it.
    :param fingerprint: a hash of the body.
    """

    token: str
    path: str
    key: str
    fingerprint: str


class IdempotencyStore:
    """The responses, as one write transaction sees them.

    They are stored in the transaction of the write itself, so that a retry after a
    crash finds both or neither.
    """

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._now = clock()

    def get(self, request: IdempotentRequest) -> Any:
        """Return the response to the first request with the key; None if there is none.

        :raises IdempotencyKeyConflict: the first request had another body.
        :raises Gone: the entry in the response was deleted since.
        """
        statement = sa.select(idempotency_keys).where(
            idempotency_keys.c.token == request.token,
            idempotency_keys.c.path == request.path,
            idempotency_keys.c.key == request.key,
            idempotency_keys.c.time > self._now - RETENTION,
        )
        row = self._connection.execute(statement).one_or_none()
        if row is None:
            return None
        if row.fingerprint != request.fingerprint:
            raise IdempotencyKeyConflict(
                "The Idempotency-Key was used for another body."
            )
        if not row.answer:
            raise Gone(
                f"The entry “{row.entry_id}”, which the first request created, "
                "was deleted."
            )
        return tuple(row.answer)

    def put(
        self, request: IdempotentRequest, response: Any, entry_id: str | None = None
    ) -> None:
        """Store a response, and delete those that are older than 24 hours.

        :param response: a sequence of JSON values.
        :param entry_id: the id of the entry in the response.
        """
        # Here, since the table grows only here: it needs no periodic job.
        is_expired = idempotency_keys.c.time <= self._now - RETENTION
        self._connection.execute(idempotency_keys.delete().where(is_expired))
        row = {"answer": response, "entry_id": entry_id, "time": self._now}
        self._connection.execute(
            idempotency_keys.insert(), {**request._asdict(), **row}
        )

    def erase(self, entry_id: str) -> None:
        """Erase the responses that contain an entry, because it was deleted."""
        # Not the rows: a request that is repeated must not create the entry again.
        contains_entry = idempotency_keys.c.entry_id == entry_id
        self._connection.execute(
            idempotency_keys.update().where(contains_entry).values(answer=[])
        )
