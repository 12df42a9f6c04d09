"""The ledger: one sequence of all changes, and the last stamp of every topic.

A topic is a kind, or a kind and a category. Last-Modified, caches, replication and push all read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.model import EPOCH, Clock
from feedsvc.store.tables import changes, ledger, topics

Topic = tuple[str, int]
"""A kind and a category's key; 0 is the whole kind."""

DIRECTORY: Topic = ("categories", 0)
"""Moves with every change of a category."""


class Ledger:
    """The steps of one write transaction.

    Opening it takes the sequence's row lock, so whoever has seen step N has seen all steps before it.
    """

    def __init__(self, connection: sa.Connection, clock: Clock, token: str) -> None:
        self._connection, self.clock, self._token = connection, clock, token
        row = connection.execute(sa.select(ledger.c.seq, ledger.c.time).with_for_update()).one()
        self._seq: int = row.seq
        self._time: datetime = row.time
        self._changes: list[dict[str, object]] = []
        self._topics: set[Topic] = set()

    def tick(self) -> datetime:
        """The time now, later than any that the ledger has given before."""
        self._time = max(self.clock(), self._time + timedelta(microseconds=1))
        return self._time

    def record(self, action: str, kind: str, id: str, version: int, touched: Iterable[Topic]) -> int:
        """Note one change and the topics whose feeds it moves; returns its step."""
        self._seq += 1
        self._changes.append(
            {
                "seq": self._seq,
                "action": action,
                "kind": kind,
                "id": id,
                "version": version,
                "token": self._token,
            }
        )
        self._topics.update(touched)
        return self._seq

    def close(self) -> None:
        """Write the steps; the last act before COMMIT, so that their time is as late as can be."""
        if not self._changes:
            return
        stamp = {"seq": self._seq, "time": self.tick()}
        self._connection.execute(
            changes.insert(), [{**change, "time": self._time} for change in self._changes]
        )
        if self._topics:
            key = sa.tuple_(topics.c.kind, topics.c.category_id)
            self._connection.execute(topics.update().where(key.in_(sorted(self._topics))).values(stamp))
        self._connection.execute(ledger.update().values(stamp))


def open_topics(connection: sa.Connection, category_id: int, kinds: Iterable[str]) -> None:
    """Make the topics of a new category; `Ledger.close` stamps them."""
    rows = [{"kind": kind, "category_id": category_id, "seq": 0, "time": EPOCH} for kind in kinds]
    connection.execute(topics.insert(), rows)
