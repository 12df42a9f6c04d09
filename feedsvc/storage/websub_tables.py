"""Tables of WebSub, and the SQL that their modules share."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from feedsvc.storage.database import Database
from feedsvc.storage.tables import KEY, UTCDateTime, metadata

websub_feeds = Table(
    # Feeds that have subscribers, in the state of the last check.
    "websub_feeds",
    metadata,
    Column("path", KEY, primary_key=True),  # canonical, with its query
    Column("etag", sa.String, nullable=False),
    Column("seq", sa.BigInteger, nullable=False),  # last change of its feed keys
    Column("checked_at", UTCDateTime, nullable=False),
    Column("next_change_at", UTCDateTime, index=True),  # without a write
    Column("is_canonical", sa.Boolean, nullable=False),  # of a section or one category
    Column("render_seconds", sa.Float, nullable=False),  # of the last rendering
)

websub_feed_keys = Table(
    # Feed keys that each of them depends on.
    "websub_feed_keys",
    metadata,
    Column("path", KEY, primary_key=True),
    Column("kind", KEY, primary_key=True),
    Column("category_id", sa.Integer, primary_key=True, autoincrement=False),
)
Index(
    "ix_websub_feed_keys_key", websub_feed_keys.c.kind, websub_feed_keys.c.category_id
)

subscriptions = Table(
    "subscriptions",
    metadata,
    # SHA-256 of callback and path, which together are too long for an index.
    Column("id", KEY, primary_key=True),
    Column("path", KEY, nullable=False, index=True),
    # The path that was subscribed to, before categories were renamed: the subscriber
    # knows no other, so denials and unsubscriptions name it.
    Column("topic", KEY, nullable=False),
    Column("callback", KEY, nullable=False),
    Column("host", KEY, nullable=False, index=True),
    Column("domain", KEY, nullable=False, index=True),  # registrable domain of the host
    # Network of the last call: an IPv4 address, or the /64 of an IPv6 address.
    Column("address", KEY, index=True),
    Column("latency", sa.Float),  # seconds of recent deliveries
    Column("secret", sa.String),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False, index=True),
    Column("etag", sa.String, nullable=False),  # of the version delivered last
    Column("target_etag", sa.String, nullable=False),  # of the newest version
    Column("pending_since", UTCDateTime),  # null: the newest version was delivered
    # Null: nothing to deliver. A claim moves it ahead by CLAIM_TIMEOUT, so that the
    # delivery comes again if the worker that claimed it dies.
    Column("next_attempt_at", UTCDateTime, index=True),
    Column("failures", sa.Integer, nullable=False),  # in a row
)

subscription_requests = Table(
    # Requests to verify and denials to send.
    "subscription_requests",
    metadata,
    Column("id", KEY, primary_key=True),  # that of the subscription
    Column("path", KEY, nullable=False),
    Column("topic", KEY, nullable=False),  # as in subscriptions
    Column("callback", KEY, nullable=False),
    Column("host", KEY, nullable=False, index=True),
    Column("domain", KEY, nullable=False, index=True),
    Column("mode", sa.String, nullable=False),  # subscribe, unsubscribe or denied
    Column("secret", sa.String),
    Column("lease", sa.Integer, nullable=False),  # seconds
    Column("reason", sa.String, nullable=False),
    Column("failures", sa.Integer, nullable=False, server_default="0"),
    Column("created_at", UTCDateTime, nullable=False, index=True),
    Column("next_attempt_at", UTCDateTime, nullable=False, index=True),
)

hubs = Table(
    # External hubs. Each knows the changes up to `seq`, and the ends of events, which
    # are not in the change log, up to `checked_at`.
    "hubs",
    metadata,
    Column("url", KEY, primary_key=True),
    Column("seq", sa.BigInteger, nullable=False),
    Column("checked_at", UTCDateTime),  # null before the first ping
    Column("next_attempt_at", UTCDateTime, nullable=False),
    Column("failures", sa.Integer, nullable=False),
)


def claim_rows(
    key: sa.Column[Any], candidates: sa.Select[Any], **values: Any
) -> sa.Update:
    """Return an UPDATE of the rows whose keys `candidates` selects.

    Rows that another worker claims at this moment are skipped.
    """
    keys = candidates.with_for_update(skip_locked=True)
    return sa.update(key.table).where(key.in_(keys)).values(values)


def row_exists(database: Database, query: sa.Select[Any]) -> bool:
    """Check for a row in a read transaction, which blocks no writer."""
    with database.read() as connection:
        return connection.execute(query.limit(1)).first() is not None


def count_rows(connection: sa.Connection, query: sa.SelectBase) -> int:
    """Return the number of rows of a query."""
    count = sa.select(sa.func.count()).select_from(query.subquery())
    return int(connection.execute(count).scalar_one())


def lock_subscriptions(
    connection: sa.Connection, condition: sa.ColumnElement[bool]
) -> None:
    """Lock the subscriptions that are about to change.

    All writers lock in the order of the ids, so that no two wait for each other.
    """
    id = subscriptions.c.id
    connection.execute(sa.select(id).where(condition).order_by(id).with_for_update())
