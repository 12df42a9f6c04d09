"""Subscriptions to feeds, and the requests for them that are not verified yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.models import Clock
from feedsvc.storage import subscription_limits as limits
from feedsvc.storage.database import Database
from feedsvc.storage.deliveries import (
    RunningCalls,
    claim_calls,
)
from feedsvc.storage.tables import change_sequence
from feedsvc.storage.websub_tables import (
    lock_subscriptions,
    row_exists,
    subscription_requests,
    subscriptions,
    websub_feed_keys,
    websub_feeds,
)
from feedsvc.websub_types import PendingVerification, SubscribedFeed

_requests = subscription_requests.c
# The secret signs deliveries; the others say nothing to an operator.
_HIDDEN_COLUMNS = ("secret", "etag", "target_etag", "topic")


class Subscriptions:
    """The subscriptions of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def request(
        self, request: PendingVerification, *, is_canonical: bool = True
    ) -> None:
        """Store a request to verify, in place of an earlier one of the subscription.

        :param is_canonical: the feed is that of a section or of one category, without
            parameters.
        :raises Forbidden: the callback's host, domain or feed is over a limit.
        :raises RateLimited: too many requests are unverified.
        """
        id = _subscription_id(request.callback, request.path)
        if request.mode == "unsubscribe":
            # Without a subscription the callback is not called: anybody could name a
            # server that then gets a request from us.
            query = sa.select(subscriptions.c.id).where(subscriptions.c.id == id)
            if not row_exists(self._database, query):
                return
        now = self._clock()
        row = asdict(request)
        row |= {"id": id, "next_attempt_at": now, "created_at": now}
        with self._database.write() as connection:
            # First, so that they do not count against the limits.
            limits.drop_old_requests(connection, now)
            limits.check_limits(connection, request, id, is_canonical=is_canonical)
            connection.execute(subscription_requests.delete().where(_requests.id == id))
            connection.execute(subscription_requests.insert(), row)

    def claim_requests(
        self, limit: int, running: RunningCalls
    ) -> list[PendingVerification]:
        """Claim due requests; no other worker gets them within `CLAIM_TIMEOUT`.

        Requests without failures come first, and the first of each domain before the
        second of any: many dead callbacks, or many names of one owner, delay no other.
        """
        now = self._clock()
        rank = sa.func.row_number().over(
            partition_by=_requests.domain,
            order_by=[_requests.failures, _requests.next_attempt_at],
        )
        candidates = (
            sa.select(_requests.id, _requests.domain)
            .where(
                _requests.next_attempt_at <= now,
                _requests.domain.not_in(running.full_keys()),
            )
            .order_by(_requests.failures, rank, _requests.next_attempt_at)
        )
        return claim_calls(
            PendingVerification, self._database, candidates, limit, running, now
        )

    def reschedule(
        self, request: PendingVerification, delay: timedelta, failures: int
    ) -> None:
        """Try a claimed request again, which failed that often by now."""
        values = {"next_attempt_at": self._clock() + delay, "failures": failures}
        update = subscription_requests.update().where(_is_current(request))
        with self._database.write() as connection:
            connection.execute(update.values(values))

    def close_request(
        self, request: PendingVerification, unsubscribed_path: str | None = None
    ) -> None:
        """End a claimed request.

        :param unsubscribed_path: today's path of the feed if its subscription ends too.
        """
        with self._database.write() as connection:
            # If a newer request took its place, the subscription is up to that one.
            if _delete_request(connection, request) and unsubscribed_path:
                id = _subscription_id(request.callback, unsubscribed_path)
                connection.execute(
                    subscriptions.delete().where(subscriptions.c.id == id)
                )

    def subscribe(
        self,
        request: PendingVerification,
        feed: SubscribedFeed,
        address: str | None = None,
    ) -> None:
        """Create or renew the subscription of a verified request.

        If the address has too many subscriptions, deny it instead.

        :param feed: its state now.
        :param address: network that the callback resolved to.
        """
        now = self._clock()
        id = _subscription_id(request.callback, feed.path)
        values = {
            "secret": request.secret,
            "expires_at": now + timedelta(seconds=request.lease),
            "failures": 0,
            "topic": request.topic,
            "address": address,
        }
        # A subscriber that renews answers again: deliver what is pending at once.
        is_pending = subscriptions.c.pending_since.is_not(None)
        next_attempt_at = sa.case((is_pending, now))
        with self._database.write() as connection:
            _lock_feeds(connection)
            if limits.is_address_full(connection, address, id):
                reason = (
                    f"{address} has {limits.MAX_PER_ADDRESS} subscriptions already."
                )
                connection.execute(_deny(_is_current(request), reason, now))
                return
            if not _delete_request(connection, request):
                return
            renewal = subscriptions.update().where(subscriptions.c.id == id)
            renewal = renewal.values({**values, "next_attempt_at": next_attempt_at})
            if connection.execute(renewal).rowcount:
                return
            # What the feed has now counts as delivered: WebSub sends only changes.
            etag = _track_feed(connection, feed, now)
            row = {
                **values,
                "id": id,
                "path": feed.path,
                "callback": request.callback,
                "host": request.host,
                "domain": request.domain,
                "created_at": now,
                "etag": etag,
                "target_etag": etag,
            }
            connection.execute(subscriptions.insert(), row)

    def move_feed(self, path: str, feed: SubscribedFeed) -> None:
        """Move subscriptions to the feed that replaces theirs.

        This happens when a category is renamed or retired. WebSub has no message for
        it, and subscribers that are denied poll only when their lease ends. So they
        get a delivery, whose document and links name the new URL.
        """
        now = self._clock()
        columns = subscriptions.c
        with self._database.write() as connection:
            _lock_feeds(connection)
            lock_subscriptions(connection, columns.path.in_([path, feed.path]))
            etag = _track_feed(connection, feed, now)
            in_target = sa.select(columns.callback).where(columns.path == feed.path)
            existing = set(connection.scalars(in_target))
            of_path = sa.select(
                columns.id, columns.callback, columns.pending_since
            ).where(columns.path == path)
            for row in connection.execute(of_path).all():
                same_row = columns.id == row.id
                # Subscribed to both feeds, which are one now.
                if row.callback in existing:
                    connection.execute(subscriptions.delete().where(same_row))
                    continue
                values = {
                    "id": _subscription_id(row.callback, feed.path),
                    "path": feed.path,
                    "target_etag": etag,
                    "next_attempt_at": now,
                    "pending_since": row.pending_since or now,
                }
                connection.execute(
                    subscriptions.update().where(same_row).values(values)
                )

    def end_feed(self, path: str, reason: str) -> None:
        """End the subscriptions to a feed that no longer exists, and deny new ones."""
        self._cancel(subscriptions.c.path == path, reason)
        waiting = sa.and_(_requests.path == path, _requests.mode == "subscribe")
        with self._database.write() as connection:
            connection.execute(_deny(waiting, reason, self._clock()))

    def cancel_callbacks(self, prefix: str) -> int:
        """End the subscriptions of callbacks with a prefix; return how many."""
        condition = subscriptions.c.callback.startswith(prefix, autoescape=True)
        return self._cancel(condition, "The operator has ended it.")

    def _cancel(self, condition: sa.ColumnElement[bool], reason: str) -> int:
        """Replace subscriptions by denials, sent to their callbacks (WebSub §5.2)."""
        copied = ("id", "path", "topic", "callback", "host", "domain")
        now = sa.literal(self._clock(), _requests.next_attempt_at.type)
        denials = sa.select(
            *(subscriptions.c[name] for name in copied),
            sa.literal("denied"),
            sa.literal(0),
            sa.literal(reason),
            now,
            now,
        ).where(condition)
        names = [*copied, "mode", "lease", "reason", "next_attempt_at", "created_at"]
        ids = sa.select(subscriptions.c.id).where(condition)
        with self._database.write() as connection:
            lock_subscriptions(connection, condition)
            # A denial has the id of the subscription, as a request to renew it has.
            connection.execute(
                subscription_requests.delete().where(_requests.id.in_(ids))
            )
            connection.execute(
                subscription_requests.insert().from_select(names, denials)
            )
            deleted = connection.execute(subscriptions.delete().where(condition))
            return deleted.rowcount

    def purge_expired(self) -> None:
        """Delete expired subscriptions, old requests, and feeds without subscribers."""
        now = self._clock()
        expired = subscriptions.c.expires_at <= now
        with self._database.write() as connection:
            limits.drop_old_requests(connection, now)
            _lock_feeds(connection)
            lock_subscriptions(connection, expired)
            connection.execute(subscriptions.delete().where(expired))
            for table in (websub_feeds, websub_feed_keys):
                is_used = sa.exists().where(subscriptions.c.path == table.c.path)
                connection.execute(table.delete().where(~is_used))

    def list(self) -> Sequence[sa.RowMapping]:
        """Return the subscriptions without their secrets, by feed and callback."""
        columns = [
            column for column in subscriptions.c if column.name not in _HIDDEN_COLUMNS
        ]
        query = sa.select(*columns).order_by(
            subscriptions.c.path, subscriptions.c.callback
        )
        with self._database.read() as connection:
            return connection.execute(query).mappings().all()

    def stats(self) -> dict[str, float]:
        """Return the numbers of subscriptions by state.

        Of the keys, `requests` are unverified, `pending` and `failing` are deliveries,
        and `oldest` is the age in seconds of the oldest pending delivery.
        """
        columns = subscriptions.c
        requests = sa.select(sa.func.count()).select_from(subscription_requests)
        query = sa.select(
            sa.func.count().label("subscriptions"),
            requests.scalar_subquery().label("requests"),
            sa.func.count(columns.pending_since).label("pending"),
            sa.func.count().filter(columns.failures > 0).label("failing"),
            sa.func.min(columns.pending_since).label("oldest"),
        ).select_from(subscriptions)
        with self._database.read() as connection:
            stats = dict(connection.execute(query).mappings().one())
        oldest = stats["oldest"]
        stats["oldest"] = (self._clock() - oldest).total_seconds() if oldest else 0.0
        return stats


