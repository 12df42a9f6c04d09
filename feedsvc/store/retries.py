"""Retries: what a request with a key was answered, kept in the same transaction as its effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from feedsvc.errors import KeyReused
from feedsvc.model import Clock
from feedsvc.store.tables import retries

KEPT = timedelta(hours=24)


class Retries:
    """The answers by token, path and key, as one write transaction sees them."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection, self._now = connection, clock()

    def answer(self, token: str, path: str, key: str, fingerprint: str) -> Any:
        """What the first request with this key was answered, or None where this is the first.

        :raises KeyReused: the first one had another body.
        """
        kept = sa.select(retries).filter_by(token=token, path=path, key=key)
        row = self._connection.execute(kept.where(retries.c.time > self._now - KEPT)).one_or_none()
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise KeyReused("The Idempotency-Key was used for another body.")
        return tuple(row.answer)

    def keep(self, token: str, path: str, key: str, fingerprint: str, answer: Any) -> None:
        """Keep an answer, and drop those whose time is over."""
        self._connection.execute(retries.delete().where(retries.c.time <= self._now - KEPT))
        row = {"token": token, "path": path, "key": key, "fingerprint": fingerprint}
        self._connection.execute(retries.insert(), {**row, "answer": answer, "time": self._now})
