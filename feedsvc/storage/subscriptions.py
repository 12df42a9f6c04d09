"""Subscriptions, and what their callbacks are to be asked before there is one, or told at its end."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.models import Clock
from feedsvc.storage import quotas
from feedsvc.storage.database import Database
from feedsvc.storage.deliveries import (
    CLAIM_TIMEOUT,
    claim,
    exists,
    lock_subscriptions,
    shared,
)
from feedsvc.storage.tables import change_sequence
from feedsvc.storage.websub_tables import (
    subscription_requests,
    subscriptions,
    websub_feed_keys,
    websub_feeds,
)
from feedsvc.subscription import PendingVerification, SubscribedFeed

_requests = subscription_requests.c


class Subscriptions:
    """The subscriptions of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def request(self, wanted: PendingVerification) -> None:
        """Store a request until the callback was asked; it replaces one for the same subscription.

        A request to unsubscribe from what is not subscribed to is ignored: its callback would be called on
        behalf of anybody who names it.

        :raises Forbidden: the callback's host, its registrable domain or the topic is over a limit.
        :raises TooMany: too many requests wait to be verified.
        """
        wanted = replace(
            wanted, site=wanted.site or wanted.host, topic=wanted.topic or wanted.path
        )
        id, now = _id(wanted.callback, wanted.path), self._clock()
        subscribed = sa.select(subscriptions.c.id).where(subscriptions.c.id == id)
        if wanted.mode == "unsubscribe" and not exists(self._database, subscribed):
            return
        row = {**asdict(wanted), "id": id, "due": now, "asked": now}
        del row["plain"]
        with self._database.write() as connection:
            quotas.drop_old(connection, now)
            quotas.check(connection, wanted, id)
            connection.execute(subscription_requests.delete().where(_requests.id == id))
            connection.execute(subscription_requests.insert(), row)

    def claim_requests(
        self, limit: int, busy: Mapping[str, int] | None = None, most: int = 20
    ) -> list[PendingVerification]:
        """Return requests whose callbacks are to be asked now; nobody else gets them for 15 seconds.

        Those come first that were not asked in vain, and the first of each site before the second of any:
        a crowd of dead callbacks, or one of many names, delays no other.

        :param busy: how many callbacks are being asked, by site.
        :param most: how many of a site may be.
        """
        now, busy = self._clock(), busy or {}
        rank = sa.func.row_number().over(
            partition_by=_requests.site, order_by=[_requests.failures, _requests.due]
        )
        full = [site for site, count in busy.items() if count >= most]
        due = sa.select(_requests.id, _requests.site).where(
            _requests.due <= now, _requests.site.not_in(full)
        )
        due = due.order_by(_requests.failures, rank, _requests.due).limit(
            4 * max(limit, 0)
        )
        with self._database.read() as connection:
            rows = connection.execute(due).all()
        chosen = shared([(row.id, {row.site}) for row in rows], limit, busy, most)
        if not chosen:
            return []
        still = sa.select(_requests.id).where(
            _requests.id.in_(chosen), _requests.due <= now
        )
        columns = [column for column in _requests if column.name not in ("id", "asked")]
        mine = claim(_requests.id, still, due=now + CLAIM_TIMEOUT).returning(*columns)
        with self._database.write() as connection:
            claimed = [
                PendingVerification(**row)
                for row in connection.execute(mine).mappings()
            ]
        return sorted(
            claimed, key=lambda one: chosen.index(_id(one.callback, one.path))
        )

    def reschedule(self, done: PendingVerification, pause: timedelta) -> None:
        """Have a callback that could not be asked be asked again after the pause."""
        values = {"due": self._clock() + pause, "failures": done.failures + 1}
        with self._database.write() as connection:
            connection.execute(
                subscription_requests.update().where(_claimed(done)).values(values)
            )

    def put_off(self, done: PendingVerification, pause: timedelta) -> None:
        """Have a callback that was not called, since its address had enough, be asked after the pause."""
        with self._database.write() as connection:
            later = (
                subscription_requests.update()
                .where(_claimed(done))
                .values(due=self._clock() + pause)
            )
            connection.execute(later)

    def close(self, done: PendingVerification, unsubscribed: str | None = None) -> None:
        """End a request; where its callback has confirmed that it unsubscribes, the subscription too.

        :param unsubscribed: the path that the feed has now, where it was confirmed.
        """
        with self._database.write() as connection:
            if _take(connection, done) and unsubscribed:
                id = _id(done.callback, unsubscribed)
                connection.execute(
                    subscriptions.delete().where(subscriptions.c.id == id)
                )

    def subscribe(
        self,
        done: PendingVerification,
        feed: SubscribedFeed,
        address: str | None = None,
    ) -> None:
        """Make or renew a subscription as its callback has confirmed; `feed` is how that is now.

        It is denied where the address that the callback has resolved to has too many.
        """
        now = self._clock()
        values = {
            "secret": done.secret,
            "expires": now + timedelta(seconds=done.lease),
            "failures": 0,
        }
        values |= {"topic": done.topic or done.path, "address": address}
        id = _id(done.callback, feed.path)
        # Who renews is there again: what waits is tried at once.
        retried = sa.case((subscriptions.c.pending_since.is_not(None), now))
        with self._database.write() as connection:
            connection.execute(
                sa.select(change_sequence.c.id).with_for_update()
            )  # see `tidy`
            if quotas.is_crowded(connection, address, id):
                reason = (
                    f"{address} has {quotas.MOST_AN_ADDRESS} subscriptions already."
                )
                connection.execute(_denying(_claimed(done), reason, now))
                return
            if not _take(connection, done):
                return
            renewed = subscriptions.update().where(subscriptions.c.id == id)
            if connection.execute(renewed.values({**values, "due": retried})).rowcount:
                return
            etag = _track_feed(connection, feed, now)
            row = {
                "id": id,
                "path": feed.path,
                "callback": done.callback,
                "host": done.host,
                "since": now,
            }
            row |= {"site": done.site or done.host, "etag": etag, "target_etag": etag}
            connection.execute(subscriptions.insert(), {**row, **values})

    def move(self, path: str, feed: SubscribedFeed) -> None:
        """Move the subscriptions of a feed to what it is since a category was renamed or retired.

        They are due, so that subscribers learn the new address from the document and its links.
        """
        now, of = self._clock(), subscriptions.c
        with self._database.write() as connection:
            connection.execute(
                sa.select(change_sequence.c.id).with_for_update()
            )  # see `tidy`
            lock_subscriptions(connection, of.path.in_([path, feed.path]))
            etag = _track_feed(connection, feed, now)
            there = set(
                connection.scalars(sa.select(of.callback).where(of.path == feed.path))
            )
            rows = connection.execute(
                sa.select(of.id, of.callback, of.pending_since).where(of.path == path)
            ).all()
            twice = [row.id for row in rows if row.callback in there]
            connection.execute(subscriptions.delete().where(of.id.in_(twice)))
            for row in rows:
                values = {
                    "id": _id(row.callback, feed.path),
                    "path": feed.path,
                    "target_etag": etag,
                    "due": now,
                }
                moved = subscriptions.update().where(of.id == row.id)
                connection.execute(
                    moved.values({**values, "pending_since": row.pending_since or now})
                )

    def end(self, path: str, reason: str) -> None:
        """End the subscriptions of a feed that there is no longer, and deny those that are asked for; each
        callback is told."""
        self.cancel(subscriptions.c.path == path, reason)
        wished = sa.and_(_requests.path == path, _requests.mode == "subscribe")
        with self._database.write() as connection:
            connection.execute(_denying(wished, reason, self._clock()))

    def cancel(self, which: sa.ColumnElement[bool], reason: str) -> int:
        """End some subscriptions, and have their callbacks told so (WebSub §5.2); returns how many."""
        columns = ("id", "path", "topic", "callback", "host", "site")
        now = sa.literal(self._clock(), _requests.due.type)
        told = sa.select(
            *(subscriptions.c[name] for name in columns),
            *(sa.literal("denied"), sa.literal(0), sa.literal(reason)),
            *(now, now),
        ).where(which)
        names = [*columns, "mode", "lease", "reason", "due", "asked"]
        with self._database.write() as connection:
            lock_subscriptions(connection, which)
            ids = sa.select(subscriptions.c.id).where(which)
            connection.execute(
                subscription_requests.delete().where(_requests.id.in_(ids))
            )
            connection.execute(subscription_requests.insert().from_select(names, told))
            return connection.execute(subscriptions.delete().where(which)).rowcount

    def purge_expired(self) -> None:
        """End what has expired, and cease to look after feeds that have no subscriber left."""
        with self._database.write() as connection:
            quotas.drop_old(connection, self._clock())
            # Nobody subscribes in between, who would rely on a feed's being looked after.
            connection.execute(sa.select(change_sequence.c.id).with_for_update())
            over = subscriptions.c.expires <= self._clock()
            lock_subscriptions(connection, over)
            connection.execute(subscriptions.delete().where(over))
            for table in (websub_feeds, websub_feed_keys):
                used = sa.exists().where(subscriptions.c.path == table.c.path)
                connection.execute(table.delete().where(~used))

    def list(self) -> Sequence[sa.RowMapping]:
        """Every subscription but for its secret, by feed and callback."""
        of = subscriptions.c
        hidden = ("secret", "etag", "target_etag", "topic")
        wanted = sa.select(*(column for column in of if column.name not in hidden))
        with self._database.read() as connection:
            return (
                connection.execute(wanted.order_by(of.path, of.callback))
                .mappings()
                .all()
            )

    def cancel_callback(self, callback: str) -> int:
        """End the subscriptions of all callbacks that begin so; returns how many."""
        which = subscriptions.c.callback.startswith(callback, autoescape=True)
        return self.cancel(which, "The operator has ended it.")

    def counts(self) -> dict[str, float]:
        """How many subscriptions and requests there are, wait, and fail; and for how many seconds the
        oldest waits."""
        of, now = subscriptions.c, self._clock()
        wanted = sa.select(
            sa.func.count().label("subscriptions"),
            _count(subscription_requests).scalar_subquery().label("requests"),
            sa.func.count(of.pending_since).label("waiting"),
            sa.func.count().filter(of.failures > 0).label("failing"),
            sa.func.min(of.pending_since).label("oldest"),
        ).select_from(subscriptions)
        with self._database.read() as connection:
            found = dict(connection.execute(wanted).mappings().one())
        return {
            **found,
            "oldest": (now - found["oldest"]).total_seconds()
            if found["oldest"]
            else 0.0,
        }