def _lock_feeds(connection: sa.Connection) -> None:
    """Let only one transaction at a time track feeds or purge them.

    Otherwise a feed could be purged while somebody subscribes to it.
    """
    connection.execute(sa.select(change_sequence.c.id).with_for_update())


def _track_feed(connection: sa.Connection, feed: SubscribedFeed, now: datetime) -> str:
    """Start to check a feed for changes unless that is done; return its known ETag."""
    known_etag: str | None = connection.scalar(
        sa.select(websub_feeds.c.etag).where(websub_feeds.c.path == feed.path)
    )
    if known_etag:
        # Not that of `feed`, which may be newer: then the next check finds a change,
        # and delivers it to this subscriber too.
        return known_etag
    row = {
        "path": feed.path,
        "etag": feed.etag,
        "seq": feed.seq,
        "checked_at": now,
        "next_change_at": feed.next_change_at,
        "is_canonical": feed.is_canonical,
        "render_seconds": feed.render_seconds,
    }
    connection.execute(websub_feeds.insert(), row)
    keys = [
        {"path": feed.path, "kind": kind, "category_id": category_id}
        for kind, category_id in feed.feed_keys
    ]
    connection.execute(websub_feed_keys.insert(), keys)
    return feed.etag


def _is_current(request: PendingVerification) -> sa.ColumnElement[bool]:
    """Match a claimed request unless a newer one has replaced it."""
    return sa.and_(
        _requests.id == _subscription_id(request.callback, request.path),
        _requests.next_attempt_at == request.next_attempt_at,
    )


def _delete_request(connection: sa.Connection, request: PendingVerification) -> bool:
    """Delete a claimed request; return False if a newer one has replaced it."""
    delete = subscription_requests.delete().where(_is_current(request))
    return connection.execute(delete).rowcount > 0


def _deny(condition: sa.ColumnElement[bool], reason: str, now: datetime) -> sa.Update:
    """Turn requests into denials, which their callbacks are told."""
    values = {"mode": "denied", "reason": reason, "failures": 0, "next_attempt_at": now}
    return subscription_requests.update().where(condition).values(values)


def _subscription_id(callback: str, path: str) -> str:
    return hashlib.sha256(f"{callback} {path}".encode()).hexdigest()
