"""The tables. `migrations/` creates them; a test compares the two."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

REVISION = "0001"
"""The newest migration, which the database must be at."""

metadata = sa.MetaData()

INHERITED = -1
"""The position in a category that an entry does not name, but inherits."""


class UTCDateTime(sa.TypeDecorator[datetime]):
    """A time in UTC.

    SQLite drops offsets silently, so a time without one is refused.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: sa.Dialect
    ) -> datetime | None:
        """Return a time in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Return a time in UTC; PostgreSQL returns it in the zone of the session."""
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        """Return the function that reads a time from a row."""
        # Without the two calls of `TypeDecorator`: a feed has hundreds of times.
        if dialect.name == "sqlite":
            return _parse_utc
        return super().result_processor(dialect, coltype)


def _parse_utc(text: str | None) -> datetime | None:
    """Return the time that SQLite has as text without an offset."""
    # `replace(tzinfo=UTC)` takes five times as long.
    return None if text is None else datetime.fromisoformat(text + "+00:00")


class KeyList(sa.TypeDecorator[Sequence[int]]):
    """Keys of rows in one parameter, for `is_among`."""

    impl = sa.String().with_variant(sa.ARRAY(sa.Integer), "postgresql")
    cache_ok = True

    def process_bind_param(
        self, value: Sequence[int] | None, dialect: sa.Dialect
    ) -> list[int] | str:
        """Return an array for PostgreSQL, or JSON."""
        keys = list(value or ())
        return keys if dialect.name == "postgresql" else json.dumps(keys)


LIMIT = sa.bindparam("limit", type_=sa.Integer) + 0
"""The parameter `limit` for LIMIT, without a plan of its own for each value.

For a bare parameter, SQLite plans a statement anew each time that it is executed, which
takes longer than to run it.
"""


class is_among(FunctionElement[bool]):  # noqa: N801, as SQLAlchemy's own functions
    """The condition that a column is one of the keys in a parameter.

    `in_` would make one parameter of each key, which takes SQLAlchemy and the driver
    longer than the database takes to read the rows.
    """

    type = sa.Boolean()
    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[int], parameter: str) -> None:
        super().__init__(column, sa.bindparam(parameter, type_=KeyList))

    def self_group(self, against: object = None) -> is_among:
        """Return the condition itself: SQLAlchemy would append `= 1` for SQLite."""
        return self


@compiles(is_among, "sqlite")
def _compile_for_sqlite(element: is_among, compiler: Any, **options: Any) -> str:
    column, keys = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608


@compiles(is_among, "postgresql")
def _compile_for_postgresql(element: is_among, compiler: Any, **options: Any) -> str:
    column, keys = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({keys})"


