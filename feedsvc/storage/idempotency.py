"""Retries: what a request with a key was answered, kept in the same transaction as its effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from feedsvc.errors import Gone, IdempotencyKeyConflict
from feedsvc.models import Clock
from feedsvc.storage.tables import idempotency_keys

RETENTION = timedelta(hours=24)


class IdempotencyStore:
    """The answers by token, path and key, as one write transaction sees them."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection, self._now = connection, clock()

    def get(self, token: str, path: str, key: str, fingerprint: str) -> Any:
        """What the first request with this key was answered, or None where this is the first.

        :raises KeyReused: the first one had another body.
        :raises Gone: the entry in the answer was deleted since.
        """
        kept = sa.select(idempotency_keys).filter_by(token=token, path=path, key=key)
        row = self._connection.execute(
            kept.where(idempotency_keys.c.time > self._now - RETENTION)
        ).one_or_none()
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise IdempotencyKeyConflict(
                "The Idempotency-Key was used for another body."
            )
        if not row.answer:
            raise Gone(
                f"The entry “{row.entry_id}”, which the first request created, was deleted."
            )
        return tuple(row.answer)

    def erase(self, entry_id: str) -> None:
        """Erase the answers that hold an entry, since it was deleted."""
        holds_entry = idempotency_keys.c.entry_id == entry_id
        self._connection.execute(
            idempotency_keys.update().where(holds_entry).values(answer=[])
        )

    def put(
        self,
        token: str,
        path: str,
        key: str,
        fingerprint: str,
        answer: Any,
        entry_id: str | None = None,
    ) -> None:
        """Store an answer, and delete those that are older than 24 hours.

        :param entry_id: the id of the entry in the answer.
        """
        self._connection.execute(
            idempotency_keys.delete().where(
                idempotency_keys.c.time <= self._now - RETENTION
            )
        )
        row = {
            "token": token,
            "path": path,
            "key": key,
            "fingerprint": fingerprint,
            "entry_id": entry_id,
        }
        self._connection.execute(
            idempotency_keys.insert(), {**row, "answer": answer, "time": self._now}
        )
