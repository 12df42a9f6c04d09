"""The tables of version 2, with the rows of version 1."""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.BigInteger()

_BATCH_SIZE = 500
_RENAMED_TABLES = ("categories", "entries", "entry_categories", "tokens")
_OLD_TABLES = (
    "old_entry_categories",
    "category_slug_history",
    "entry_search",
    "tombstones",
    "old_entries",
    "old_categories",
    "old_tokens",
    "change_sequence",
    "changes",
    "feed_versions",
    "languages",
    "archive_parts",
    "sanitizer",
    "idempotency_keys",
    "websub_feed_keys",
    "websub_feeds",
    "subscription_requests",
    "subscriptions",
    "hubs",
)
"""The tables of version 1, those first that refer to others."""


def upgrade() -> None:
    """Create the tables, and carry the rows over in batches."""
    connection = op.get_bind()
    now = datetime.now(UTC)
    for table in _RENAMED_TABLES:
        for index in sa.inspect(connection).get_indexes(table):
            # PostgreSQL's indexes of constraints go with the table.
            if "duplicates_constraint" not in index:
                op.drop_index(str(index["name"]), table)
        op.rename_table(table, f"old_{table}")
    _create_tables()
    _carry_categories(connection)
    last = _carry_entries(connection, now)
    _carry_tokens(connection)
    updated = connection.scalar(
        sa.select(sa.func.max(_table("entries").c.updated_at))
    )
    row = {
        "id": 1,
        "last": last,
        "news": last,
        "events": last,
        "written_at": updated or 0,
        "fingerprint": "",
        "secret": secrets.token_urlsafe(32),
        "hubs_told": last,
        "hubs_due_at": 0,
        "hubs_failures": 0,
    }
    connection.execute(_table("revisions").insert(), row)
    _drop_old_tables(connection)
    _create_indexes()
    if connection.dialect.name == "postgresql":
        _continue_sequences(connection)


