"""Work of the delivery workers: changed feeds, deliveries, and pings of external hubs.

Workers claim rows for a time. A claim whose result is not recorded by then runs out, so
that another worker takes over the work of one that died.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from feedsvc.feed_query import KINDS
from feedsvc.models import Clock
from feedsvc.storage.database import Database
from feedsvc.storage.tables import (
    categories,
    change_sequence,
    entries,
    entry_categories,
    feed_versions,
)
from feedsvc.storage.websub_tables import (
    claim_rows,
    hubs,
    lock_subscriptions,
    row_exists,
    subscriptions,
    websub_feed_keys,
    websub_feeds,
)
from feedsvc.websub_types import (
    Delivery,
    DeliveryResult,
    HubPing,
    PendingVerification,
    SubscribedFeed,
)

CLAIM_TIMEOUT = timedelta(seconds=15)
"""Validity of a claim of a delivery or verification. A call takes 10 s at most."""

HUB_CLAIM_TIMEOUT = timedelta(seconds=60)
"""Validity of a claim of a hub, which may get several calls."""

SLOW_CALLBACK = 1.0
"""Latency in seconds above which a callback counts as slow."""

SLOW_FEED = 0.5
"""Render time in seconds from which a feed counts as slow."""

# A claim that is too large would run out before its last delivery has started.
_MAX_CLAIM = 64

_Call = TypeVar("_Call", Delivery, PendingVerification)

Speed = Literal["fast", "new", "slow"]
"""Classes of callbacks by their responses: fast, never called, slow or failing."""

_BY_SPEED = {
    "fast": sa.and_(
        subscriptions.c.failures == 0, subscriptions.c.latency <= SLOW_CALLBACK
    ),
    "new": sa.and_(subscriptions.c.failures == 0, subscriptions.c.latency.is_(None)),
    "slow": sa.or_(
        subscriptions.c.failures > 0, subscriptions.c.latency > SLOW_CALLBACK
    ),
}


@dataclass(frozen=True)
class RunningCalls:
    """The calls that a worker has under way, which limit what it may claim."""

    counts: Mapping[str, int]
    """Number of calls by registrable domain and by network address."""
    max_per_key: int
    """Limit for each of these."""

    def full_keys(self) -> list[str]:
        """Return the domains and addresses that are at their limit."""
        return [key for key, count in self.counts.items() if count >= self.max_per_key]


class Deliveries:
    """The feeds with subscribers, and the deliveries that they need."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim_feeds(
        self, after: int, debounce: timedelta, limit: int, slow_limit: int = 1
    ) -> tuple[list[SubscribedFeed], int]:
        """Claim feeds that may have changed, to be rendered.

        Feeds of sections and single categories come first, then fast ones. A fast feed
        is claimed for the debounce time, a slow one for `CLAIM_TIMEOUT`.

        :param after: sequence number up to which everything was checked.
        :param debounce: time for which a checked feed is left alone, so that changes in
            quick succession become one delivery.
        :param limit: number of fast feeds; `slow_limit` that of slow ones.
        :returns: the feeds in their last known state, without their feed keys; and the
            new sequence number up to which everything was checked.
        """
        now = self._clock()
        feeds = websub_feeds.c
        keys = websub_feed_keys.c
        same_key = sa.and_(
            feed_versions.c.kind == keys.kind,
            feed_versions.c.category_id == keys.category_id,
        )
        changed = (
            sa.select(feeds.path)
            .join(websub_feed_keys, keys.path == feeds.path)
            .join(feed_versions, same_key)
            # The first condition has an index, and leaves few rows for the second.
            .where(feed_versions.c.seq > after, feed_versions.c.seq > feeds.seq)
        )
        due = sa.select(feeds.path).where(feeds.next_change_at <= now)
        either = changed.union(due).subquery()
        candidates = (
            sa.select(feeds.path, feeds.render_seconds, feeds.checked_at)
            .join(either, either.c.path == feeds.path)
            .order_by(
                feeds.render_seconds >= SLOW_FEED,
                ~feeds.is_canonical,
                feeds.render_seconds,
                feeds.checked_at,
            )
        )
        # In one snapshot: no change can be up to `seq` and not among the candidates.
        with self._database.read() as connection:
            seq: int = connection.scalar(sa.select(change_sequence.c.seq)) or 0
            rows = connection.execute(candidates).all()
        if not rows:
            return [], seq
        # While a candidate waits, `after` stays, so that the next call finds it again.
        cutoff = now - debounce
        ready = [row for row in rows if row.checked_at <= cutoff]
        fast = [row.path for row in ready if row.render_seconds < SLOW_FEED]
        slow = [row.path for row in ready if row.render_seconds >= SLOW_FEED]
        claimed = self._claim_feeds(fast[:limit], cutoff, now)
        claimed += self._claim_feeds(slow[:slow_limit], cutoff, now + CLAIM_TIMEOUT)
        return claimed, after

    def _claim_feeds(
        self, paths: list[str], cutoff: datetime, checked_at: datetime
    ) -> list[SubscribedFeed]:
        if not paths:
            return []
        feeds = websub_feeds.c
        still_free = sa.select(feeds.path).where(
            feeds.path.in_(paths), feeds.checked_at <= cutoff
        )
        claim = claim_rows(feeds.path, still_free, checked_at=checked_at)
        with self._database.write() as connection:
            rows = connection.execute(claim.returning(websub_feeds)).all()
        return [
            SubscribedFeed(
                row.path,
                row.etag,
                row.seq,
                frozenset(),
                row.next_change_at,
                row.is_canonical,
                row.render_seconds,
            )
            # RETURNING has no order.
            for row in sorted(rows, key=lambda row: paths.index(row.path))
        ]

    def update_feed(self, feed: SubscribedFeed) -> None:
        """Store the state of a feed; subscribers without its version get a delivery."""
        now = self._clock()
        feeds = websub_feeds.c
        columns = subscriptions.c
        # A slower worker may report an older state than the stored one.
        is_newer = sa.and_(feeds.path == feed.path, feeds.seq <= feed.seq)
        state = {
            "etag": feed.etag,
            "seq": feed.seq,
            "next_change_at": feed.next_change_at,
            "render_seconds": feed.render_seconds,
            # The claim of a slow feed lies ahead; it is over now.
            "checked_at": sa.case(
                (feeds.checked_at > now, now), else_=feeds.checked_at
            ),
        }
        is_behind = sa.and_(columns.path == feed.path, columns.etag != feed.etag)
        # A delivery that is pending already keeps its time: a new version does not
        # shorten the wait for a callback that fails.
        time = sa.literal(now, columns.pending_since.type)
        pending = {
            "target_etag": feed.etag,
            "pending_since": sa.func.coalesce(columns.pending_since, time),
            "next_attempt_at": sa.func.coalesce(columns.next_attempt_at, time),
        }
        with self._database.write() as connection:
            update = websub_feeds.update().where(is_newer).values(state)
            if connection.execute(update).rowcount:
                lock_subscriptions(connection, columns.path == feed.path)
                connection.execute(
                    subscriptions.update().where(is_behind).values(pending)
                )

    def claim_deliveries(
        self,
        limit: int,
        running: RunningCalls,
        speed: Speed | None = None,
        excluded_paths: Collection[str] = (),
    ) -> list[Delivery]:
        """Claim due deliveries; no other worker gets them within `CLAIM_TIMEOUT`.

        Callbacks that were fast come first, and the first of each address (or domain,
        where that is unknown) before the second of any.

        :param speed: only to callbacks of this class.
        :param excluded_paths: feeds that are being rendered.
        """
        now = self._clock()
        columns = subscriptions.c
        full_keys = running.full_keys()
        conditions = [
            columns.next_attempt_at <= now,
            columns.expires_at > now,
            columns.path.not_in(excluded_paths),
            columns.domain.not_in(full_keys),
            sa.or_(columns.address.is_(None), columns.address.not_in(full_keys)),
        ]
        if speed:
            conditions.append(_BY_SPEED[speed])
        rank = sa.func.row_number().over(
            partition_by=sa.func.coalesce(columns.address, columns.domain),
            order_by=[columns.latency, columns.next_attempt_at],
        )
        candidates = (
            sa.select(columns.id, columns.domain, columns.address)
            .where(*conditions)
            .order_by(
                columns.latency.is_(None),
                rank,
                columns.latency,
            )
        )
        limit = min(limit, _MAX_CLAIM)
        return claim_calls(Delivery, self._database, candidates, limit, running, now)

    def render_seconds(self, path: str) -> float:
        """Return how long the last rendering of a feed took."""
        query = sa.select(websub_feeds.c.render_seconds).where(
            websub_feeds.c.path == path
        )
        with self._database.read() as connection:
            return connection.scalar(query) or 0.0

    def release(self, deliveries: Collection[Delivery]) -> None:
        """Give back claimed deliveries that were not started."""
        columns = subscriptions.c
        claimed = columns.id.in_([delivery.id for delivery in deliveries])
        with self._database.write() as connection:
            lock_subscriptions(connection, claimed)
            connection.execute(
                subscriptions.update()
                # Null if another worker has delivered them since.
                .where(claimed, columns.next_attempt_at.is_not(None))
                .values(next_attempt_at=self._clock())
            )

    def count_by_address(self) -> dict[str, int]:
        """Return the number of subscriptions of each network address."""
        address = subscriptions.c.address
        query = (
            sa.select(address, sa.func.count())
            .where(address.is_not(None))
            .group_by(address)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def record_results(self, results: Collection[DeliveryResult]) -> None:
        """Store the results of claimed deliveries."""
        now = self._clock()
        columns = subscriptions.c
        delivered = [result for result in results if result.etag]
        ids = [result.delivery.id for result in results]
        with self._database.write() as connection:
            lock_subscriptions(connection, columns.id.in_(ids))
            self._record_delivered(connection, delivered, now)
            for result in results:
                same_row = columns.id == result.delivery.id
                if result.retry_after:
                    is_failure = not result.is_deferred
                    values = {
                        "failures": result.delivery.failures + int(is_failure),
                        "next_attempt_at": now + result.retry_after,
                    }
                    if result.address:
                        values["address"] = result.address
                    connection.execute(
                        subscriptions.update().where(same_row).values(values)
                    )
                elif not result.etag:
                    connection.execute(subscriptions.delete().where(same_row))

    @staticmethod
    def _record_delivered(
        connection: sa.Connection, results: Collection[DeliveryResult], now: datetime
    ) -> None:
        """Store successful deliveries in one executemany."""
        if not results:
            return
        columns = subscriptions.c
        # If the target has moved on since the claim, the next delivery is due now,
        # unless what was delivered is that newer version already.
        is_newest = columns.target_etag.in_(
            [sa.bindparam("claimed_etag"), sa.bindparam("delivered_etag")]
        )
        due = sa.case((is_newest, None), else_=now)
        update = (
            subscriptions.update()
            .where(columns.id == sa.bindparam("subscription_id"))
            .values(
                etag=sa.bindparam("delivered_etag"),
                failures=0,
                next_attempt_at=due,
                pending_since=due,
                address=sa.bindparam("called_address"),
                latency=sa.bindparam("new_latency"),
            )
        )
        rows = [
            {
                "subscription_id": result.delivery.id,
                "claimed_etag": result.delivery.target_etag,
                "delivered_etag": result.etag,
                "called_address": result.address,
                "new_latency": result.latency,
            }
            for result in results
        ]
        connection.execute(update, rows)


class Hubs:
    """The external hubs, and which changes each was told."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def configure(self, urls: Iterable[str]) -> None:
        """Ping these hubs, and no others, about changes from now on."""
        urls = set(urls)
        now = self._clock()
        with self._database.write() as connection:
            # Locked, since only one of workers that start together may insert a hub.
            seq = connection.scalar(sa.select(change_sequence.c.seq).with_for_update())
            connection.execute(hubs.delete().where(hubs.c.url.not_in(urls)))
            known = set(connection.scalars(sa.select(hubs.c.url)))
            for url in urls - known:
                row = {
                    "url": url,
                    "seq": seq,
                    "checked_at": now,
                    "next_attempt_at": now,
                    "failures": 0,
                }
                connection.execute(hubs.insert(), row)

    def claim_pings(self) -> list[HubPing]:
        """Claim the hubs that do not know the latest changes."""
        now = self._clock()
        columns = hubs.c
        latest_seq = (
            sa.select(sa.func.max(feed_versions.c.seq))
            .where(feed_versions.c.kind.in_(KINDS))
            .scalar_subquery()
        )
        has_ended = sa.exists().where(_event_ended(columns.checked_at, now))
        due = sa.select(columns.url).where(
            columns.next_attempt_at <= now,
            sa.or_(columns.seq < latest_seq, has_ended),
        )
        # Nearly every poll ends here, without the lock of writers.
        if not row_exists(self._database, due):
            return []
        claim = claim_rows(columns.url, due, next_attempt_at=now + HUB_CLAIM_TIMEOUT)
        claim = claim.returning(
            columns.url, columns.seq, columns.checked_at, columns.failures
        )
        with self._database.write() as connection:
            seq = connection.scalar(sa.select(change_sequence.c.seq)) or 0
            return [
                HubPing(
                    row.url,
                    seq,
                    now,
                    row.failures,
                    _changed_topics(connection, row.seq, row.checked_at, now),
                )
                for row in connection.execute(claim).all()
            ]

    def record_result(self, ping: HubPing, success: bool, delay: timedelta) -> None:
        """Store the result of a ping; the next one waits for the delay."""
        values: dict[str, object] = {"next_attempt_at": self._clock() + delay}
        if success:
            values |= {"seq": ping.seq, "checked_at": ping.checked_at, "failures": 0}
        else:
            values["failures"] = ping.failures + 1
        with self._database.write() as connection:
            connection.execute(
                hubs.update().where(hubs.c.url == ping.hub).values(values)
            )


def claim_calls(
    claimed: type[_Call],
    database: Database,
    candidates: sa.Select[Any],
    limit: int,
    running: RunningCalls,
    now: datetime,
) -> list[_Call]:
    """Claim rows for `CLAIM_TIMEOUT`, so that no key is over its limit.

    :param claimed: class of the calls, whose fields are columns of the table.
    :param candidates: ids of due rows, in the order in which they are claimed, each
        with the domain and address that it counts by.
    """
    if limit <= 0:
        return []
    # Four times the limit, since some will be over the limit of their keys.
    with database.read() as connection:
        rows = connection.execute(candidates.limit(4 * limit)).all()
    counts = Counter(running.counts)
    ids: list[str] = []
    for id, *keys in rows:
        distinct = set(filter(None, keys))
        is_free = all(counts[key] < running.max_per_key for key in distinct)
        if is_free and len(ids) < limit:
            counts.update(distinct)
            ids.append(id)
    if not ids:
        # Nearly every poll ends here, without the lock of writers.
        return []
    key: Any = candidates.selected_columns.id
    columns = key.table.c
    # Another worker may have claimed some of them meanwhile.
    still_due = sa.select(key).where(key.in_(ids), columns.next_attempt_at <= now)
    claim = claim_rows(key, still_due, next_attempt_at=now + CLAIM_TIMEOUT)
    with database.write() as connection:
        claimed_rows = connection.execute(claim.returning(*columns)).mappings().all()
    names = [field.name for field in fields(claimed)]
    return [
        claimed(**{name: row[name] for name in names})
        # RETURNING has no order.
        for row in sorted(claimed_rows, key=lambda row: ids.index(row["id"]))
    ]


def _changed_topics(
    connection: sa.Connection, seq: int, checked_at: datetime | None, now: datetime
) -> tuple[tuple[str, str | None], ...]:
    """Return kind and slug of feeds that changed, or that an ended event has left."""
    has_ended = _event_ended(checked_at, now)
    changed = sa.select(feed_versions.c.kind, feed_versions.c.category_id).where(
        feed_versions.c.seq > seq, feed_versions.c.kind.in_(KINDS)
    )
    ended_by_category = (
        sa.select(entry_categories.c.kind, entry_categories.c.category_id)
        .join(entries)
        .where(has_ended)
    )
    ended = sa.select(entries.c.kind, sa.literal(0)).where(has_ended)
    keys = changed.union(ended_by_category, ended).subquery()
    # Category 0 is the whole section, and has no row in `categories`.
    query = (
        sa.select(keys.c.kind, categories.c.slug)
        .join_from(
            keys, categories, keys.c.category_id == categories.c.id, isouter=True
        )
        # The feeds of a retired category answer 410.
        .where(categories.c.retired.is_(None))
        .order_by(keys.c.kind, keys.c.category_id)
    )
    return tuple((row.kind, row.slug) for row in connection.execute(query))


def _event_ended(
    checked_at: sa.Column[datetime] | datetime | None, now: datetime
) -> sa.ColumnElement[bool]:
    """Match visible events that ended since a check: the change log has no ends."""
    columns = entries.c
    return sa.and_(
        columns.kind == "events",
        columns.is_visible,
        columns.ends > checked_at,
        columns.ends <= now,
    )
