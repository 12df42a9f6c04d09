"""The tables of push; `migrations/` makes them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from feedsvc.storage.tables import KEY, UTCDateTime, metadata

websub_feeds = Table(
    # The feeds that have subscribers, as they were when they were last looked at.
    "websub_feeds",
    metadata,
    Column("path", KEY, primary_key=True),  # canonical, with its query
    Column("etag", sa.String, nullable=False),
    Column("seq", sa.BigInteger, nullable=False),  # the last step of its topics then
    Column("checked_at", UTCDateTime, nullable=False),
    Column("due", UTCDateTime, index=True),  # when it changes by itself
    Column("plain", sa.Boolean, nullable=False),  # of a section or one category
    Column("seconds", sa.Float, nullable=False),  # that rendering took last
)

websub_feed_keys = Table(
    # The topics that each of them depends on.
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
    Column(
        "id", KEY, primary_key=True
    ),  # a hash of callback and path, which are too long for an index
    Column("path", KEY, nullable=False, index=True),
    Column(
        "topic", KEY, nullable=False
    ),  # the path that was subscribed to, before categories were renamed
    Column("callback", KEY, nullable=False),
    Column("host", KEY, nullable=False, index=True),
    Column("site", KEY, nullable=False, index=True),  # the host's registrable domain
    Column(
        "address", KEY, index=True
    ),  # that the host resolved to at the last call; of IPv6 the /64
    Column("latency", sa.Float),  # seconds of recent deliveries; none before the first
    Column("secret", sa.String),
    Column("since", UTCDateTime, nullable=False),
    Column("expires", UTCDateTime, nullable=False, index=True),
    Column("etag", sa.String, nullable=False),  # of what was delivered last
    Column("target_etag", sa.String, nullable=False),  # of the newest that is known
    Column("pending_since", UTCDateTime),  # since when something waits to be delivered
    Column(
        "due", UTCDateTime, index=True
    ),  # when it is tried next, or again where who has claimed it died
    Column("failures", sa.Integer, nullable=False),  # in a row
)

subscription_requests = Table(
    # What a callback is still to be asked, or told.
    "subscription_requests",
    metadata,
    Column("id", KEY, primary_key=True),  # the subscription's
    Column("path", KEY, nullable=False),
    Column("topic", KEY, nullable=False),  # as in subscriptions
    Column("callback", KEY, nullable=False),
    Column("host", KEY, nullable=False, index=True),
    Column("site", KEY, nullable=False, index=True),
    Column("mode", sa.String, nullable=False),  # subscribe, unsubscribe, denied
    Column("secret", sa.String),
    Column("lease", sa.Integer, nullable=False),  # seconds
    Column("reason", sa.String, nullable=False),
    Column(
        "failures", sa.Integer, nullable=False, server_default="0"
    ),  # so often asked in vain
    Column("asked", UTCDateTime, nullable=False, index=True),  # when it was made
    Column("due", UTCDateTime, nullable=False, index=True),
)

hubs = Table(
    # Other hubs, and the step of the ledger up to which each was told, and the time of ends of events.
    "hubs",
    metadata,
    Column("url", KEY, primary_key=True),
    Column("seq", sa.BigInteger, nullable=False),
    Column("checked_at", UTCDateTime),  # none before the first time that it is told
    Column("due", UTCDateTime, nullable=False),
    Column("failures", sa.Integer, nullable=False),
)
