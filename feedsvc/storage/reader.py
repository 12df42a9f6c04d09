"""What can be read, each in a few statements on one snapshot, however much it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.access import AuditRecord
from feedsvc.errors import CategoryRenamed, FieldError, Gone, NotFound, ValidationFailed
from feedsvc.models import Category, Entry, FeedSummary
from feedsvc.query import KINDS, FeedQuery
from feedsvc.stamps import FeedKey, FeedVersion, Revision
from feedsvc.storage.change_log import IMPORT, feed_version
from feedsvc.storage.change_page import ChangePage
from feedsvc.storage.feeds import FeedSelection
from feedsvc.storage.mappers import category_from, fetch_entries, fold_diacritics
from feedsvc.storage.scheduler import next_start
from feedsvc.storage.statistics import feed_summaries
from feedsvc.storage.tables import (
    categories,
    category_slug_history,
    change_sequence,
    changes,
    entries,
    entry_categories,
    feed_versions,
)
from feedsvc.storage.timezone_refresh import is_refresh_due

MAX_SEARCHED = 30_000
"""Entries that are searched for one page of the API."""

_AFTER = sa.bindparam("after", type_=sa.BigInteger)
_OWN = sa.select(changes.c.time).where(changes.c.seq == _AFTER).scalar_subquery()
_MOVED = sa.select(
    change_sequence.c.seq.label("last"),
    change_sequence.c.time.label("at"),
    change_sequence.c.clock,
    _OWN.label("own"),
    feed_versions,
).outerjoin_from(change_sequence, feed_versions, feed_versions.c.seq > _AFTER)


_Known = TypeVar("_Known")


def resolve_categories(
    wanted: Iterable[Category], known: Mapping[str, _Known]
) -> list[_Known]:
    """What is known of categories by their slugs, in the order of `wanted`.

    :raises Invalid: with a pointer to each that there is not.
    """
    slugs = [category.slug for category in wanted]
    faults = [
        FieldError(f"#/categories/{index}", "There is no such category.")
        for index, slug in enumerate(slugs)
        if slug not in known
    ]
    if faults:
        raise ValidationFailed(*faults)
    return [known[slug] for slug in slugs]


class Reader:
    """One snapshot of the store."""

    def __init__(self, connection: sa.Connection, zone: ZoneInfo) -> None:
        self._connection, self._zone = connection, zone

    def get_entry(self, id: str, kind: str | None = None) -> Entry:
        """The entry of this id.

        :raises NotFound: there is none, or it is of another kind.
        :raises Gone: it was deleted.
        """
        found = fetch_entries(self._connection, entries.c.id == id)
        if not found or kind not in (None, found[0][1].kind):
            raise NotFound(f"There is no entry “{id}”.")
        if found[0][1].status == "deleted":
            raise Gone(f"The entry “{id}” was deleted.")
        return found[0][1]

    def get_by_guids(self, guids: Iterable[str]) -> dict[str, Entry]:
        """The entries that have some guids, deleted ones too."""
        return {
            entry.guid: entry
            for _, entry in fetch_entries(
                self._connection, entries.c.guid.in_(set(guids))
            )
        }

    def edited_guids(self, guids: Iterable[str]) -> set[str]:
        """Return which of some guids are of entries that were last written by others than an import."""
        edited = sa.select(entries.c.guid).where(
            entries.c.guid.in_(set(guids)), ~entries.c.imported
        )
        return set(self._connection.scalars(edited))

    def get_public_entry(self, id: str) -> Entry:
        """The entry of this id as readers see it now.

        :raises NotFound: it has never been public, or is not there.
        :raises Gone: it is public no longer, or only as a notice, which is the message.
        """
        found = fetch_entries(self._connection, entries.c.id == id)
        if not found or not found[0][0].was_visible:
            raise NotFound(f"There is no entry “{id}”.")
        row, entry = found[0]
        if entry.status == "deleted":
            raise Gone(f"The entry “{id}” was deleted.")
        if entry.status == "withdrawn":
            raise Gone(
                entry.notice or f"The entry “{id}” was withdrawn.",
                reason=entry.notice or "",
            )
        if not row.is_visible:
            raise Gone(f"The entry “{id}” is no longer public.")
        return entry

    def list_changes(
        self,
        *,
        limit: int,
        after: int = 0,
        kind: str | None = None,
        category: str | None = None,
    ) -> ChangePage:
        """Return what became visible, changed or went away after a step, oldest first, not loaded yet.

        Of an entry only its newest step counts. What is not, or no longer, among those asked for is a
        delete; a follower who never had it has nothing to do.

        :raises NotFound: there is no such category.
        :raises Gone: the category was retired, or the step lies ahead of the ledger.
        """
        last, _, _ = self.step()
        if after > last:
            raise Gone(
                "That step lies ahead: the database was restored. Begin again with after=0."
            )
        key = self._category_key(category) if category else None
        return ChangePage(
            self._connection, last, after=after, limit=limit, kind=kind, category_id=key
        )

    def step(self) -> Revision:
        """Return the last step of the change log; no other has its time."""
        row = self._connection.execute(
            sa.select(
                change_sequence.c.seq, change_sequence.c.time, change_sequence.c.clock
            )
        ).one()
        return row.seq, row.time, row.clock

    def next_due(self) -> datetime | None:
        """When at the earliest an entry appears or leaves by itself."""
        due: datetime | None = self._connection.scalar(
            sa.select(sa.func.min(entries.c.next_change_at))
        )
        return due

    def is_timezone_refresh_due(self, *, downgrade: bool) -> bool:
        """As `timezone_refresh.is_refresh_due`."""
        return is_refresh_due(self._connection, downgrade=downgrade)

    def latest_published(self) -> dict[str, datetime]:
        """When the newest entry of each kind was published that readers see."""
        published = sa.func.max(entries.c.published, type_=entries.c.published.type)
        found = {
            kind: self._connection.scalar(
                sa.select(published).where(entries.c.kind == kind, entries.c.is_visible)
            )
            for kind in KINDS
        }
        return {kind: time for kind, time in found.items() if time}

    def list_entries(
        self,
        kind: str,
        *,
        limit: int,
        before: int | None = None,
        status: str | None = None,
        category: str | None = None,
        title: str | None = None,
    ) -> tuple[list[Entry], int | None]:
        """Entries, last created first, and the `before` of the next page; stable while others write.

        A page is searched in a bounded number of entries, so it may hold fewer than `limit`, even none, while
        others follow.

        :param title: what the title must contain, but for case and marks.

        :raises NotFound: there is no such category.
        """
        newest_first = entries.c.pk.desc()
        created = [entries.c.pk < before] if before is not None else []
        searched = sa.select(entries.c.pk).where(*created).order_by(newest_first)
        last = self._connection.scalar(searched.offset(MAX_SEARCHED - 1).limit(1))
        if last is not None:
            created.append(entries.c.pk >= last)
        # The expression keeps out the indexes on the kind, by which all entries of it would be searched.
        where = [
            *created,
            entries.c.kind.concat("") == kind,
            entries.c.status != "deleted",
        ]
        if status is not None:
            where.append(entries.c.status == status)
        if title is not None:
            where.append(
                entries.c.title_search.contains(fold_diacritics(title), autoescape=True)
            )
        if category is not None:
            inside = entry_categories.c.category_id == self._category_key(category)
            where.append(
                sa.exists().where(entry_categories.c.entry_pk == entries.c.pk, inside)
            )
        wanted = (
            sa.select(entries.c.pk)
            .where(*where)
            .order_by(newest_first)
            .limit(limit + 1)
        )
        keys = list(self._connection.scalars(wanted))
        following = keys[limit - 1] if len(keys) > limit else last
        found = fetch_entries(
            self._connection, entries.c.pk.in_(keys[:limit]), order=(newest_first,)
        )
        return [entry for _, entry in found], following

    def select_feed(self, query: FeedQuery, now: datetime) -> FeedSelection:
        """What the feed of a query is made from at `now`.

        :raises NotFound: a category does not exist.
        :raises Gone: nothing is left of the feed without the categories that were retired.
        :raises Renamed: one was renamed or retired; `new` is the selector by the slugs of today, without it.
        """
        return FeedSelection(self._connection, self._zone, query, now)

    def feed_version(self, among: Iterable[tuple[str, str | None]]) -> FeedVersion:
        """When the latest among some topics moved, each a kind and a category."""
        keys = [
            (kind, self._category_key(category) if category else 0)
            for kind, category in among
        ]
        return feed_version(self._connection, keys)

    def changed_feeds(
        self, after: Revision
    ) -> tuple[Revision, dict[FeedKey, int] | None]:
        """The ledger's last step, and of the topics that moved after a step the last one of each.

        None where the ledger has no such step.
        """
        seq, time, _ = after
        rows = self._connection.execute(_MOVED, {"after": seq}).all()
        last = rows[0].last, rows[0].at, rows[0].clock
        if seq and rows[0].own != time:
            return last, None
        return last, {(row.kind, row.category_id): row.seq for row in rows if row.kind}

    def get_category(self, slug: str) -> Category:
        """The category of this slug.

        :raises NotFound: there is none.
        :raises Renamed: it has another slug now.
        :raises Gone: it was retired.
        """
        return category_from(self._category_row(slug))

    def list_categories(self) -> list[Category]:
        """All categories that are in use, by slug."""
        living = (
            sa.select(categories)
            .where(categories.c.retired.is_(None))
            .order_by(categories.c.slug)
        )
        return [category_from(row) for row in self._connection.execute(living)]

    def feed_summaries(
        self, now: datetime
    ) -> dict[tuple[str, str | None], FeedSummary]:
        """What each section and category holds, by kind and slug."""
        return feed_summaries(self._connection, now)

    def preview_entry(self, entry: Entry, now: datetime) -> Entry:
        """An entry that is not stored, as it would be now: with its categories' titles, a guid, and times.

        :raises Invalid: a category does not exist.
        """
        known = {category.slug: category for category in self.list_categories()}
        placed = tuple(resolve_categories(entry.categories, known))
        guid = uuid.uuid5(uuid.NAMESPACE_URL, entry.id).urn
        published = entry.published or now
        entry = replace(
            entry,
            categories=placed,
            guid=guid,
            published=published,
            starts=next_start(entry, now),
        )
        return replace(entry, updated=max(now, published))

    def imported_links(self) -> Iterator[tuple[str, str]]:
        """The URL with which each imported entry came, as long as it has one, and its id."""
        imported = sa.select(changes.c.id).where(
            changes.c.token == IMPORT, changes.c.action == "put"
        )
        linked = (entries.c.url.is_not(None), entries.c.id.in_(imported))
        wanted = sa.select(entries.c.url, entries.c.id).where(*linked)
        for row in self._connection.execute(wanted.order_by(entries.c.pk)):
            yield row.url, row.id

    def audit_log(
        self, *, id: str | None, token: str | None, since: datetime | None
    ) -> Iterator[AuditRecord]:
        """The writes, oldest first; those of one id, by one token, since a time."""
        asked = {changes.c.id: id, changes.c.token: token}
        where = [
            column == value for column, value in asked.items() if value is not None
        ]
        if since is not None:
            where.append(changes.c.time >= since)
        written = sa.select(changes).where(*where).order_by(changes.c.seq)
        for row in self._connection.execute(written).mappings():
            yield AuditRecord(**row)

    def _category_row(self, slug: str) -> sa.Row[Any]:
        """The row of a category; raises as `category`."""
        row = self._connection.execute(
            sa.select(categories).where(categories.c.slug == slug)
        ).one_or_none()
        if row is None:
            new = self._renamed(slug)
            raise (
                CategoryRenamed(new)
                if new
                else NotFound(f"There is no category “{slug}”.")
            )
        if row.retired:
            raise Gone(f"The category “{slug}” was retired.")
        return row

    def _category_key(self, slug: str) -> int:
        """The key of a category, by the slug that it has or once had; raises as `category`."""
        try:
            return int(self._category_row(slug).id)
        except CategoryRenamed as error:
            return self._category_key(error.current_slug)

    def _renamed(self, slug: str) -> str | None:
        """The slug that a category has now which was once named so."""
        new: str | None = self._connection.scalar(
            sa.select(categories.c.slug)
            .join_from(category_slug_history, categories)
            .where(category_slug_history.c.slug == slug)
        )
        return new