def _create_tables() -> None:
    op.create_table(
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


def _entry_key() -> sa.Column[int]:
    return sa.Column(
        "entry_pk",
        sa.Integer,
        sa.ForeignKey("entries.pk"),
        primary_key=True,
        autoincrement=False,
    )


def _create_indexes() -> None:
    """Create the indexes, which takes less time after the rows are there."""
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


def _carry_categories(connection: sa.Connection) -> None:
    old = list(
        connection.execute(sa.select(_table("old_categories"))).mappings()
    )
    keys = {row["slug"]: row["id"] for row in old}
    rows = [
        {
            "id": row["id"],
            "slug": row["slug"],
            "title": row["title"],
            "description": row["description"],
            "language": row["language"],
            "url": row["url"],
            "deleted_at": _microseconds(row["retired"]),
        }
        for row in old
    ]
    categories = _table("categories")
    if rows:
        connection.execute(categories.insert(), rows)
    # Afterwards, when every parent is there.
    for row in old:
        if row["parent"] in keys:
            connection.execute(
                categories.update()
                .where(categories.c.id == row["id"])
                .values(parent_id=keys[row["parent"]])
            )
    former = connection.execute(
        sa.select(_table("category_slug_history"))
    ).mappings()
    for row in former.all():
        connection.execute(_table("former_slugs").insert(), dict(row))


def _carry_entries(connection: sa.Connection, now: datetime) -> int:
    """Carry the entries over, in the order of their changes; return the last revision.

    Each is given a revision of its own, so that followers of the changes get all.
    """
    started_at = changed_at = _microseconds(now) or 0
    for batch in _batches(connection):
        pks = [row["pk"] for row in batch]
        rows = []
        for row in batch:
            changed_at += 1
            rows.append(_entry_row(row, changed_at, now))
        connection.execute(_table("entries").insert(), rows)
        documents = [
            {"entry_pk": row["pk"], "document": _document(row)}
            for row in batch
        ]
        connection.execute(_table("entry_contents").insert(), documents)
        _carry_memberships(connection, {row["pk"]: row for row in rows})
        _carry_words(connection, pks)
        _delete_old_rows(connection, pks)
    # A new database has had no change.
    return changed_at if changed_at > started_at else 0


def _batches(connection: sa.Connection) -> Iterator[list[Any]]:
    entries = _table("old_entries")
    order = connection.scalars(
        sa.select(entries.c.pk).order_by(entries.c.seq, entries.c.pk)
    ).all()
    for first in range(0, len(order), _BATCH_SIZE):
        pks = order[first : first + _BATCH_SIZE]
        statement = sa.select(entries).where(entries.c.pk.in_(pks))
        rows = connection.execute(statement).mappings()
        yield sorted(rows, key=lambda row: (row["seq"], row["pk"]))


def _entry_row(row: Any, changed_at: int, now: datetime) -> dict[str, Any]:
    ends_at = _microseconds(row["ends"])
    is_over = ends_at is not None and ends_at <= (_microseconds(now) or 0)
    due = [_microseconds(row["next_change_at"])]
    # In version 1 the start and the end of an event were no scheduled changes: the
    # first tick examines all that are not over.
    if row["is_visible"] and ends_at is not None and not is_over:
        due.append(_microseconds(now))
    return {
        "pk": row["pk"],
        "id": row["id"],
        "kind": row["kind"],
        "guid": row["guid"],
        "status": row["status"],
        "language": row["lang"],
        "translation_key": row["translation_key"],
        "event_status": row["event_status"],
        "version": row["version"],
        "sequence": row["sequence"],
        "published_at": _microseconds(row["published"]),
        "updated_at": _microseconds(row["updated"]),
        "changed_at": changed_at,
        "is_imported": row["imported"],
        "series_starts_at": _microseconds(row["series_start"]),
        "starts_at": _microseconds(row["starts"]),
        "listed_at": _microseconds(row["starts"]),
        "ends_at": ends_at,
        "is_over": is_over,
        "is_public": row["is_visible"],
        "was_public": row["was_visible"],
        "due_at": min(
            (each for each in due if each is not None), default=None
        ),
    }


def _document(row: Any) -> str:
    """Return the document with the body, which had columns of its own."""
    members = json.loads(row["document"])
    for name in ("content_html", "content_text"):
        if row[name] is not None:
            members[name] = row[name]
    return json.dumps(
        members, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )


def _carry_memberships(
    connection: sa.Connection, rows: dict[int, Any]
) -> None:
    old = _table("old_entry_categories")
    statement = sa.select(
        old.c.entry_pk, old.c.category_id, old.c.position
    ).where(
        old.c.entry_pk.in_(list(rows)),
        # Others are inherited ones.
        old.c.position >= 0,
    )
    memberships = [
        {
            **membership,
            "kind": rows[membership["entry_pk"]]["kind"],
            "is_public": rows[membership["entry_pk"]]["is_public"],
            "published_at": rows[membership["entry_pk"]]["published_at"],
        }
        for membership in connection.execute(statement).mappings()
    ]
    if memberships:
        connection.execute(_table("entry_categories").insert(), memberships)


def _carry_words(connection: sa.Connection, pks: list[int]) -> None:
    is_postgresql = connection.dialect.name == "postgresql"
    old = _table("entry_search")
    words: Any = old.c.words
    if is_postgresql:
        words = sa.func.array_to_string(sa.func.tsvector_to_array(words), " ")
    statement = sa.select(old.c.entry_pk, words.label("words"))
    rows = [
        {"entry_pk": pk, "words": _padded(text)}
        for pk, text in connection.execute(
            statement.where(old.c.entry_pk.in_(pks))
        )
    ]
    if rows:
        connection.execute(_table("entry_words").insert(), rows)


def _delete_old_rows(connection: sa.Connection, pks: list[int]) -> None:
    """Delete the old rows of entries.

    Dropping a table with all of them takes much memory in SQLite, which can reuse their
    space at once.
    """
    for table, key in (
        ("old_entry_categories", "entry_pk"),
        ("entry_search", "entry_pk"),
        ("tombstones", "entry_pk"),
        ("old_entries", "pk"),
    ):
        old = _table(table)
        connection.execute(old.delete().where(old.c[key].in_(pks)))


def _padded(text: str) -> str:
    # In PostgreSQL one of the words was a period, such as @42.
    words = sorted(word for word in text.split() if not word.startswith("@"))
    return f" {' '.join(words)} "


def _carry_tokens(connection: sa.Connection) -> None:
    old = connection.execute(sa.select(_table("old_tokens"))).mappings()
    rows = [
        {
            "id": row["id"],
            "hash": row["hash"],
            "name": row["name"],
            "scopes": row["scopes"],
            "created_at": _microseconds(row["created"]),
            "expires_at": _microseconds(row["expires"]),
            "revoked_at": _microseconds(row["revoked"]),
        }
        for row in old
    ]
    if rows:
        connection.execute(_table("tokens").insert(), rows)


def _drop_old_tables(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        op.execute("DROP TABLE IF EXISTS entry_search_fts")
    existing = set(sa.inspect(connection).get_table_names())
    for table in _OLD_TABLES:
        if table in existing:
            op.drop_table(table)


def _continue_sequences(connection: sa.Connection) -> None:
    """Let PostgreSQL's sequences continue after the keys that were carried over."""
    for table, column in (
        ("categories", "id"),
        ("entries", "pk"),
        ("tokens", "id"),
    ):
        key = _table(table).c[column]
        sequence = sa.func.pg_get_serial_sequence(table, column)
        maximum = sa.select(
            sa.func.coalesce(sa.func.max(key), 0) + 1
        ).scalar_subquery()
        connection.execute(
            sa.select(sa.func.setval(sequence, maximum, sa.false()))
        )


def _table(name: str) -> sa.Table:
    """Return a table as it is in the database, with all of its columns."""
    return sa.Table(name, sa.MetaData(), autoload_with=op.get_bind())


def _microseconds(moment: Any) -> int | None:
    """Return the microseconds since 1970 of a time of version 1."""
    if moment is None:
        return None
    if moment.tzinfo is None:  # SQLite has no offsets: it is in UTC
        moment = moment.replace(tzinfo=UTC)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return int((moment - epoch) // timedelta(microseconds=1))