def _track_feed(connection: sa.Connection, feed: SubscribedFeed, now: datetime) -> str:
    """Begin to look after a feed, unless that is done already; returns its ETag as it is known."""
    known: str | None = connection.scalar(
        sa.select(websub_feeds.c.etag).where(websub_feeds.c.path == feed.path)
    )
    if known:
        return known
    row = {
        "path": feed.path,
        "etag": feed.etag,
        "seq": feed.seq,
        "checked_at": now,
        "due": feed.due,
    }
    row |= {"plain": feed.plain, "seconds": feed.seconds}
    connection.execute(websub_feeds.insert(), row)
    rows = [
        {"path": feed.path, "kind": kind, "category_id": key}
        for kind, key in feed.topics
    ]
    connection.execute(websub_feed_keys.insert(), rows)
    return feed.etag


def _take(connection: sa.Connection, done: PendingVerification) -> str | None:
    """Delete a request that was claimed; returns its id, or None where another has taken its place."""
    taken = subscription_requests.delete().where(_claimed(done)).returning(_requests.id)
    return connection.scalar(taken)


def _claimed(done: PendingVerification) -> sa.ColumnElement[bool]:
    """A request that was claimed, unless another has taken its place."""
    return sa.and_(
        _requests.id == _id(done.callback, done.path), _requests.due == done.due
    )


def _denying(which: sa.ColumnElement[bool], reason: str, now: datetime) -> sa.Update:
    """Turn requests into denials, which their callbacks are told."""
    denied = {"mode": "denied", "reason": reason, "failures": 0, "due": now}
    return subscription_requests.update().where(which).values(denied)


def _id(callback: str, path: str) -> str:
    return hashlib.sha256(f"{callback} {path}".encode()).hexdigest()


def _count(table: sa.FromClause) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(table)
