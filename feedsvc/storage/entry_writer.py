"""Write entries: put, delete, and apply scheduled changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import (
    Conflict,
    FieldError,
    Gone,
    ValidationFailed,
)
from feedsvc.models import Entry, Event, FeedKey
from feedsvc.storage.archives import ArchiveDivider
from feedsvc.storage.categories import (
    CategoryWriter,
    feeds_with_entry,
)
from feedsvc.storage.change_log import ChangeLog
from feedsvc.storage.entry_documents import encode_document, event_members
from feedsvc.storage.entry_rows import (
    StoredEntry,
    entry_columns,
    load_by_id,
    load_by_ids,
    load_damaged,
    load_entries,
    not_found,
)
from feedsvc.storage.languages import Languages
from feedsvc.storage.scheduler import next_start, visibility
from feedsvc.storage.search import SearchIndex
from feedsvc.storage.size_estimates import entries_budget
from feedsvc.storage.tables import (
    INHERITED,
    entries,
    entry_categories,
)
from feedsvc.storage.tombstones import TombstoneWriter

MAX_TRANSLATIONS = 50
"""Entries with the same translation key: each change of one updates the others."""

_MAX_DUE = 200
"""Entries with a scheduled change that one transaction changes."""

KEPT_MEMBERS = frozenset({"id", "kind", "published", "guid", "version", "sequence"})
"""Members of an entry that stay after its deletion; of its event, those below."""

KEPT_EVENT_MEMBERS = frozenset({"start", "timezone"})

_COPIED_COLUMNS = (
    "kind",
    "published",
    "guid",
    "lang",
    "starts",
    "ends",
    "is_visible",
)
"""Columns of `entries` that `entry_categories` has too, so that one index has them."""

_DUE = (
    sa.select(entries.c.pk)
    .where(entries.c.next_change_at <= sa.bindparam("now"))
    .order_by(entries.c.next_change_at, entries.c.pk)
    .limit(_MAX_DUE)
)
_STORED_IDS = sa.select(entries.c.id).where(
    entries.c.id.in_(sa.bindparam("ids", expanding=True))
)
_KEY: sa.BindParameter[int] = sa.bindparam("key")
_INSERT = entries.insert().returning(entries.c.pk)
_UPDATE = entries.update().where(entries.c.pk == _KEY)
_INSERT_CATEGORIES = entry_categories.insert()
_UPDATE_CATEGORIES = entry_categories.update().where(
    entry_categories.c.entry_pk == _KEY
)
_REMOVE_CATEGORIES = entry_categories.delete().where(
    entry_categories.c.entry_pk == _KEY
)

_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_IS_TRANSLATION = (
    entries.c.kind == sa.bindparam("of_kind"),
    entries.c.translation_key == sa.bindparam("of_translation_key"),
    entries.c.pk != sa.bindparam("except_key"),
)
_TRANSLATIONS = (
    sa.select(entries.c.id, entries.c.lang).where(*_IS_TRANSLATION).limit(_LIMIT)
)
_VISIBLE_TRANSLATIONS = sa.select(entries.c.pk).where(
    *_IS_TRANSLATION, entries.c.is_visible
)

Precondition = Callable[[Entry | None], None]
"""Checks the stored entry before it is changed, and raises if it must not be."""


def no_precondition(stored: Entry | None) -> None:
    """Accept any stored entry."""


class VisibleChanges:
    """The visible entries that one write transaction has changed.

    At its end archive documents that have become too large are divided, and languages
    that are new are stored.

    :param max_feed: bytes of a feed at most.
    """

    def __init__(
        self, connection: sa.Connection, zone: ZoneInfo, max_feed: int
    ) -> None:
        self._archives = ArchiveDivider(connection, zone, entries_budget(max_feed))
        self._languages = Languages(connection)

    def add(
        self, entry: Entry, size: int = 0, stored: StoredEntry | None = None
    ) -> None:
        """Add an entry that is visible, and new or changed.

        :param size: the column `size`.
        :param stored: the entry before the change. If it was visible, its language is
            known, and its archive document has grown only if the entry has.
        """
        old = stored.entry if stored and stored.row.is_visible else None
        if not (stored and old and old.date == entry.date and size <= stored.row.size):
            self._archives.add(entry.kind, entry.date, entry.guid)
        if not (old and old.language == entry.language):
            self._languages.add(entry.kind, entry.language)

    def flush(self) -> None:
        """Store what follows from the entries."""
        self._archives.divide()
        self._languages.store()


class EntryWriter:
    """Changes to entries, in one write transaction."""

    def __init__(
        self,
        connection: sa.Connection,
        change_log: ChangeLog,
        categories: CategoryWriter,
        visible_changes: VisibleChanges,
    ) -> None:
        self._connection = connection
        self._change_log = change_log
        self._categories = categories
        self._visible_changes = visible_changes
        self._tombstones = TombstoneWriter(connection, change_log)
        self._search = SearchIndex(connection)
        self._unindexed: dict[int, Entry] = {}
        """New entries, whose words `flush` stores together."""
        self._prefetched: dict[str, StoredEntry | None] = {}

    def prefetch(self, ids: Iterable[str]) -> None:
        """Load the stored entries of ids in a few statements, to write them."""
        unique = set(ids)
        # Not the damaged ones: `_find` reads what is left of them.
        loaded = {
            stored.entry.id: stored for stored in load_by_ids(self._connection, unique)
        }
        parameters = {"ids": sorted(unique - loaded.keys())}
        damaged = set(self._connection.scalars(_STORED_IDS, parameters))
        self._prefetched = {id: loaded.get(id) for id in unique - damaged}

    def put(
        self,
        entry: Entry,
        *,
        create: bool = False,
        updated: datetime | None = None,
        check: Precondition = no_precondition,
    ) -> tuple[Entry, bool]:
        """Store an entry under its id; return it as stored, and whether it is new.

        An entry that equals the stored one is not changed. A deleted one is restored
        under its guid. A new one keeps the guid that it has, or is given one. Only the
        slugs of its categories count.

        :param create: the id must never have been used.
        :param updated: when the source of an imported entry changed it; now if None.
        :param check: raises if the stored entry must not be replaced.
        :raises Conflict: the id belongs to an entry of the other kind; with `create`,
            to any entry, deleted ones too.
        :raises ValidationFailed: a category does not exist, or the entry would expire
            before its publication.
        """
        stored = self._find(entry.id)
        old = stored.entry if stored else None
        # Within the transaction, or another write could come between.
        check(old)
        if old and (create or old.kind != entry.kind):
            by_whom = "" if create else " by an entry of the other kind"
            raise Conflict(f"The id “{entry.id}” is taken{by_whom}.")
        # For each entry, from the categories read so far: to collect those of a batch
        # beforehand took a fifth of its time.
        resolved = self._categories.resolve(entry.categories)
        if entry.translation_key:
            self._check_single_translation(stored and stored.row.pk, entry)
        entry = replace(entry, categories=tuple(resolved))
        if old:
            entry = replace(
                entry,
                published=entry.published or old.published,
                # The time of the first withdrawal, from which WITHDRAWAL_PERIOD counts.
                withdrawn=old.withdrawn if entry.status == "withdrawn" else None,
                event=_with_previous_start(entry.event, old.event),
            )
            # A repeated PUT must not look like a change to readers.
            if _content(entry) == _content(old):
                return old, False
        entry = self._next_version(entry, old, updated)
        # The schema compares `expires` only with a date of publication in the document,
        # not with a stored one.
        _check_expiry(entry)
        self._store(stored, entry, list(resolved.values()))
        return entry, old is None or old.status == "deleted"

    def _next_version(
        self, entry: Entry, old: Entry | None, source_updated: datetime | None
    ) -> Entry:
        """Return an entry with the members that the storage sets."""
        now = self._change_log.clock()
        changed = self._change_log.next_timestamp()
        if source_updated is None:
            updated = changed
        else:
            # An archive that is imported must not look new, but dates of sources may be
            # wrong: neither before the publication nor in the future.
            earliest = entry.published or source_updated
            updated = min(max(source_updated, earliest), changed)
        if old is None:
            guid = entry.guid or uuid.uuid4().urn
            version, sequence = 1, 0
        else:
            # A deleted entry that comes back is the same one for readers.
            guid = old.guid
            version = old.version + 1
            sequence = old.sequence + (_schedule(entry) != _schedule(old))
        return replace(
            entry,
            guid=guid,
            version=version,
            sequence=sequence,
            updated=updated,
            changed=changed,
            starts=next_start(entry, now),
            published=entry.published or (None if entry.status == "draft" else now),
            withdrawn=entry.withdrawn or (now if entry.status == "withdrawn" else None),
        )

    def delete(
        self,
        kind: str,
        id: str,
        *,
        check: Precondition = no_precondition,
    ) -> None:
        """Delete an entry; a tombstone stays, and of the entry `KEPT_MEMBERS`.

        :raises NotFound: there is none of this kind.
        :raises Gone: it was deleted before.
        """
        stored = self._find(id)
        if stored is None or stored.entry.kind != kind:
            raise not_found(id, stored)
        key, old = stored.row.pk, stored.entry
        if old.status == "deleted":
            raise Gone(f"The entry “{id}” was deleted.")
        check(old)
        deleted = _erased(old)
        visible_in = feeds_with_entry(self._connection, key)
        if visible_in:
            sequence = deleted.sequence
            self._tombstones.add(key, old, visible_in, deleted_as=sequence)
            affected = visible_in
        else:
            affected = self._tombstones.mark_deleted(key, deleted.sequence)
        now = self._change_log.next_timestamp()
        if visible_in:
            affected = affected | self._update_translations(key, now, old)
        seq = self._change_log.record("delete", kind, id, deleted.version, affected)
        columns = entry_columns(replace(deleted, updated=now, changed=now))
        columns |= {
            "is_visible": False,
            # Whoever deleted it meant it: no import may undo that.
            "imported": False,
            "next_change_at": None,
            "size": 0,
            "content_size": 0,
        }
        # To followers of the changes a hidden entry is deleted already; another `seq`
        # would announce it again.
        if visible_in:
            columns["seq"] = seq
        self._connection.execute(_UPDATE, {"key": key, **columns})
        copied = {name: columns[name] for name in _COPIED_COLUMNS}
        self._connection.execute(_UPDATE_CATEGORIES, {"key": key, **copied})
        # What was deleted must be nowhere in the database.
        self._unindexed.pop(key, None)
        self._search.erase(key)

    def flush(self) -> None:
        """Store what follows from the changes, at the end of the transaction."""
        self._search.add(self._unindexed)
        self._visible_changes.flush()

    def apply_scheduled_changes(self) -> int:
        """Publish, expire and advance what is due, a batch at most; return how many."""
        now = self._change_log.clock()
        keys = list(self._connection.scalars(_DUE, {"now": now}))
        stored = load_entries(self._connection, keys)
        damaged = set(keys) - stored.keys()
        if damaged:  # they would be due for ever
            self._connection.execute(
                entries.update()
                .where(entries.c.pk.in_(damaged))
                .values(next_change_at=None)
            )
        for row, entry in stored.values():
            self._apply_scheduled_change(row, entry, now)
        return len(stored)

    def _apply_scheduled_change(
        self, row: sa.Row[Any], entry: Entry, now: datetime
    ) -> None:
        # Both before and after the change: an entry that expires is in no feed
        # afterwards, and one that appears is in none before.
        affected = feeds_with_entry(self._connection, row.pk)
        is_visible, next_change_at = visibility(entry, now)
        if not is_visible:
            self._tombstones.add(row.pk, entry, affected)
            action = "expire"
        elif row.is_visible:
            action = "advance"
        else:
            affected |= self._tombstones.remove(row.pk)
            self._visible_changes.add(entry)
            action = "publish"
        copied = {"is_visible": is_visible, "starts": next_start(entry, now)}
        self._connection.execute(_UPDATE_CATEGORIES, {"key": row.pk, **copied})
        changed = self._change_log.next_timestamp()
        columns = {
            **copied,
            "next_change_at": next_change_at,
            "was_visible": row.was_visible or is_visible,
            "changed_at": changed,
        }
        self._connection.execute(_UPDATE, {"key": row.pk, **columns})
        affected |= feeds_with_entry(self._connection, row.pk)
        if action != "advance":
            affected |= self._update_translations(row.pk, changed, entry)
        seq = self._change_log.record(
            action, entry.kind, entry.id, entry.version, affected
        )
        # The next occurrence of a series does not update the entry.
        if action != "advance":
            columns = {"seq": seq, "updated": changed}
            self._connection.execute(_UPDATE, {"key": row.pk, **columns})

    def _find(self, id: str) -> StoredEntry | None:
        """Return the entry of an id; of a damaged one what is left."""
        if id in self._prefetched:
            # Popped, since it is outdated after the write.
            return self._prefetched.pop(id)
        return load_by_id(self._connection, id) or load_damaged(self._connection, id)

    def _store(
        self, stored: StoredEntry | None, entry: Entry, category_ids: list[int]
    ) -> None:
        """Write the rows of an entry, and record the change."""
        inherited: set[int] = set()
        # Most portals have no nested categories, and need no query.
        if any(category.parent for category in entry.categories):
            inherited = self._categories.ancestors(category_ids)
        feed_keys: set[FeedKey] = {
            (entry.kind, category_id) for category_id in (0, *category_ids, *inherited)
        }
        is_visible, next_change_at = visibility(entry, self._change_log.clock())
        if next_change_at:
            # Cached responses of these feeds have a new expiry.
            self._change_log.invalidate_caches(feed_keys)
        columns = {
            **entry_columns(entry),
            **self._change_log.origin(),
            "is_visible": is_visible,
            "was_visible": is_visible or bool(stored and stored.row.was_visible),
            "next_change_at": next_change_at,
        }
        copied = {name: columns[name] for name in _COPIED_COLUMNS}
        keeps_category_rows = stored is not None and _keeps_category_rows(
            stored, entry, copied
        )
        visible_in: set[FeedKey] = set()
        if keeps_category_rows and is_visible:
            visible_in = feed_keys
        elif stored:
            visible_in = feeds_with_entry(self._connection, stored.row.pk)
        affected = self._update_affected_feeds(
            stored, entry, visible_in, feed_keys if is_visible else set()
        )
        if is_visible:
            self._visible_changes.add(entry, columns["size"], stored)
        seq = self._change_log.record(
            "put", entry.kind, entry.id, entry.version, affected
        )
        # `/api/v1/changes` goes by `seq`, and must not tell of edits to hidden entries.
        if stored is None or is_visible or visible_in:
            columns["seq"] = seq
        key = self._write_row(stored, columns)
        # Most edits change none of these rows, each of which is in four indexes.
        if stored and not keeps_category_rows:
            self._connection.execute(_REMOVE_CATEGORIES, {"key": key})
        if not keeps_category_rows:
            self._store_categories(key, copied, category_ids, inherited)
        if stored is None or key in self._unindexed:
            self._unindexed[key] = entry
        else:
            self._search.store(key, entry)

    def _update_affected_feeds(
        self,
        stored: StoredEntry | None,
        entry: Entry,
        before: set[FeedKey],
        after: set[FeedKey],
    ) -> set[FeedKey]:
        """Add or remove tombstones if an entry leaves its feeds or comes back.

        :param before: the keys of the feeds that show the stored entry.
        :param after: the keys of the feeds that show the entry from now on.
        :returns: the keys of all feeds that change.
        """
        affected = before | after
        key = old = None
        if stored:
            key, old = stored.row.pk, stored.entry
            if before and not after:
                self._tombstones.add(key, old, before)
            elif after and not before:
                affected |= self._tombstones.remove(key)
        if affected:
            affected |= self._update_translations(key, entry.changed, entry, old)
        return affected

    def _write_row(self, stored: StoredEntry | None, columns: dict[str, Any]) -> int:
        """Insert or update the row of an entry; return its key."""
        if stored is None:
            return int(self._connection.execute(_INSERT, columns).scalar_one())
        key = int(stored.row.pk)
        self._connection.execute(_UPDATE, {"key": key, **columns})
        return key

    def _store_categories(
        self,
        key: int,
        copied: dict[str, Any],
        category_ids: list[int],
        inherited: set[int],
    ) -> None:
        positions = [
            *enumerate(category_ids),
            *((INHERITED, category_id) for category_id in sorted(inherited)),
        ]
        rows = [
            {
                "entry_pk": key,
                "category_id": category_id,
                "position": position,
                **copied,
            }
            for position, category_id in positions
        ]
        if rows:
            self._connection.execute(_INSERT_CATEGORIES, rows)

    def _check_single_translation(self, key: int | None, entry: Entry) -> None:
        """Check that an entry has no other translation into its own language.

        :raises ValidationFailed: it has, or too many translations.
        """
        parameters = _translation_parameters(key, entry) | {"limit": MAX_TRANSLATIONS}
        others = self._connection.execute(_TRANSLATIONS, parameters).all()
        detail = ""
        if len(others) == MAX_TRANSLATIONS:
            detail = f"{MAX_TRANSLATIONS} other entries have this key already."
        for other in others:
            if other.lang == entry.language.lower():
                detail = f"The entry “{other.id}” has this key and language already."
        if detail:
            raise ValidationFailed(FieldError("#/translation_key", detail))

    def _update_translations(
        self, key: int | None, changed: datetime, *versions: Entry | None
    ) -> set[FeedKey]:
        """Mark the translations of an entry as changed, since they link to it.

        :param versions: the entry before and after its change.
        :returns: the feed keys of their feeds.
        """
        affected: set[FeedKey] = set()
        for entry in versions:
            if entry is None or entry.translation_key is None:
                continue
            parameters = _translation_parameters(key, entry)
            for pk in self._connection.scalars(_VISIBLE_TRANSLATIONS, parameters).all():
                self._connection.execute(_UPDATE, {"key": pk, "changed_at": changed})
                affected |= feeds_with_entry(self._connection, pk)
        return affected


def _keeps_category_rows(
    stored: StoredEntry, entry: Entry, copied: dict[str, Any]
) -> bool:
    """Return whether the rows of `entry_categories` stay the same.

    :param copied: their columns for the entry that is to be stored.
    """
    row, old = stored
    stored_columns = {
        "kind": old.kind,
        "published": old.published,
        "guid": old.guid,
        "lang": old.language.lower(),
        "starts": old.starts,
        "ends": row.ends,
        "is_visible": row.is_visible,
    }
    return old.categories == entry.categories and stored_columns == copied


def _translation_parameters(key: int | None, entry: Entry) -> dict[str, Any]:
    return {
        "of_kind": entry.kind,
        "of_translation_key": entry.translation_key,
        "except_key": key or 0,
    }


def _content(entry: Entry) -> tuple[object, ...]:
    """Return what distinguishes two versions of an entry.

    A document, because datetimes that differ only in `fold`, which tells the two passes
    of a repeated hour apart, are equal.
    """
    document = encode_document(entry)
    return document, entry.content_html, entry.content_text, entry.categories


def _schedule(entry: Entry) -> tuple[object, ...]:
    """Return what raises an event's SEQUENCE if it changes (RFC 5546 §2.1.4)."""
    event = entry.event and event_members(
        replace(entry.event, organizer=None, offers=(), performers=())
    )
    return entry.status, event


def _check_expiry(entry: Entry) -> None:
    if entry.expires and entry.published and entry.expires <= entry.published:
        raise ValidationFailed(FieldError("#/expires", "Must be after date_published."))


def _with_previous_start(event: Event | None, old: Event | None) -> Event | None:
    """Return an event with its start before it was postponed."""
    if event is None or old is None:
        return event
    is_moved = event.start != old.start and "postponed" in (event.status, old.status)
    previous_start = old.start if is_moved else old.previous_start
    # It has been moved back.
    if previous_start == event.start:
        previous_start = None
    return replace(event, previous_start=previous_start)


def _erased(entry: Entry) -> Entry:
    """Return the deleted version of an entry: without all that is not kept.

    The kept members are listed, so a member that is added is erased.
    """
    event = None
    if entry.event:
        kept = {name: getattr(entry.event, name) for name in KEPT_EVENT_MEMBERS}
        event = Event(**kept, end=None)
    kept = {name: getattr(entry, name) for name in KEPT_MEMBERS}
    kept |= {"version": entry.version + 1, "sequence": entry.sequence + 1}
    return Entry(**kept, title="", language="", status="deleted", event=event)
