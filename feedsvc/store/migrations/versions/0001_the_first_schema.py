"""The first schema: entries, events, categories, tokens and the ledger."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", KEY, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String()),
        sa.Column("language", sa.String()),
        sa.Column("url", sa.String()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug"),
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
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published", INSTANT),
        sa.Column("updated", INSTANT, nullable=False),
        sa.Column("ends", INSTANT),
        sa.Column("url", sa.String()),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("content_html", sa.String()),
        sa.Column("content_text", sa.String()),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("rights", sa.String()),
        sa.Column("authors", sa.JSON()),
        sa.Column("source", sa.JSON()),
        sa.Column("image", sa.JSON()),
        sa.Column("attachments", sa.JSON()),
        sa.PrimaryKeyConstraint("pk"),
        sa.UniqueConstraint("guid"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_entries_ends", "entries", ["kind", "shown", "ends"], unique=False)
    op.create_index(
        "ix_entries_published",
        "entries",
        ["kind", "shown", sa.literal_column("published DESC"), "guid"],
        unique=False,
    )
    ledger = op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
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
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        sa.UniqueConstraint("name"),
    )
    topics = op.create_table(
        "topics",
        sa.Column("kind", KEY, nullable=False),
        sa.Column("category_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "category_id"),
    )
    op.create_table(
        "event_details",
        sa.Column("entry_pk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start", sa.String(), nullable=False),
        sa.Column("end", sa.String()),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("location", sa.JSON()),
        sa.Column("organizer", sa.JSON()),
        sa.ForeignKeyConstraint(
            ["entry_pk"],
            ["entries.pk"],
        ),
        sa.PrimaryKeyConstraint("entry_pk"),
    )
    op.create_table(
        "placements",
        sa.Column("entry_pk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("category_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("published", INSTANT),
        sa.Column("guid", KEY, nullable=False),
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
        "ix_placements_ends", "placements", ["category_id", "kind", "shown", "ends"], unique=False
    )
    op.create_index(
        "ix_placements_published",
        "placements",
        ["category_id", "kind", "shown", sa.literal_column("published DESC"), "guid"],
        unique=False,
    )
    # Not the time now: feeds that never held anything are the same in every database.
    now = datetime(1970, 1, 1, tzinfo=UTC)
    op.bulk_insert(ledger, [{"id": 1, "seq": 0, "time": now}])
    kinds = ("news", "events", "categories")
    op.bulk_insert(topics, [{"kind": kind, "category_id": 0, "seq": 0, "time": now} for kind in kinds])
