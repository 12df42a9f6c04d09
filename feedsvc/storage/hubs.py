"""Other hubs, each with the step of the ledger, and the time of ends of events, up to which it was told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.models import Clock
from feedsvc.query import KINDS
from feedsvc.storage.database import Database
from feedsvc.storage.deliveries import claim, exists
from feedsvc.storage.tables import (
    categories,
    change_sequence,
    entries,
    entry_categories,
    feed_versions,
)
from feedsvc.storage.websub_tables import hubs
from feedsvc.subscription import HubPing

CLAIM_TIMEOUT = timedelta(seconds=60)
"""How long a hub is left to who has claimed it."""


class Hubs:
    """The hubs of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def configure(self, urls: Iterable[str]) -> None:
        """Have these hubs told of what changes from now on, and no others."""
        now = self._clock()
        with self._database.write() as connection:
            step = connection.scalar(sa.select(change_sequence.c.seq).with_for_update())
            connection.execute(hubs.delete().where(hubs.c.url.not_in(urls)))
            known = set(connection.scalars(sa.select(hubs.c.url)))
            for url in set(urls) - known:
                row = {
                    "url": url,
                    "seq": step,
                    "checked_at": now,
                    "due": now,
                    "failures": 0,
                }
                connection.execute(hubs.insert(), row)

    def claim(self) -> list[HubPing]:
        """What other hubs are to be told now, for the next minute by nobody else."""
        now, of = self._clock(), hubs.c
        last = (
            sa.select(sa.func.max(feed_versions.c.seq))
            .where(feed_versions.c.kind.in_(KINDS))
            .scalar_subquery()
        )
        news = sa.or_(of.seq < last, sa.exists().where(_ended(of.checked_at, now)))
        behind = sa.select(of.url).where(of.due <= now, news)
        if not exists(self._database, behind):
            return []
        mine = claim(of.url, behind, due=now + CLAIM_TIMEOUT).returning(
            of.url, of.seq, of.checked_at, of.failures
        )
        with self._database.write() as connection:
            step = connection.scalar(sa.select(change_sequence.c.seq)) or 0
            return [
                HubPing(
                    row.url,
                    step,
                    now,
                    row.failures,
                    _moved(connection, row.seq, row.checked_at, now),
                )
                for row in connection.execute(mine).all()
            ]

    def record_result(self, notice: HubPing, told: bool, pause: timedelta) -> None:
        """Keep whether a hub was told; it is told again after the pause at the earliest."""
        values = {
            "due": self._clock() + pause,
            "failures": 0 if told else notice.failures + 1,
        }
        values |= {"seq": notice.seq, "checked_at": notice.checked_at} if told else {}
        with self._database.write() as connection:
            connection.execute(
                hubs.update().where(hubs.c.url == notice.hub).values(values)
            )


def _moved(
    connection: sa.Connection, step: int, looked: datetime | None, now: datetime
) -> tuple[tuple[str, str | None], ...]:
    """The topics that moved after a step, or that an event has left by its end, each a kind and a slug."""
    over = (
        sa.select(entry_categories.c.kind, entry_categories.c.category_id)
        .join(entries)
        .where(_ended(looked, now))
    )
    among = (
        sa.select(feed_versions.c.kind, feed_versions.c.category_id)
        .where(feed_versions.c.seq > step, feed_versions.c.kind.in_(KINDS))
        .union(
            over, sa.select(entries.c.kind, sa.literal(0)).where(_ended(looked, now))
        )
        .subquery()
    )
    wanted = (
        sa.select(among.c.kind, categories.c.slug)
        .join_from(
            among, categories, among.c.category_id == categories.c.id, isouter=True
        )
        .where(categories.c.retired.is_(None))
        .order_by(among.c.kind, among.c.category_id)
    )
    return tuple((row.kind, row.slug) for row in connection.execute(wanted))


def _ended(
    looked: sa.Column[datetime] | datetime | None, now: datetime
) -> sa.ColumnElement[bool]:
    """That an event which was shown has come to its end since a look, which is no step of the ledger."""
    of = entries.c
    return sa.and_(of.kind == "events", of.is_visible, of.ends > looked, of.ends <= now)
