"""Which feeds changed, and who is to be sent them; what is claimed and not reported comes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from math import inf
from typing import Any

import sqlalchemy as sa

from feedsvc.models import Clock
from feedsvc.storage.database import Database
from feedsvc.storage.tables import change_sequence, feed_versions
from feedsvc.storage.websub_tables import subscriptions, websub_feed_keys, websub_feeds
from feedsvc.subscription import Delivery, DeliveryResult, SubscribedFeed

CLAIM_TIMEOUT = timedelta(seconds=15)
"""How long work is left to who has claimed it."""

SLOW = 1.0
"""The seconds from which on a callback is slow."""

_A_CLAIM = 64


_SPEEDS = {
    "fast": sa.and_(subscriptions.c.failures == 0, subscriptions.c.latency <= SLOW),
    "new": sa.and_(subscriptions.c.failures == 0, subscriptions.c.latency.is_(None)),
    "slow": sa.or_(subscriptions.c.failures > 0, subscriptions.c.latency > SLOW),
}


class Deliveries:
    """The deliveries that a database calls for."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def claim_feeds(
        self,
        after: int,
        pause: timedelta,
        limit: int,
        slow: float = inf,
        slow_limit: int = 1,
    ) -> tuple[list[SubscribedFeed], int]:
        """Return feeds with subscribers that may have changed; nobody else gets them during the pause.

        Those of sections and single categories come first, then those that are rendered fast.

        :param after: a step up to which all was looked at.
        :param slow: the seconds from which on rendering is slow.
        :param slow_limit: how many such feeds are claimed, which is for 15 seconds.
        :returns: the feeds as they were, without their topics, and the step up to which all was looked at.
        """
        now, feeds = self._clock(), websub_feeds.c
        of = websub_feed_keys.c
        same = sa.and_(
            feed_versions.c.kind == of.kind,
            feed_versions.c.category_id == of.category_id,
        )
        moved = (
            sa.select(feeds.path)
            .join(websub_feed_keys, of.path == feeds.path)
            .join(feed_versions, same)
        )
        moved = moved.where(
            feed_versions.c.seq > after, feed_versions.c.seq > feeds.seq
        )
        ended = sa.select(feeds.path).where(feeds.due <= now)
        order = (feeds.seconds >= slow, ~feeds.plain, feeds.seconds, feeds.checked_at)
        with self._database.read() as connection:
            step: int = connection.scalar(sa.select(change_sequence.c.seq)) or 0
            changed = moved.union(ended).subquery()
            candidates = sa.select(feeds.path, feeds.seconds, feeds.checked_at).join(
                changed, changed.c.path == feeds.path
            )
            rows = connection.execute(candidates.order_by(*order)).all()
        if not rows:
            return [], step
        quiet = [row for row in rows if row.checked_at <= now - pause]
        fast = [row.path for row in quiet if row.seconds < slow][:limit]
        last = [row.path for row in quiet if row.seconds >= slow][:slow_limit]
        claimed: list[SubscribedFeed] = []
        for paths, looked in ((fast, now), (last, now + CLAIM_TIMEOUT)):
            if paths:
                claimed += self._claim_feeds(paths, now - pause, looked)
        return claimed, after

    def _claim_feeds(
        self, paths: list[str], before: datetime, looked: datetime
    ) -> list[SubscribedFeed]:
        feeds = websub_feeds.c
        still = sa.select(feeds.path).where(
            feeds.path.in_(paths), feeds.checked_at <= before
        )
        mine = claim(feeds.path, still, checked_at=looked).returning(websub_feeds)
        with self._database.write() as connection:
            rows = connection.execute(mine).all()
        rows = sorted(rows, key=lambda row: paths.index(row.path))
        return [
            SubscribedFeed(
                row.path,
                row.etag,
                row.seq,
                frozenset(),
                row.due,
                row.plain,
                row.seconds,
            )
            for row in rows
        ]

    def update_feed(self, feed: SubscribedFeed) -> None:
        """Keep how a feed is now; what its subscribers do not have waits for them."""
        now = self._clock()
        known = sa.and_(
            websub_feeds.c.path == feed.path, websub_feeds.c.seq <= feed.seq
        )
        state = {
            "etag": feed.etag,
            "seq": feed.seq,
            "due": feed.due,
            "seconds": feed.seconds,
        }
        # What was claimed for longer, since it takes long, can be claimed again.
        state["checked_at"] = sa.case(
            (websub_feeds.c.checked_at > now, now), else_=websub_feeds.c.checked_at
        )
        behind = sa.and_(
            subscriptions.c.path == feed.path, subscriptions.c.etag != feed.etag
        )
        since = (subscriptions.c.pending_since, subscriptions.c.due)
        begun = {
            one.name: sa.func.coalesce(one, sa.literal(now, one.type)) for one in since
        }
        with self._database.write() as connection:
            if connection.execute(
                websub_feeds.update().where(known).values(state)
            ).rowcount:
                lock_subscriptions(connection, subscriptions.c.path == feed.path)
                connection.execute(
                    subscriptions.update()
                    .where(behind)
                    .values(target_etag=feed.etag, **begun)
                )

    def claim_deliveries(
        self,
        limit: int,
        busy: Mapping[str, int],
        most: int,
        *,
        speed: str = "",
        waiting: Collection[str] = (),
    ) -> list[Delivery]:
        """Return what is to be delivered now; nobody else gets it for 15 seconds.

        Callbacks that were fast lately come first, and the first of each address, or site where that is not
        known, before the second of any.

        :param busy: how many are under way, by site and by address.
        :param most: how many of each may be.
        :param speed: only to callbacks that were `fast` lately, or `slow` or failed, or are `new`.
        :param waiting: the paths of feeds that are being rendered, which are left out.
        """
        now, of = self._clock(), subscriptions.c
        limit = min(limit, _A_CLAIM)
        full = [key for key, count in busy.items() if count >= most]
        rank = sa.func.row_number().over(
            partition_by=sa.func.coalesce(of.address, of.site),
            order_by=[of.latency, of.due],
        )
        due = sa.select(of.id, of.site, of.address).where(
            of.due <= now,
            of.expires > now,
            of.path.not_in(waiting),
            of.site.not_in(full),
        )
        due = due.where(sa.or_(of.address.is_(None), of.address.not_in(full)))
        if speed:
            due = due.where(_SPEEDS[speed])
        due = due.order_by(of.latency.is_(None), rank, of.latency, of.due).limit(
            4 * max(limit, 0)
        )
        with self._database.read() as connection:
            rows = connection.execute(due).all()
        chosen = shared(
            [(row.id, {row.site, row.address or row.site}) for row in rows],
            limit,
            busy,
            most,
        )
        if not chosen:
            return []
        still = sa.select(of.id).where(of.id.in_(chosen), of.due <= now)
        taken = claim(of.id, still, due=now + CLAIM_TIMEOUT)
        taken = taken.returning(*(of[field.name] for field in fields(Delivery)))
        with self._database.write() as connection:
            claimed = [Delivery(**row) for row in connection.execute(taken).mappings()]
        return sorted(claimed, key=lambda one: chosen.index(one.id))

    def seconds(self, path: str) -> float:
        """Return how long the rendering of a feed took last."""
        with self._database.read() as connection:
            wanted = sa.select(websub_feeds.c.seconds).where(
                websub_feeds.c.path == path
            )
            return connection.scalar(wanted) or 0.0

    def release(self, deliveries: Collection[Delivery]) -> None:
        """Give back what was claimed and not begun."""
        of = subscriptions.c
        which = of.id.in_([delivery.id for delivery in deliveries])
        with self._database.write() as connection:
            lock_subscriptions(connection, which)
            connection.execute(
                subscriptions.update()
                .where(which, of.due.is_not(None))
                .values(due=self._clock())
            )

    def crowded(self) -> dict[str, int]:
        """Return how many subscriptions each resolved address has."""
        of = subscriptions.c
        wanted = (
            sa.select(of.address, sa.func.count())
            .where(of.address.is_not(None))
            .group_by(of.address)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def record_results(self, outcomes: Collection[DeliveryResult]) -> None:
        """Keep what became of deliveries."""
        of, now = subscriptions.c, self._clock()
        done = [
            {
                "key": outcome.delivery.id,
                "tag": outcome.etag,
                "seen": outcome.delivery.target_etag,
                "called": outcome.address,
                "took": outcome.latency,
            }
            for outcome in outcomes
            if outcome.etag
        ]
        # What came up while it was under way waits on.
        is_newest = of.target_etag.in_([sa.bindparam("seen"), sa.bindparam("tag")])
        due = sa.case((is_newest, None), else_=now)
        arrived = subscriptions.update().where(of.id == sa.bindparam("key"))
        arrived = arrived.values(
            etag=sa.bindparam("tag"),
            failures=0,
            due=due,
            pending_since=due,
            address=sa.bindparam("called"),
            latency=sa.bindparam("took"),
        )
        with self._database.write() as connection:
            lock_subscriptions(
                connection, of.id.in_([outcome.delivery.id for outcome in outcomes])
            )
            if done:
                connection.execute(arrived, done)
            for outcome in outcomes:
                mine = of.id == outcome.delivery.id
                if outcome.retry:
                    failures = outcome.delivery.failures + (not outcome.put_off)
                    values = {"failures": failures, "due": now + outcome.retry}
                    values |= {"address": outcome.address} if outcome.address else {}
                    connection.execute(
                        subscriptions.update().where(mine).values(values)
                    )
                elif not outcome.etag:
                    connection.execute(subscriptions.delete().where(mine))


def claim(key: sa.Column[Any], among: sa.Select[Any], **values: Any) -> sa.Update:
    """What takes the rows whose keys `among` selects, but for those that another takes right now."""
    mine = key.in_(among.with_for_update(skip_locked=True))
    return sa.update(key.table).where(mine).values(values)


def exists(database: Database, wanted: sa.Select[Any]) -> bool:
    """Whether a look that disturbs no writer finds something."""
    with database.read() as connection:
        return connection.execute(wanted.limit(1)).first() is not None


def shared(
    candidates: Iterable[tuple[str, Collection[str]]],
    limit: int,
    busy: Mapping[str, int],
    most: int,
) -> list[str]:
    """Choose among candidates, each an id and the keys that it counts by, so that no key has too many.

    :param busy: how many each key has already.
    :param most: how many it may have.
    """
    counts = Counter(busy)
    chosen: list[str] = []
    for id, keys in candidates:
        if len(chosen) >= limit:
            break
        distinct = set(keys)
        if all(counts[key] < most for key in distinct):
            counts.update(distinct)
            chosen.append(id)
    return chosen


def lock_subscriptions(
    connection: sa.Connection, which: sa.ColumnElement[bool]
) -> None:
    """Lock subscriptions that are to be changed, in one order for all, so that no two writers wait for each
    other."""
    of = subscriptions.c
    connection.execute(sa.select(of.id).where(which).order_by(of.id).with_for_update())
