"""Other hubs, each with the step of the ledger up to which it was told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from feedsvc.model import Clock
from feedsvc.query import KINDS
from feedsvc.store.database import Database
from feedsvc.store.push_tables import hubs
from feedsvc.store.tables import categories, ledger, topics
from feedsvc.subscription import Notice

CLAIM = timedelta(seconds=60)
"""How long a hub is left to who has claimed it."""


class Hubs:
    """The hubs of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def know(self, urls: Iterable[str]) -> None:
        """Have these hubs told of what changes from now on, and no others."""
        with self._database.write() as connection:
            step = connection.scalar(sa.select(ledger.c.seq).with_for_update())
            connection.execute(hubs.delete().where(hubs.c.url.not_in(urls)))
            known = set(connection.scalars(sa.select(hubs.c.url)))
            for url in set(urls) - known:
                row = {"url": url, "seq": step, "due": self._clock(), "failures": 0}
                connection.execute(hubs.insert(), row)

    def claim(self) -> list[Notice]:
        """What other hubs are to be told now, for the next minute by nobody else."""
        now = self._clock()
        last = sa.select(sa.func.max(topics.c.seq)).where(topics.c.kind.in_(KINDS)).scalar_subquery()
        behind = sa.select(hubs.c.url).where(hubs.c.due <= now, hubs.c.seq < last)
        with self._database.read() as connection:
            if connection.execute(behind.limit(1)).first() is None:
                return []
        claim = (
            hubs.update()
            .where(hubs.c.url.in_(behind.with_for_update(skip_locked=True)))
            .values(due=now + CLAIM)
            .returning(hubs.c.url, hubs.c.seq, hubs.c.failures)
        )
        with self._database.write() as connection:
            step = connection.scalar(sa.select(ledger.c.seq).with_for_update()) or 0
            return [
                Notice(row.url, step, row.failures, _moved(connection, row.seq))
                for row in connection.execute(claim).all()
            ]

    def report(self, notice: Notice, told: bool, pause: timedelta) -> None:
        """Keep whether a hub was told; it is told again after the pause at the earliest."""
        values = {"due": self._clock() + pause, "failures": 0 if told else notice.failures + 1}
        values |= {"seq": notice.seq} if told else {}
        with self._database.write() as connection:
            connection.execute(hubs.update().where(hubs.c.url == notice.hub).values(values))


def _moved(connection: sa.Connection, after: int) -> tuple[tuple[str, str | None], ...]:
    """The topics that moved after a step, each a kind and a category's slug."""
    wanted = (
        sa.select(topics.c.kind, categories.c.slug)
        .join_from(topics, categories, topics.c.category_id == categories.c.id, isouter=True)
        .where(topics.c.seq > after, topics.c.kind.in_(KINDS), categories.c.retired.is_(None))
        .order_by(topics.c.seq, topics.c.kind, topics.c.category_id)
    )
    return tuple((row.kind, row.slug) for row in connection.execute(wanted))
