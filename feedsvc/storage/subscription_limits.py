"""Limits of subscriptions, of unverified requests, and of feeds with subscribers."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.errors import Forbidden, RateLimited
from feedsvc.storage.websub_tables import (
    count_rows,
    subscription_requests,
    subscriptions,
    websub_feeds,
)
from feedsvc.websub_types import PendingVerification

MAX_PER_HOST = 100
"""Subscriptions and unverified requests of a host."""

MAX_PER_DOMAIN = 200
"""Subscriptions and unverified requests of a registrable domain.

A wildcard DNS record gives one owner any number of hosts, so hosts are not enough.
"""

MAX_PER_ADDRESS = 200
"""Subscriptions of a network address, counted when the callback has been called."""

MAX_SUBSCRIPTIONS = 20_000

MAX_PENDING_PER_DOMAIN = 100
MAX_PENDING = 2_000
"""Unverified requests."""

MAX_FEEDS_PER_DOMAIN = 100
MAX_FEEDS = 2_000
"""Feeds with subscribers other than those of sections and single categories.

Each is rendered at every change of its categories.
"""

REQUEST_LIFETIME = timedelta(hours=1)
"""Age at which an unverified request is dropped."""

_RETRY_AFTER = 60
_TABLES = (subscriptions, subscription_requests)


def check_limits(
    connection: sa.Connection,
    request: PendingVerification,
    id: str,
    *,
    is_canonical: bool,
) -> None:
    """Check that a request keeps within the limits; the one that it replaces is free.

    :param is_canonical: the feed is that of a section or of one category.
    :raises Forbidden: its host, registrable domain or feed is over a limit.
    :raises RateLimited: too many requests are unverified, and none of them has failed.
    """
    # To unsubscribe too: its verification is a call like any other.
    _check_pending(connection, request, id)
    if request.mode != "subscribe":
        return
    _check_owner(connection, "host", request.host, MAX_PER_HOST, id)
    _check_owner(connection, "domain", request.domain, MAX_PER_DOMAIN, id)
    others = sa.select(subscriptions.c.id).where(subscriptions.c.id != id)
    if count_rows(connection, others) >= MAX_SUBSCRIPTIONS:
        raise Forbidden(f"There are {MAX_SUBSCRIPTIONS} subscriptions already.")
    if not is_canonical:
        _check_feeds(connection, request)


def is_address_full(connection: sa.Connection, address: str | None, id: str) -> bool:
    """Check for `MAX_PER_ADDRESS` other subscriptions of an address."""
    if address is None:
        return False
    others = sa.select(subscriptions.c.id).where(
        subscriptions.c.address == address, subscriptions.c.id != id
    )
    return count_rows(connection, others) >= MAX_PER_ADDRESS


def drop_old_requests(connection: sa.Connection, now: datetime) -> None:
    """Drop requests that were not verified, for instance because no worker runs."""
    is_old = subscription_requests.c.created_at < now - REQUEST_LIFETIME
    connection.execute(subscription_requests.delete().where(is_old))


def _check_owner(
    connection: sa.Connection, column: str, value: str, limit: int, id: str
) -> None:
    """Check the number of subscriptions and requests of a host or domain."""
    ids = [
        sa.select(table.c.id).where(table.c[column] == value, table.c.id != id)
        for table in _TABLES
    ]
    # Not UNION ALL: a request to renew has the id of its subscription.
    if count_rows(connection, sa.union(*ids)) >= limit:
        raise Forbidden(f"{value} has {limit} subscriptions already.")


def _check_pending(
    connection: sa.Connection, request: PendingVerification, id: str
) -> None:
    columns = subscription_requests.c
    others = sa.select(columns.id).where(columns.id != id)
    of_domain = others.where(columns.domain == request.domain)
    if count_rows(connection, of_domain) >= MAX_PENDING_PER_DOMAIN:
        limit = MAX_PENDING_PER_DOMAIN
        raise Forbidden(f"{request.domain} has {limit} unverified requests already.")
    if count_rows(connection, others) < MAX_PENDING:
        return
    # Drop the request that failed most often, so that callbacks that do not answer
    # cannot keep out those that do.
    worst = others.where(columns.failures > 0)
    worst = worst.order_by(columns.failures.desc(), columns.created_at).limit(1)
    dropped = connection.execute(
        subscription_requests.delete().where(columns.id.in_(worst))
    )
    if not dropped.rowcount:
        raise RateLimited(_RETRY_AFTER)


def _check_feeds(connection: sa.Connection, request: PendingVerification) -> None:
    of_domain = [
        sa.select(table.c.path).where(table.c.domain == request.domain)
        for table in _TABLES
    ]
    paths = set(connection.scalars(sa.union(*of_domain)))
    if request.path in paths:
        return
    if len(paths) >= MAX_FEEDS_PER_DOMAIN:
        raise Forbidden(
            f"{request.domain} is subscribed to {MAX_FEEDS_PER_DOMAIN} feeds already."
        )
    feeds = websub_feeds.c
    same_feed = sa.exists().where(feeds.path == request.path)
    # Others subscribe to it, so it is rendered anyway.
    if connection.scalar(sa.select(same_feed)):
        return
    combinations = sa.select(feeds.path).where(~feeds.is_canonical)
    if count_rows(connection, combinations) >= MAX_FEEDS:
        raise Forbidden(
            "Too many combinations of categories have subscriptions already."
        )
