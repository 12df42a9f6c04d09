"""Which feeds changed, and who is to be sent them; what is claimed and not reported comes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from feedsvc.model import Clock
from feedsvc.store.database import Database
from feedsvc.store.push_tables import pushed_feeds, pushed_topics, subscriptions
from feedsvc.store.tables import ledger, topics
from feedsvc.subscription import Delivery, Outcome, PushedFeed

CLAIM = timedelta(seconds=15)
"""How long work is left to who has claimed it."""

_A_CLAIM = 64


class Deliveries:
    """The deliveries that a database calls for."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def claim_feeds(self, after: int, pause: timedelta, limit: int) -> tuple[list[str], int]:
        """Feeds with subscribers that may have changed, for the length of the pause nobody else's.

        :param after: a step up to which all was looked at.
        :returns: the canonical paths, and the step up to which all was looked at now.
        """
        now, feeds = self._clock(), pushed_feeds.c
        of = pushed_topics.c
        same = sa.and_(topics.c.kind == of.kind, topics.c.category_id == of.category_id)
        moved = sa.select(feeds.path).join(pushed_topics, of.path == feeds.path).join(topics, same)
        moved = moved.where(topics.c.seq > after, topics.c.seq > feeds.seq)
        ended = sa.select(feeds.path).where(feeds.due <= now)
        with self._database.read() as connection:
            step: int = connection.scalar(sa.select(ledger.c.seq)) or 0
            candidates = set(connection.scalars(moved.union(ended).limit(8 * limit)))
        if not candidates:
            return [], step
        quiet = sa.select(feeds.path).where(feeds.path.in_(candidates), feeds.looked <= now - pause)
        mine = claim(feeds.path, quiet.order_by(feeds.looked).limit(limit), looked=now)
        with self._database.write() as connection:
            return list(connection.scalars(mine.returning(feeds.path))), after

    def note(self, feed: PushedFeed) -> None:
        """Keep how a feed is now; what its subscribers do not have waits for them."""
        now = self._clock()
        known = sa.and_(pushed_feeds.c.path == feed.path, pushed_feeds.c.seq <= feed.seq)
        state = {"etag": feed.etag, "seq": feed.seq, "due": feed.due}
        behind = sa.and_(subscriptions.c.path == feed.path, subscriptions.c.etag != feed.etag)
        since = (subscriptions.c.waits, subscriptions.c.due)
        begun = {one.name: sa.func.coalesce(one, sa.literal(now, one.type)) for one in since}
        with self._database.write() as connection:
            if connection.execute(pushed_feeds.update().where(known).values(state)).rowcount:
                take(connection, subscriptions.c.path == feed.path)
                connection.execute(subscriptions.update().where(behind).values(wanted=feed.etag, **begun))

    def claim_deliveries(self, limit: int, busy: Mapping[str, int], a_host: int) -> list[Delivery]:
        """What is to be delivered now, for the next 15 seconds nobody else's.

        :param busy: how many are under way to each host.
        :param a_host: how many may be, at most.
        """
        now, of = self._clock(), subscriptions.c
        full = [host for host, count in busy.items() if count >= a_host]
        due = sa.select(of.id, of.host).where(of.due <= now, of.expires > now, of.host.not_in(full))
        due = due.order_by(of.due).limit(min(limit, _A_CLAIM))
        if not found(self._database, due):
            return []
        with self._database.write() as connection:
            mine, counts = [], Counter(busy)
            for row in connection.execute(due.with_for_update(skip_locked=True)):
                counts[row.host] += 1
                mine += [row.id] if counts[row.host] <= a_host else []
            taken = subscriptions.update().where(of.id.in_(mine)).values(due=now + CLAIM)
            taken = taken.returning(*(of[field.name] for field in fields(Delivery)))
            return [Delivery(**row) for row in connection.execute(taken).mappings()] if mine else []

    def report(self, outcomes: Collection[Outcome]) -> None:
        """Keep what became of deliveries."""
        of, now = subscriptions.c, self._clock()
        done = [{"key": o.delivery.id, "tag": o.etag, "seen": o.delivery.wanted} for o in outcomes if o.etag]
        # What came up while it was under way waits on.
        due = sa.case((of.wanted == sa.bindparam("seen"), None), else_=now)
        arrived = subscriptions.update().where(of.id == sa.bindparam("key"))
        arrived = arrived.values(etag=sa.bindparam("tag"), failures=0, due=due, waits=due)
        with self._database.write() as connection:
            take(connection, of.id.in_([outcome.delivery.id for outcome in outcomes]))
            if done:
                connection.execute(arrived, done)
            for outcome in outcomes:
                mine = of.id == outcome.delivery.id
                if outcome.retry:
                    values = {"failures": outcome.delivery.failures + 1, "due": now + outcome.retry}
                    connection.execute(subscriptions.update().where(mine).values(values))
                elif not outcome.etag:
                    connection.execute(subscriptions.delete().where(mine))


def claim(key: sa.Column[Any], among: sa.Select[Any], **values: Any) -> sa.Update:
    """What takes the rows whose keys `among` selects, but for those that another takes right now."""
    mine = key.in_(among.with_for_update(skip_locked=True))
    return sa.update(key.table).where(mine).values(values)


def found(database: Database, wanted: sa.Select[Any]) -> bool:
    """Whether a look that disturbs no writer finds something."""
    with database.read() as connection:
        return connection.execute(wanted.limit(1)).first() is not None


def take(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Lock subscriptions that are to be changed, in one order for all, so that no two writers wait for each
    other."""
    of = subscriptions.c
    connection.execute(sa.select(of.id).where(which).order_by(of.id).with_for_update())
