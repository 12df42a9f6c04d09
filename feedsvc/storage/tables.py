"""The tables.

`migrations/` creates the tables; tests/storage/test_migration.py compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from feedsvc.models import EPOCH, Category, Entry, Event
from feedsvc.storage.documents import decode_document
from feedsvc.storage.visibility import State

_MICROSECOND = timedelta(microseconds=1)


class UTCDateTime(sa.TypeDecorator[datetime]):
    """An instant, as the number of microseconds since 1970 in every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: sa.Dialect
    ) -> int | None:
        """Return the number of microseconds."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Return the time in UTC."""
        return None if value is None else from_microseconds(value)


def to_microseconds(moment: datetime) -> int:
    """Return the number of microseconds from 1970 to a time."""
    # A float has too few digits for today's microseconds.
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(number: int) -> datetime:
    """Return the time in UTC that is a number of microseconds after 1970."""
    return EPOCH + timedelta(microseconds=number)


# Text that is compared and sorted by code point in every database.
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The base class of the tables."""

    type_annotation_map = {  # noqa: RUF012
        datetime: UTCDateTime,
        str: KEY,
        list[int]: sa.JSON,
        list[str]: sa.JSON,
        dict[str, str]: sa.JSON,
    }


class RevisionRow(Base):
    """The one row that every write locks, so that revisions rise with the commits.

    A revision is the time of a change, in microseconds; no two changes have the same.
    """

    __tablename__ = "revisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[datetime]
    # The last revision of each kind.
    news: Mapped[datetime]
    events: Mapped[datetime]
    # The last revision that was a write, and not due by itself.
    written_at: Mapped[datetime]
    # Followers of the changes have earlier cursors from before a restore.
    floor: Mapped[datetime] = mapped_column(server_default="0")
    # The site's day, from which `period` counts, at the last tick.
    day: Mapped[date] = mapped_column(server_default="1970-01-01")


class InstallationRow(Base):
    """The one row of what this installation must remember between its starts."""

    __tablename__ = "installation"
    id: Mapped[int] = mapped_column(primary_key=True)
    # A hash of the version and the settings that responses depend on.
    fingerprint: Mapped[str]
    # Signs the links of previews if the settings have no key.
    secret: Mapped[str]
    # The oldest schema whose code may use the database; migrations raise it.
    oldest_schema: Mapped[str] = mapped_column(server_default="0007")


class HubRow(Base):
    """The state of a WebSub hub; the row stays when it leaves the settings."""

    __tablename__ = "hubs"
    url: Mapped[str] = mapped_column(primary_key=True)
    # The last revision whose feeds it was told, but for those in `waiting`.
    told: Mapped[datetime]
    # The URLs of feeds that it has not accepted yet.
    waiting: Mapped[list[str]]
    # While a worker tells it, no other one does.
    claimed_until: Mapped[datetime]


class CategoryRow(Base):
    """A category; a deleted one keeps its slug, whose feeds are gone."""

    __tablename__ = "categories"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    description: Mapped[str | None]
    language: Mapped[str | None]
    url: Mapped[str | None]
    titles: Mapped[dict[str, str]] = mapped_column(server_default="{}")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    deleted_at: Mapped[datetime | None]
    parent: Mapped[CategoryRow | None] = relationship(remote_side=id)

    def iter_upwards(self) -> Iterator[CategoryRow]:
        """Yield the category and those above it; each is read when it is needed."""
        row: CategoryRow | None = self
        # No recursion, whose depth is limited.
        while row:
            yield row
            row = row.parent

    @property
    def category(self) -> Category:
        """The category."""
        return Category(
            slug=self.slug,
            title=self.title,
            description=self.description,
            language=self.language,
            url=self.url,
            parent=self.parent.slug if self.parent else None,
            titles=self.titles,
        )


class FormerSlugRow(Base):
    """A slug that a category had before; it redirects to the current one."""

    __tablename__ = "former_slugs"
    slug: Mapped[str] = mapped_column(primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    category: Mapped[CategoryRow] = relationship(lazy="joined", innerjoin=True)


class EntryCategoryRow(Base):
    """A category that an entry names, with copies of the entry's columns.

    With the copies, the newest entries of a category are one range of one index.
    """

    __tablename__ = "entry_categories"
    entry_pk: Mapped[int] = mapped_column(ForeignKey("entries.pk"), primary_key=True)
    category_id: Mapped[int] = mapped_column(
        ForeignKey("categories.id"), primary_key=True
    )
    position: Mapped[int]
    kind: Mapped[str]
    is_public: Mapped[bool]
    published_at: Mapped[datetime | None]
    category: Mapped[CategoryRow] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        Index(
            "ix_entry_categories_published",
            "category_id",
            "kind",
            "is_public",
            "published_at",
        ),
    )


class EntryContentRow(Base):
    """The document of an entry, apart, so that scans of entries stay short."""

    __tablename__ = "entry_contents"
    entry_pk: Mapped[int] = mapped_column(ForeignKey("entries.pk"), primary_key=True)
    document: Mapped[str] = mapped_column(sa.String)


class EntryWordsRow(Base):
    """The words of an entry for searches, as `search.py` spells them."""

    __tablename__ = "entry_words"
    entry_pk: Mapped[int] = mapped_column(ForeignKey("entries.pk"), primary_key=True)
    words: Mapped[str] = mapped_column(sa.String)
    # Versions before 3.2 do not know the column, so its default is their form.
    form: Mapped[int] = mapped_column(server_default="1", index=True)


class EntryRow(Base):
    """An entry: the columns by which queries filter and sort.

    `status` is the posted one, or `deleted`. Of a deleted entry the document has only
    the members that stay.
    """

    __tablename__ = "entries"
    pk: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    guid: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str]
    # The language tag in lower case.
    language: Mapped[str]
    translation_key: Mapped[str | None] = mapped_column(index=True)
    event_status: Mapped[str | None]
    # `free` and the accessibility of an event, with a space before and after each.
    # Versions before 3.3 do not know it, and the tick mends what they write.
    access: Mapped[str] = mapped_column(server_default="")
    version: Mapped[int]
    # Calendar programs take the highest one for the newest (RFC 5545 §3.8.7.4).
    sequence: Mapped[int]
    published_at: Mapped[datetime | None]
    # Readers see it as the last edit; an imported entry has that of its source.
    updated_at: Mapped[datetime]
    # The revision that last changed the content or `is_public`.
    changed_at: Mapped[datetime] = mapped_column(index=True)
    # True if an import was the last to write it: imports do not overwrite edits.
    is_imported: Mapped[bool]
    # The start of a series; the occurrences follow from the document.
    series_starts_at: Mapped[datetime | None]
    # `State` says what the following columns are.
    starts_at: Mapped[datetime | None]
    listed_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    is_over: Mapped[bool]
    is_public: Mapped[bool]
    was_public: Mapped[bool]
    due_at: Mapped[datetime | None]

    content: Mapped[EntryContentRow] = relationship(cascade="all, delete-orphan")
    memberships: Mapped[list[EntryCategoryRow]] = relationship(
        order_by=EntryCategoryRow.position, cascade="all, delete-orphan"
    )

    __table_args__ = (
        Index("ix_entries_published", "kind", "is_public", "published_at", "guid"),
        Index("ix_entries_starts", "kind", "is_public", "is_over", "starts_at"),
        Index("ix_entries_listed", "kind", "is_public", "is_over", "listed_at"),
        Index("ix_entries_ends", "kind", "is_public", "ends_at"),
        Index("ix_entries_due", "kind", "due_at"),
        Index("ix_entries_changes", "kind", "changed_at"),
        Index("ix_entries_status", "kind", "status", "changed_at"),
        Index("ix_entries_language", "kind", "is_public", "language"),
        # Of few entries, so that others cost nothing.
        Index(
            "ix_entries_access",
            "kind",
            "is_public",
            "is_over",
            "access",
            sqlite_where=sa.text("access <> ''"),
            postgresql_where=sa.text("access <> ''"),
        ),
    )

    @property
    def categories(self) -> list[CategoryRow]:
        """The categories that the entry names."""
        return [membership.category for membership in self.memberships]

    @property
    def affects_feeds(self) -> bool:
        """True if feeds depend on the entry.

        They do on one that is scheduled: their lifetime ends at its publication.
        """
        return self.is_public or self.due_at is not None

    @property
    def entry(self) -> Entry:
        """The entry with the members that the storage sets."""
        categories = (row.category for row in self.categories)
        return whole_entry(self.content.document, self, categories)

    def set_document(self, entry: Entry, document: str) -> None:
        """Store the document of an entry, and the columns that are copies of members.

        `set_state` must follow.

        :param document: that of the entry, by `encode_document`.
        """
        event = entry.event
        self.content = EntryContentRow(document=document)
        self.status = entry.status
        self.language = entry.language.lower()
        self.translation_key = entry.translation_key
        self.published_at = entry.published
        self.event_status = event.status if event else None
        self.series_starts_at = event.starts if event and event.recurrence else None
        self.access = access_of(event)

    def set_state(self, state: State) -> None:
        """Set the columns that change with the time."""
        for name, value in vars(state).items():
            setattr(self, name, value)
        # Feeds of one category read these copies instead of the entry.
        for membership in self.memberships:
            membership.kind = self.kind
            membership.is_public = self.is_public
            membership.published_at = self.published_at


def access_of(event: Event | None) -> str:
    """Return the column `access` of an event.

    A withdrawn one has it too, so that feeds which had the event tell of its
    withdrawal.
    """
    return "".join(f" {name} " for name in event.access) if event else ""


def stored_column(name: str) -> Any:
    """Return a column of entries, for an instant with the number that is stored."""
    column = EntryRow.__table__.columns[name]
    is_instant = isinstance(column.type, UTCDateTime)
    return sa.type_coerce(column, sa.BigInteger).label(name) if is_instant else column


def whole_entry(document: str, columns: Any, categories: Iterable[Category]) -> Entry:
    """Return an entry with the members that the storage sets.

    :param columns: a row of the ORM, or one with those of its columns that are read.
    """
    return decode_document(
        document,
        guid=columns.guid,
        version=columns.version,
        sequence=columns.sequence,
        updated=columns.updated_at,
        starts=columns.starts_at,
        ends=columns.ends_at,
        # An event is listed elsewhere than at its start only while it goes on.
        is_ongoing=columns.listed_at != columns.starts_at,
        is_over=columns.is_over,
        categories=tuple(categories),
    )


class TokenRow(Base):
    """A token of the API; only the hash of the secret is stored."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    # Keys and not slugs, since these change. If there are none, it may write in all.
    category_ids: Mapped[list[int]] = mapped_column(server_default="[]")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
