"""The tables of version 2.0, with which databases begin.

In PostgreSQL, those of versions 2.0 and 3.0 have a 1 at the end of the names of their
constraints and sequences, since these were made beside those of version 1.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    """Create the tables, and the only row of revisions."""
    revisions = op.create_table(
        "revisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("last", INSTANT, nullable=False),
        sa.Column("news", INSTANT, nullable=False),
        sa.Column("events", INSTANT, nullable=False),
        sa.Column("written_at", INSTANT, nullable=False),
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("secret", KEY, nullable=False),
        sa.Column("hubs_told", INSTANT, nullable=False),
        sa.Column("hubs_due_at", INSTANT, nullable=False),
        sa.Column("hubs_failures", sa.Integer, nullable=False),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("slug", KEY, nullable=False, unique=True),
        sa.Column("title", KEY, nullable=False),
        sa.Column("description", KEY),
        sa.Column("language", KEY),
        sa.Column("url", KEY),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("categories.id")),
        sa.Column("deleted_at", INSTANT),
    )
    op.create_table(
        "former_slugs",
        sa.Column("slug", KEY, primary_key=True),
        sa.Column(
            "category_id",
            sa.Integer,
            sa.ForeignKey("categories.id"),
            nullable=False,
        ),
    )
    op.create_table(
        "entries",
        sa.Column("pk", sa.Integer, primary_key=True),
        sa.Column("id", KEY, nullable=False, unique=True),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("guid", KEY, nullable=False, unique=True),
        sa.Column("status", KEY, nullable=False),
        sa.Column("language", KEY, nullable=False),
        sa.Column("translation_key", KEY),
        sa.Column("event_status", KEY),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("published_at", INSTANT),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("is_imported", sa.Boolean, nullable=False),
        sa.Column("series_starts_at", INSTANT),
        sa.Column("starts_at", INSTANT),
        sa.Column("listed_at", INSTANT),
        sa.Column("ends_at", INSTANT),
        sa.Column("is_over", sa.Boolean, nullable=False),
        sa.Column("is_public", sa.Boolean, nullable=False),
        sa.Column("was_public", sa.Boolean, nullable=False),
        sa.Column("due_at", INSTANT),
    )
    op.create_table(
        "entry_contents",
        _entry_key(),
        sa.Column("document", sa.String, nullable=False),
    )
    op.create_table(
        "entry_words",
        _entry_key(),
        sa.Column("words", sa.String, nullable=False),
    )
    op.create_table(
        "entry_categories",
        _entry_key(),
        sa.Column(
            "category_id",
            sa.Integer,
            sa.ForeignKey("categories.id"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("is_public", sa.Boolean, nullable=False),
        sa.Column("published_at", INSTANT),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("hash", KEY, nullable=False, unique=True),
        sa.Column("name", KEY, nullable=False, unique=True),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
    )
    for name, table, columns in (
        (
            "ix_entries_published",
            "entries",
            "kind is_public published_at guid",
        ),
        ("ix_entries_starts", "entries", "kind is_public is_over starts_at"),
        ("ix_entries_listed", "entries", "kind is_public is_over listed_at"),
        ("ix_entries_ends", "entries", "kind is_public ends_at"),
        ("ix_entries_translation_key", "entries", "translation_key"),
        ("ix_entries_changed_at", "entries", "changed_at"),
        ("ix_entries_due", "entries", "kind due_at"),
        ("ix_entries_changes", "entries", "kind changed_at"),
        (
            "ix_entry_categories_published",
            "entry_categories",
            "category_id kind is_public published_at",
        ),
    ):
        op.create_index(name, table, columns.split())
    row = {
        "id": 1,
        "last": 0,
        "news": 0,
        "events": 0,
        "written_at": 0,
        "fingerprint": "",
        "secret": secrets.token_urlsafe(32),
        "hubs_told": 0,
        "hubs_due_at": 0,
        "hubs_failures": 0,
    }
    op.bulk_insert(revisions, [row])


def _entry_key() -> sa.Column[int]:
    return sa.Column(
        "entry_pk",
        sa.Integer,
        sa.ForeignKey("entries.pk"),
        primary_key=True,
        autoincrement=False,
    )
