"""WebSub subscriptions, what they depend on, requests that wait to be verified, and other hubs."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "pushed_feeds",
        sa.Column("path", KEY, primary_key=True),
        sa.Column("etag", sa.String, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("looked", INSTANT, nullable=False),
        sa.Column("due", INSTANT),
    )
    op.create_index("ix_pushed_feeds_due", "pushed_feeds", ["due"])
    op.create_table(
        "pushed_topics",
        sa.Column("path", KEY, primary_key=True),
        sa.Column("kind", KEY, primary_key=True),
        sa.Column("category_id", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_index("ix_pushed_topics_topic", "pushed_topics", ["kind", "category_id"])
    op.create_table(
        "subscriptions",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("path", KEY, nullable=False),
        sa.Column("callback", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.Column("secret", sa.String),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("expires", INSTANT, nullable=False),
        sa.Column("etag", sa.String, nullable=False),
        sa.Column("wanted", sa.String, nullable=False),
        sa.Column("waits", INSTANT),
        sa.Column("due", INSTANT),
        sa.Column("failures", sa.Integer, nullable=False),
    )
    for column in ("path", "host", "expires", "due"):
        op.create_index(f"ix_subscriptions_{column}", "subscriptions", [column])
    op.create_table(
        "subscription_requests",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("path", KEY, nullable=False),
        sa.Column("callback", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("secret", sa.String),
        sa.Column("lease", sa.Integer, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("due", INSTANT, nullable=False),
    )
    for column in ("host", "due"):
        op.create_index(f"ix_subscription_requests_{column}", "subscription_requests", [column])
    op.create_table(
        "hubs",
        sa.Column("url", KEY, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("due", INSTANT, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
    )
