"""Subscriptions, and what their callbacks are to be asked before there is one, or told at its end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.errors import Forbidden
from feedsvc.model import Clock
from feedsvc.store.database import Database
from feedsvc.store.deliveries import CLAIM, claim, found, take
from feedsvc.store.push_tables import pushed_feeds, pushed_topics, subscription_requests, subscriptions
from feedsvc.store.tables import ledger
from feedsvc.subscription import PushedFeed, SubscriptionRequest

MOST_A_HOST = 100
"""Subscriptions of one host's callbacks at most."""

_requests = subscription_requests.c


class Subscriptions:
    """The subscriptions of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def request(self, wanted: SubscriptionRequest) -> None:
        """Keep a request until the callback was asked; it takes the place of one for the same subscription.

        :raises Forbidden: the callback's host has too many.
        """
        id, now = _id(wanted.callback, wanted.path), self._clock()
        with self._database.write() as connection:
            if wanted.mode == "subscribe":
                known = (
                    sa.select(table.c.id).where(table.c.host == wanted.host, table.c.id != id)
                    for table in (subscriptions, subscription_requests)
                )
                if (connection.scalar(_count(sa.union(*known).subquery())) or 0) >= MOST_A_HOST:
                    raise Forbidden(f"{wanted.host} has {MOST_A_HOST} subscriptions already.")
            connection.execute(subscription_requests.delete().where(_requests.id == id))
            connection.execute(subscription_requests.insert(), {**asdict(wanted), "id": id, "due": now})

    def claim_requests(self, limit: int) -> list[SubscriptionRequest]:
        """Requests whose callbacks are to be asked now, for the next 15 seconds nobody else's.

        Those come first that were not asked in vain: no crowd of dead callbacks delays the others.
        """
        now = self._clock()
        due = sa.select(_requests.id).where(_requests.due <= now).order_by(_requests.failures, _requests.due)
        if not found(self._database, due):
            return []
        mine = claim(_requests.id, due.limit(limit), due=now + CLAIM)
        mine = mine.returning(*(column for column in _requests if column.name != "id"))
        with self._database.write() as connection:
            return [SubscriptionRequest(**row) for row in connection.execute(mine).mappings()]

    def postpone(self, done: SubscriptionRequest, pause: timedelta) -> None:
        """Have a callback that could not be asked be asked again after the pause."""
        values = {"due": self._clock() + pause, "failures": done.failures + 1}
        with self._database.write() as connection:
            connection.execute(subscription_requests.update().where(_claimed(done)).values(values))

    def close(self, done: SubscriptionRequest, confirmed: bool) -> None:
        """End a request; where its callback has confirmed that it unsubscribes, the subscription too."""
        with self._database.write() as connection:
            id = _take(connection, done)
            if id and confirmed and done.mode == "unsubscribe":
                connection.execute(subscriptions.delete().where(subscriptions.c.id == id))

    def subscribe(self, done: SubscriptionRequest, feed: PushedFeed) -> None:
        """Make or renew a subscription as its callback has confirmed; `feed` is how that is now."""
        now = self._clock()
        values = {"secret": done.secret, "expires": now + timedelta(seconds=done.lease), "failures": 0}
        # Who renews is there again: what waits is tried at once.
        retried = sa.case((subscriptions.c.waits.is_not(None), now))
        with self._database.write() as connection:
            connection.execute(sa.select(ledger.c.id).with_for_update())  # see `tidy`
            id = _take(connection, done)
            renewed = subscriptions.update().where(subscriptions.c.id == id)
            if not id or connection.execute(renewed.values({**values, "due": retried})).rowcount:
                return
            etag = _watched(connection, feed, now)
            row = {"id": id, "path": done.path, "callback": done.callback, "host": done.host, "since": now}
            connection.execute(subscriptions.insert(), {**row, **values, "etag": etag, "wanted": etag})

    def end(self, path: str, reason: str) -> None:
        """End the subscriptions of a feed that there is no longer, and deny those that are asked for; each
        callback is told."""
        self.drop(subscriptions.c.path == path, reason)
        wished = sa.and_(_requests.path == path, _requests.mode == "subscribe")
        denied = {"mode": "denied", "reason": reason, "failures": 0, "due": self._clock()}
        with self._database.write() as connection:
            connection.execute(subscription_requests.update().where(wished).values(denied))

    def drop(self, which: sa.ColumnElement[bool], reason: str) -> int:
        """End some subscriptions, and have their callbacks told so (WebSub §5.2); returns how many."""
        columns = ("id", "path", "callback", "host")
        told = sa.select(
            *(subscriptions.c[name] for name in columns),
            *(sa.literal("denied"), sa.literal(0), sa.literal(reason)),
            sa.literal(self._clock(), _requests.due.type),
        ).where(which)
        names = [*columns, "mode", "lease", "reason", "due"]
        with self._database.write() as connection:
            take(connection, which)
            ids = sa.select(subscriptions.c.id).where(which)
            connection.execute(subscription_requests.delete().where(_requests.id.in_(ids)))
            connection.execute(subscription_requests.insert().from_select(names, told))
            return connection.execute(subscriptions.delete().where(which)).rowcount

    def tidy(self) -> None:
        """End what has expired, and cease to look after feeds that have no subscriber left."""
        with self._database.write() as connection:
            # Nobody subscribes in between, who would rely on a feed's being looked after.
            connection.execute(sa.select(ledger.c.id).with_for_update())
            over = subscriptions.c.expires <= self._clock()
            take(connection, over)
            connection.execute(subscriptions.delete().where(over))
            for table in (pushed_feeds, pushed_topics):
                used = sa.exists().where(subscriptions.c.path == table.c.path)
                connection.execute(table.delete().where(~used))

    def all(self) -> Sequence[sa.RowMapping]:
        """Every subscription but for its secret, by feed and callback."""
        of = subscriptions.c
        wanted = sa.select(*(c for c in of if c.name not in ("secret", "etag", "wanted")))
        with self._database.read() as connection:
            return connection.execute(wanted.order_by(of.path, of.callback)).mappings().all()

    def drop_callback(self, callback: str) -> int:
        """End the subscriptions of all callbacks that begin so; returns how many."""
        which = subscriptions.c.callback.startswith(callback, autoescape=True)
        return self.drop(which, "The operator has ended it.")

    def counts(self) -> dict[str, float]:
        """How many subscriptions and requests there are, wait, and fail; and for how many seconds the
        oldest waits."""
        of, now = subscriptions.c, self._clock()
        wanted = sa.select(
            sa.func.count().label("subscriptions"),
            _count(subscription_requests).scalar_subquery().label("requests"),
            sa.func.count(of.waits).label("waiting"),
            sa.func.count().filter(of.failures > 0).label("failing"),
            sa.func.min(of.waits).label("oldest"),
        ).select_from(subscriptions)
        with self._database.read() as connection:
            found = dict(connection.execute(wanted).mappings().one())
        return {**found, "oldest": (now - found["oldest"]).total_seconds() if found["oldest"] else 0.0}


def _watched(connection: sa.Connection, feed: PushedFeed, now: datetime) -> str:
    """Begin to look after a feed, unless that is done already; returns its ETag as it is known."""
    known: str | None = connection.scalar(
        sa.select(pushed_feeds.c.etag).where(pushed_feeds.c.path == feed.path)
    )
    if known:
        return known
    row = {"path": feed.path, "etag": feed.etag, "seq": feed.seq, "looked": now, "due": feed.due}
    connection.execute(pushed_feeds.insert(), row)
    rows = [{"path": feed.path, "kind": kind, "category_id": key} for kind, key in feed.topics]
    connection.execute(pushed_topics.insert(), rows)
    return feed.etag


def _take(connection: sa.Connection, done: SubscriptionRequest) -> str | None:
    """Delete a request that was claimed; returns its id, or None where another has taken its place."""
    taken = subscription_requests.delete().where(_claimed(done)).returning(_requests.id)
    return connection.scalar(taken)


def _claimed(done: SubscriptionRequest) -> sa.ColumnElement[bool]:
    """A request that was claimed, unless another has taken its place."""
    return sa.and_(_requests.id == _id(done.callback, done.path), _requests.due == done.due)


def _id(callback: str, path: str) -> str:
    return hashlib.sha256(f"{callback} {path}".encode()).hexdigest()


def _count(table: sa.FromClause) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(table)