JSON = sa.JSON(none_as_null=True)
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""Text that is compared and sorted by code point in every database."""

change_sequence = Table(
    "change_sequence",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("seq", sa.BigInteger, nullable=False),
    Column("time", UTCDateTime, nullable=False),
    # The last writer's clock. If it was behind `time`, the lowest clock since the first
    # write with such a clock.
    Column("clock", UTCDateTime, nullable=False),
    # The release of tzdata by which the instants of events were computed, and the last
    # event that was computed anew; NULL when all were.
    Column("tzdata", sa.String),
    Column("tzdata_pk", sa.Integer),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("time", UTCDateTime, nullable=False),
    Column("action", sa.String, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("id", KEY, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("token", sa.String, nullable=False),
)

feed_versions = Table(
    "feed_versions",
    metadata,
    Column("kind", KEY, primary_key=True),
    Column("category_id", sa.Integer, primary_key=True, autoincrement=False),
    Column("seq", sa.BigInteger, nullable=False, index=True),
    Column("time", UTCDateTime, nullable=False),
)


languages = Table(
    # The language tags that visible entries have or once had, in lower case.
    "languages",
    metadata,
    Column("kind", KEY, primary_key=True),
    Column("tag", KEY, primary_key=True),
)

archive_parts = Table(
    # The first entry of each part of a month, without the first part.
    "archive_parts",
    metadata,
    Column("kind", KEY, primary_key=True),
    # Such as 2026-11.
    Column("month", KEY, primary_key=True),
    Column("number", sa.Integer, primary_key=True, autoincrement=False),
    Column("first_published", UTCDateTime, nullable=False),
    Column("first_guid", KEY, nullable=False),
)

categories = Table(
    "categories",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("slug", KEY, nullable=False, unique=True),
    Column("title", sa.String, nullable=False),
    Column("description", sa.String),
    Column("language", sa.String),
    Column("url", sa.String),
    # The slug of a wider category.
    Column("parent", KEY),
    Column("retired", UTCDateTime),
    # The last change in the change log, and the last one of the title or the slug.
    Column("changed_at", UTCDateTime, nullable=False, index=True),
    Column("titled_at", UTCDateTime, nullable=False),
)

category_slug_history = Table(
    "category_slug_history",
    metadata,
    Column("slug", KEY, primary_key=True),
    Column("category_id", ForeignKey(categories.c.id), nullable=False),
)

entries = Table(
    # `document` has what no query needs. The columns from `kind` to `translation_key`
    # are copies for queries, which `entry_rows.entry_columns` makes from the entry.
    "entries",
    metadata,
    Column("pk", sa.Integer, primary_key=True),
    Column("id", KEY, nullable=False, unique=True),
    Column("guid", KEY, nullable=False, unique=True),
    Column("kind", KEY, nullable=False),
    # As posted, or deleted.
    Column("status", KEY, nullable=False),
    Column("published", UTCDateTime),
    # Of an event: the start of the current or next occurrence, as the scheduler stored
    # it, and the end of the last one, far ahead if there is none.
    Column("starts", UTCDateTime),
    Column("ends", UTCDateTime),
    # Of a recurring event: the start of the first occurrence.
    Column("series_start", UTCDateTime),
    Column("event_status", KEY),
    # The language tag in lower case.
    Column("lang", KEY, nullable=False),
    Column("translation_key", KEY, index=True),
    Column("is_visible", sa.Boolean, nullable=False),
    Column("was_visible", sa.Boolean, nullable=False),
    # When `is_visible` or `starts` changes without an edit.
    Column("next_change_at", UTCDateTime, index=True),
    # The sequence number of the last change in the change log, and its time.
    Column("seq", sa.BigInteger, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    # The estimated bytes in a feed, and those of the body among them.
    Column("size", sa.Integer, nullable=False),
    Column("content_size", sa.Integer, nullable=False),
    # True if an import was the last to write it: imports do not overwrite edits. The
    # change log has the writer too, but no index by entry.
    Column("imported", sa.Boolean, nullable=False, default=False),
    Column("version", sa.Integer, nullable=False),
    # For readers; of an imported entry the time of its source.
    Column("updated", UTCDateTime, nullable=False),
    # RFC 5545 §3.8.7.4.
    Column("sequence", sa.Integer, nullable=False),
    # Apart from the document, so that feeds can load entries without their bodies: the
    # memory for a feed is bounded.
    Column("content_html", sa.String),
    Column("content_text", sa.String),
    # JSON as text, not of the type JSON, which drivers would decode, nor JSONB, which
    # would sort the members in another order.
    Column("document", sa.String, nullable=False),
)
Index(
    "ix_entries_published",
    entries.c.kind,
    entries.c.is_visible,
    entries.c.published.desc(),
    entries.c.guid,
    entries.c.size,
)
Index(
    "ix_entries_starts",
    entries.c.kind,
    entries.c.is_visible,
    entries.c.starts,
    entries.c.guid,
)
Index(
    "ix_entries_lang",
    entries.c.kind,
    entries.c.is_visible,
    entries.c.lang,
    entries.c.published.desc(),
    entries.c.guid,
)
Index("ix_entries_changes", entries.c.was_visible, entries.c.seq)
Index("ix_entries_kind_changes", entries.c.kind, entries.c.was_visible, entries.c.seq)
Index("ix_entries_ends", entries.c.kind, entries.c.is_visible, entries.c.ends)

entry_categories = Table(
    # The categories of entries, with the columns that feeds are sorted and filtered by,
    # so that the newest entries of a category are one range of one index.
    "entry_categories",
    metadata,
    Column("entry_pk", ForeignKey(entries.c.pk), primary_key=True, autoincrement=False),
    Column(
        "category_id",
        ForeignKey(categories.c.id),
        primary_key=True,
        autoincrement=False,
    ),
    # Among the categories that the entry names; INHERITED for others.
    Column("position", sa.Integer, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("is_visible", sa.Boolean, nullable=False),
    Column("published", UTCDateTime),
    Column("guid", KEY, nullable=False),
    Column("lang", KEY, nullable=False),
    Column("starts", UTCDateTime),
    Column("ends", UTCDateTime),
)
_of = entry_categories.c
Index(
    "ix_entry_categories_published",
    _of.category_id,
    _of.kind,
    _of.is_visible,
    _of.published.desc(),
    _of.guid,
)
Index(
    "ix_entry_categories_starts",
    _of.category_id,
    _of.kind,
    _of.is_visible,
    _of.starts,
    _of.guid,
)
Index(
    "ix_entry_categories_lang",
    _of.category_id,
    _of.kind,
    _of.is_visible,
    _of.lang,
    _of.published.desc(),
    _of.guid,
)
Index("ix_entry_categories_ends", _of.category_id, _of.kind, _of.is_visible, _of.ends)

FIRST_EVENT_KEY = 1 << 62
"""The keys of `entry_search` from which on they are those of events."""

entry_search = Table(
    # The words of entries, for `search.py`. In SQLite the virtual table
    # `entry_search_fts` is the index of this one.
    "entry_search",
    metadata,
    Column("entry_pk", ForeignKey(entries.c.pk), primary_key=True, autoincrement=False),
    # Sorts by kind, publication and `entry_pk`.
    Column("key", sa.BigInteger, nullable=False, unique=True),
    Column("words", sa.String().with_variant(TSVECTOR, "postgresql"), nullable=False),
)
# One for each kind, so that a word that all articles have costs no time in a search for
# events.
for _kind, _condition in (("news", "<"), ("events", ">=")):
    Index(
        f"ix_entry_search_{_kind}",
        entry_search.c.words,
        postgresql_using="gin",
        postgresql_where=sa.text(f"key {_condition} {FIRST_EVENT_KEY}"),
        # Rows that wait to be indexed are searched one by one, so only a few may.
        postgresql_with={"gin_pending_list_limit": 256},
    ).ddl_if(dialect="postgresql")

tombstones = Table(
    # The feed keys that hidden entries have left. A row has all that feeds tell of the
    # entry, apart from its guid, so that an edit of a hidden entry changes no feed.
    "tombstones",
    metadata,
    Column("entry_pk", ForeignKey(entries.c.pk), primary_key=True, autoincrement=False),
    # 0 for the whole kind.
    Column("category_id", sa.Integer, primary_key=True, autoincrement=False),
    Column("kind", KEY, nullable=False),
    Column("published", UTCDateTime),
    # When the entry left, and when it was deleted, if it was.
    Column("time", UTCDateTime, nullable=False),
    Column("deleted", UTCDateTime),
    # Of an event, as readers last saw it, in the form of documents.
    Column("start", sa.String),
    Column("timezone", sa.String),
    # Of a deleted event.
    Column("sequence", sa.Integer),
)
Index(
    "ix_tombstones_time", tombstones.c.category_id, tombstones.c.kind, tombstones.c.time
)
Index(
    "ix_tombstones_deleted",
    tombstones.c.category_id,
    tombstones.c.kind,
    tombstones.c.deleted,
)

sanitizer = Table(
    # Version 1.0 stored here by which rules it had sanitized all HTML.
    "sanitizer",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("fingerprint", sa.String, nullable=False),
)

hubs = Table(
    # External WebSub hubs. Each knows the changes up to `seq`.
    "hubs",
    metadata,
    Column("url", KEY, primary_key=True),
    Column("seq", sa.BigInteger, nullable=False),
    Column("checked_at", UTCDateTime),  # not used
    Column("next_attempt_at", UTCDateTime, nullable=False),
    Column("failures", sa.Integer, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("hash", KEY, nullable=False, unique=True),
    Column("name", KEY, nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created", UTCDateTime, nullable=False),
    Column("last_used", UTCDateTime),
    Column("revoked", UTCDateTime),
    Column("expires", UTCDateTime),
    # The token that this one replaced, which is valid for a while.
    Column("previous_hash", KEY, index=True),
    Column("previous_valid_until", UTCDateTime),
)
