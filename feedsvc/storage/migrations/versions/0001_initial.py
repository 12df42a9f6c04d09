"""Initial schema."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "languages",
        sa.Column("kind", KEY, nullable=False),
        sa.Column("tag", KEY, nullable=False),
        sa.PrimaryKeyConstraint("kind", "tag"),
    )
    op.create_table(
        "archive_parts",
        sa.Column("kind", KEY, nullable=False),
        sa.Column("month", KEY, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_published", INSTANT, nullable=False),
        sa.Column("first_guid", KEY, nullable=False),
        sa.PrimaryKeyConstraint("kind", "month", "number"),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", KEY, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String()),
        sa.Column("language", sa.String()),
        sa.Column("url", sa.String()),
        sa.Column("parent", KEY),
        sa.Column("retired", INSTANT),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("titled_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug"),
    )
    op.create_index(
        "ix_categories_changed_at", "categories", ["changed_at"], unique=False
    )
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", INSTANT, nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "entries",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("guid", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("published", INSTANT),
        sa.Column("starts", INSTANT),
        sa.Column("ends", INSTANT),
        sa.Column("series_start", INSTANT),
        sa.Column("event_status", KEY),
        sa.Column("lang", KEY, nullable=False),
        sa.Column("translation_key", KEY),
        sa.Column("is_visible", sa.Boolean(), nullable=False),
        sa.Column("was_visible", sa.Boolean(), nullable=False),
        sa.Column("next_change_at", INSTANT),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content_size", sa.Integer(), nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", INSTANT, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("content_html", sa.String()),
        sa.Column("content_text", sa.String()),
        sa.Column("document", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("pk"),
        sa.UniqueConstraint("guid"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(
        "ix_entries_next_change_at",
        "entries",
        ["next_change_at"],
        unique=False,
    )
    op.create_index(
        "ix_entries_translation_key",
        "entries",
        ["translation_key"],
        unique=False,
    )
    op.create_index(
        "ix_entries_ends",
        "entries",
        ["kind", "is_visible", "ends"],
        unique=False,
    )
    op.create_index(
        "ix_entries_published",
        "entries",
        [
            "kind",
            "is_visible",
            sa.literal_column("published DESC"),
            "guid",
            "size",
        ],
        unique=False,
    )
    op.create_index(
        "ix_entries_starts",
        "entries",
        ["kind", "is_visible", "starts", "guid"],
        unique=False,
    )
    op.create_index(
        "ix_entries_lang",
        "entries",
        [
            "kind",
            "is_visible",
            "lang",
            sa.literal_column("published DESC"),
            "guid",
        ],
        unique=False,
    )
    op.create_index(
        "ix_entries_changes", "entries", ["was_visible", "seq"], unique=False
    )
    op.create_index(
        "ix_entries_kind_changes",
        "entries",
        ["kind", "was_visible", "seq"],
        unique=False,
    )
    op.create_table(
        "hubs",
        sa.Column("url", KEY, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", INSTANT),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("url"),
    )
    change_sequence = op.create_table(
        "change_sequence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time", INSTANT, nullable=False),
        sa.Column("clock", INSTANT, nullable=False),
        sa.Column("tzdata", sa.String()),
        sa.Column("tzdata_pk", sa.Integer()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "websub_feeds",
        sa.Column("path", KEY, nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=False),
        sa.Column("next_change_at", INSTANT),
        sa.Column("is_canonical", sa.Boolean(), nullable=False),
        sa.Column("render_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_index(
        "ix_websub_feeds_next_change_at",
        "websub_feeds",
        ["next_change_at"],
        unique=False,
    )
    op.create_table(
        "websub_feed_keys",
        sa.Column("path", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column(
            "category_id", sa.Integer(), autoincrement=False, nullable=False
        ),
        sa.PrimaryKeyConstraint("path", "kind", "category_id"),
    )
    op.create_index(
        "ix_websub_feed_keys_key",
        "websub_feed_keys",
        ["kind", "category_id"],
        unique=False,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("token", KEY, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("entry_id", KEY),
        sa.Column("time", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("token", "path", "key"),
    )
    op.create_index(
        "ix_idempotency_keys_entry_id",
        "idempotency_keys",
        ["entry_id"],
        unique=False,
    )
    op.create_index(
        "ix_idempotency_keys_time", "idempotency_keys", ["time"], unique=False
    )
    op.create_table(
        "subscription_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("topic", KEY, nullable=False),
        sa.Column("callback", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.Column("domain", KEY, nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("secret", sa.String()),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "failures", sa.Integer(), server_default="0", nullable=False
        ),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_subscription_requests_created_at",
        "subscription_requests",
        ["created_at"],
        unique=False,
    )
    op.create_index(
        "ix_subscription_requests_next_attempt_at",
        "subscription_requests",
        ["next_attempt_at"],
        unique=False,
    )
    op.create_index(
        "ix_subscription_requests_host",
        "subscription_requests",
        ["host"],
        unique=False,
    )
    op.create_index(
        "ix_subscription_requests_domain",
        "subscription_requests",
        ["domain"],
        unique=False,
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("topic", KEY, nullable=False),
        sa.Column("callback", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.Column("domain", KEY, nullable=False),
        sa.Column("address", KEY),
        sa.Column("latency", sa.Float()),
        sa.Column("secret", sa.String()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("target_etag", sa.String(), nullable=False),
        sa.Column("pending_since", INSTANT),
        sa.Column("next_attempt_at", INSTANT),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_subscriptions_address", "subscriptions", ["address"], unique=False
    )
    op.create_index(
        "ix_subscriptions_next_attempt_at",
        "subscriptions",
        ["next_attempt_at"],
        unique=False,
    )
    op.create_index(
        "ix_subscriptions_expires_at",
        "subscriptions",
        ["expires_at"],
        unique=False,
    )
    op.create_index(
        "ix_subscriptions_host", "subscriptions", ["host"], unique=False
    )
    op.create_index(
        "ix_subscriptions_path", "subscriptions", ["path"], unique=False
    )
    op.create_index(
        "ix_subscriptions_domain", "subscriptions", ["domain"], unique=False
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("last_used", INSTANT),
        sa.Column("revoked", INSTANT),
        sa.Column("expires", INSTANT),
        sa.Column("previous_hash", KEY),
        sa.Column("previous_valid_until", INSTANT),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        sa.UniqueConstraint("name"),
    )
    op.create_index(
        "ix_tokens_previous_hash", "tokens", ["previous_hash"], unique=False
    )
    feed_versions = op.create_table(
        "feed_versions",
        sa.Column("kind", KEY, nullable=False),
        sa.Column(
            "category_id", sa.Integer(), autoincrement=False, nullable=False
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "category_id"),
    )
    op.create_index(
        "ix_feed_versions_seq", "feed_versions", ["seq"], unique=False
    )
    op.create_table(
        "entry_categories",
        sa.Column(
            "entry_pk", sa.Integer(), autoincrement=False, nullable=False
        ),
        sa.Column(
            "category_id", sa.Integer(), autoincrement=False, nullable=False
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("is_visible", sa.Boolean(), nullable=False),
        sa.Column("published", INSTANT),
        sa.Column("guid", KEY, nullable=False),
        sa.Column("lang", KEY, nullable=False),
        sa.Column("starts", INSTANT),
        sa.Column("ends", INSTANT),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["categories.id"],
        ),
        sa.ForeignKeyConstraint(
            ["entry_pk"],
            ["entries.pk"],
        ),
        sa.PrimaryKeyConstraint("entry_pk", "category_id"),
    )
    op.create_index(
        "ix_entry_categories_starts",
        "entry_categories",
        ["category_id", "kind", "is_visible", "starts", "guid"],
        unique=False,
    )
    op.create_index(
        "ix_entry_categories_lang",
        "entry_categories",
        [
            "category_id",
            "kind",
            "is_visible",
            "lang",
            sa.literal_column("published DESC"),
            "guid",
        ],
        unique=False,
    )
    op.create_index(
        "ix_entry_categories_ends",
        "entry_categories",
        ["category_id", "kind", "is_visible", "ends"],
        unique=False,
    )
    op.create_index(
        "ix_entry_categories_published",
        "entry_categories",
        [
            "category_id",
            "kind",
            "is_visible",
            sa.literal_column("published DESC"),
            "guid",
        ],
        unique=False,
    )
    op.create_table(
        "category_slug_history",
        sa.Column("slug", KEY, nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["categories.id"],
        ),
        sa.PrimaryKeyConstraint("slug"),
    )
    op.create_table(
        "tombstones",
        sa.Column(
            "entry_pk", sa.Integer(), autoincrement=False, nullable=False
        ),
        sa.Column(
            "category_id", sa.Integer(), autoincrement=False, nullable=False
        ),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("published", INSTANT),
        sa.Column("time", INSTANT, nullable=False),
        sa.Column("deleted", INSTANT),
        sa.Column("start", sa.String()),
        sa.Column("timezone", sa.String()),
        sa.Column("sequence", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["entry_pk"],
            ["entries.pk"],
        ),
        sa.PrimaryKeyConstraint("entry_pk", "category_id"),
    )
    op.create_index(
        "ix_tombstones_time",
        "tombstones",
        ["category_id", "kind", "time"],
        unique=False,
    )
    op.create_index(
        "ix_tombstones_deleted",
        "tombstones",
        ["category_id", "kind", "deleted"],
        unique=False,
    )
    _create_search_index()
    sanitizer = op.create_table(
        "sanitizer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(sanitizer, [{"id": 1, "fingerprint": ""}])
    # A fixed time: feeds that never had an entry are the same in every database.
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    op.bulk_insert(
        change_sequence, [{"id": 1, "seq": 0, "time": epoch, "clock": epoch}]
    )
    kinds = ("news", "events", "categories")
    op.bulk_insert(
        feed_versions,
        [
            {"kind": kind, "category_id": 0, "seq": 0, "time": epoch}
            for kind in kinds
        ],
    )


def _create_search_index() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "entry_search",
        sa.Column(
            "entry_pk", sa.Integer(), autoincrement=False, nullable=False
        ),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column(
            "words",
            sa.String().with_variant(TSVECTOR, "postgresql"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["entry_pk"],
            ["entries.pk"],
        ),
        sa.PrimaryKeyConstraint("entry_pk"),
        sa.UniqueConstraint("key"),
    )
    if is_postgresql:
        for kind, condition in (("news", "<"), ("events", ">=")):
            op.create_index(
                f"ix_entry_search_{kind}",
                "entry_search",
                ["words"],
                postgresql_using="gin",
                postgresql_where=sa.text(f"key {condition} {1 << 62}"),
                postgresql_with={"gin_pending_list_limit": 256},
            )
        # Without statistics, PostgreSQL takes all words for rare, and uses the index:
        # it would read the whole table for two frequent words that never meet.
        op.execute("ALTER TABLE entry_search ALTER words SET STATISTICS 0")
        return
    # The tokenizer `ascii` divides at spaces, as words have no ASCII but letters and
    # digits. Without positions and lengths the index is small.
    op.execute(
        "CREATE VIRTUAL TABLE entry_search_fts USING fts5(words, "
        "content='entry_search', content_rowid='key', "
        "tokenize='ascii', detail=none, columnsize=0)"
    )
    # A word that an entry loses is overwritten in the file.
    op.execute(
        "INSERT INTO entry_search_fts (entry_search_fts, rank) "
        "VALUES ('secure-delete', 1)"
    )
