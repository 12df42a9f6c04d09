"""Limits of subscriptions, of requests that wait to be verified, and of the feeds that are looked after."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.errors import Forbidden, RateLimited
from feedsvc.storage.websub_tables import (
    subscription_requests,
    subscriptions,
    websub_feeds,
)
from feedsvc.subscription import PendingVerification

MOST_A_HOST, MOST_A_SITE, MOST_AN_ADDRESS, MOST_IN_ALL = 100, 200, 200, 20_000
"""Subscriptions at most: of a host, a registrable domain, a resolved address, and in all."""

PENDING_A_SITE, PENDING_IN_ALL = 100, 2_000
"""Requests that wait to be verified at most; those of a host count among its subscriptions."""

TOPICS_A_SITE, TOPICS_IN_ALL = 100, 2_000
"""Feeds other than those of sections and single categories that are looked after at most."""

LONGEST_PENDING = timedelta(hours=1)
"""A request that was not verified for so long is dropped."""

_BOTH = (subscriptions, subscription_requests)


def check(connection: sa.Connection, wanted: PendingVerification, id: str) -> None:
    """Check that a request with an id keeps within the limits.

    :raises Forbidden: its host, registrable domain or topic is over a limit.
    :raises TooMany: too many requests wait to be verified, none of which was tried in vain.
    """
    _check_pending(connection, wanted, id)
    if wanted.mode != "subscribe":
        return
    for name, value, most in (
        ("host", wanted.host, MOST_A_HOST),
        ("site", wanted.site, MOST_A_SITE),
    ):
        known = (
            sa.select(table.c.id).where(table.c[name] == value, table.c.id != id)
            for table in _BOTH
        )
        if _count(connection, sa.union(*known)) >= most:
            raise Forbidden(f"{value} has {most} subscriptions already.")
    if (
        _count(
            connection, sa.select(subscriptions.c.id).where(subscriptions.c.id != id)
        )
        >= MOST_IN_ALL
    ):
        raise Forbidden(f"There are {MOST_IN_ALL} subscriptions already.")
    if not wanted.plain:
        _check_topics(connection, wanted)


def is_crowded(connection: sa.Connection, address: str | None, id: str) -> bool:
    """Whether an address has as many subscriptions as it may have, without the one with an id."""
    if address is None:
        return False
    others = sa.select(subscriptions.c.id).where(
        subscriptions.c.address == address, subscriptions.c.id != id
    )
    return _count(connection, others) >= MOST_AN_ADDRESS


def drop_old(connection: sa.Connection, now: datetime) -> None:
    """Drop requests that were not verified for long, for instance because nothing delivers."""
    old = subscription_requests.c.asked < now - LONGEST_PENDING
    connection.execute(subscription_requests.delete().where(old))


def _check_pending(
    connection: sa.Connection, wanted: PendingVerification, id: str
) -> None:
    of = subscription_requests.c
    others = sa.select(of.id).where(of.id != id)
    if _count(connection, others.where(of.site == wanted.site)) >= PENDING_A_SITE:
        raise Forbidden(
            f"{PENDING_A_SITE} requests of {wanted.site} wait to be verified already."
        )
    if _count(connection, others) < PENDING_IN_ALL:
        return
    # Callbacks that do not answer must not keep out those that will.
    worst = (
        others.where(of.failures > 0).order_by(of.failures.desc(), of.asked).limit(1)
    )
    if not connection.execute(
        subscription_requests.delete().where(of.id.in_(worst))
    ).rowcount:
        raise RateLimited(60)


def _check_topics(connection: sa.Connection, wanted: PendingVerification) -> None:
    own = sa.union(
        *(sa.select(table.c.path).where(table.c.site == wanted.site) for table in _BOTH)
    )
    paths = set(connection.scalars(own))
    if wanted.path in paths:
        return
    if len(paths) >= TOPICS_A_SITE:
        raise Forbidden(
            f"{wanted.site} is subscribed to {TOPICS_A_SITE} feeds already."
        )
    is_known = connection.scalar(
        sa.select(sa.exists().where(websub_feeds.c.path == wanted.path))
    )
    if not is_known and _count(
        connection, sa.select(websub_feeds.c.path).where(~websub_feeds.c.plain)
    ) >= (TOPICS_IN_ALL):
        raise Forbidden(
            "Too many combinations of categories are subscribed to already."
        )


def _count(connection: sa.Connection, rows: sa.SelectBase) -> int:
    counted = sa.select(sa.func.count()).select_from(rows.subquery())
    return int(connection.execute(counted).scalar_one())
