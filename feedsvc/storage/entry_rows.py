"""Rows of `entries`: the columns of an entry, and entries from rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from feedsvc.errors import NotFound
from feedsvc.models import Category, Entry, Event, Translation
from feedsvc.recurrence import series_end
from feedsvc.storage.damaged_rows import UNREADABLE, readable_rows, report
from feedsvc.storage.entry_documents import (
    BODIES,
    STORAGE_MEMBERS,
    decode_document,
    decode_times,
    encode_document,
)
from feedsvc.storage.size_estimates import entry_sizes
from feedsvc.storage.tables import (
    INHERITED,
    categories,
    entries,
    entry_categories,
    is_among,
)

_ENTRY_COLUMNS = (*STORAGE_MEMBERS, *BODIES)
_STATE = (
    "is_visible",
    "was_visible",
    "next_change_at",
    "ends",
    "series_start",
    "size",
)
_NAMES = ("pk", "document", "changed_at", *_ENTRY_COLUMNS, *_STATE)
_FIRST_OWN = _NAMES.index(_ENTRY_COLUMNS[0])

# Statements are built once: to build one takes longer than to run it.
_SELECT = sa.select(*entries.c[_NAMES])
_SELECT_WITHOUT_BODIES = sa.select(
    *(sa.null().label(name) if name in BODIES else entries.c[name] for name in _NAMES)
)
_KEYS = is_among(entries.c.pk, "keys")
_BY_KEYS = _SELECT.where(_KEYS)
_BY_KEYS_WITHOUT_BODIES = _SELECT_WITHOUT_BODIES.where(_KEYS)
_ID = entries.c.id == sa.bindparam("id")
# Apart from `_BY_IDS`, since SQLAlchemy takes a while to expand a list of one.
_BY_ID = _SELECT.where(_ID)
_BY_IDS = _SELECT.where(entries.c.id.in_(sa.bindparam("ids", expanding=True)))
_BY_GUIDS = _SELECT.where(entries.c.guid.in_(sa.bindparam("guids", expanding=True)))

_CATEGORIES = (
    sa.select(
        entry_categories.c.entry_pk,
        categories.c.titled_at,
        *(categories.c[field.name] for field in fields(Category)),
    )
    .join_from(entry_categories, categories)
    .where(
        is_among(entry_categories.c.entry_pk, "keys"),
        entry_categories.c.position > INHERITED,
    )
    .order_by(entry_categories.c.position)
)
"""The categories that entries name, in their order, after an entry's key and the time
when the category last changed its title."""

_TRANSLATIONS = (
    sa.select(*entries.c["pk", "kind", "translation_key", "document"])
    .where(
        entries.c.translation_key.in_(sa.bindparam("translation_keys", expanding=True)),
        entries.c.is_visible,
        entries.c.status == "published",
    )
    .order_by(entries.c.lang)
)

_ESSENTIAL = ("id", "kind", "status", "guid", "version", "sequence")
_ESSENTIALS: sa.Select[Any] = sa.select(
    *entries.c[*_ESSENTIAL, "pk", "is_visible", "was_visible", "size"],
    # A date may be what is damaged.
    sa.null().label("ends"),
).where(_ID)
# A statement of its own, which may fail.
_PUBLISHED = sa.select(entries.c.published).where(_ID)

_SERIES = sa.select(entries.c.pk, entries.c.document).where(
    entries.c.series_start.is_not(None)
)


class StoredEntry(NamedTuple):
    """An entry with its row, whose columns tell more than the entry."""

    row: sa.Row[Any]
    entry: Entry

    @property
    def is_visible(self) -> bool:
        """True if the entry is public now."""
        return bool(self.row.is_visible)

    @property
    def was_visible(self) -> bool:
        """True if the entry is public now, or ever was."""
        return bool(self.row.was_visible)


def entry_columns(entry: Entry) -> dict[str, Any]:
    """Return all columns of an entry that follow from it.

    Beside the document and the bodies, these are copies of what queries filter and sort
    by.
    """
    event = None if entry.status == "deleted" else entry.event
    document = encode_document(entry)
    return {
        "id": entry.id,
        "kind": entry.kind,
        "status": entry.status,
        "lang": entry.language.lower(),
        "translation_key": entry.translation_key,
        "published": entry.published,
        "changed_at": entry.changed,
        "ends": series_end(event) if event else None,
        "series_start": event.starts if event and event.recurrence else None,
        "event_status": event.status if event else None,
        "document": document,
        **{name: getattr(entry, name) for name in _ENTRY_COLUMNS},
        **entry_sizes(entry, document),
    }


def load_entries(
    connection: sa.Connection, keys: Iterable[int], *, bodies: bool = True
) -> dict[int, StoredEntry]:
    """Load entries by their keys, in the order of these.

    Damaged ones are left out and logged.

    :param bodies: whether to load `content_html` and `content_text`.
    """
    keys = list(keys)
    if not keys:
        return {}
    statement = _BY_KEYS if bodies else _BY_KEYS_WITHOUT_BODIES
    loaded = {
        stored.row.pk: stored for stored in _load(connection, statement, keys=keys)
    }
    return {key: loaded[key] for key in keys if key in loaded}


def load_by_id(connection: sa.Connection, id: str) -> StoredEntry | None:
    """Load the entry of an id; return None if there is none, or it is damaged."""
    return next(iter(_load(connection, _BY_ID, id=id)), None)


def not_found(id: str, stored: StoredEntry | None) -> NotFound:
    """Return the error for an id that no entry has, or one of the other kind."""
    if stored is None:
        return NotFound(f"There is no entry “{id}”.")
    noun = "event" if stored.entry.kind == "events" else "article"
    return NotFound(f"The id “{id}” belongs to an {noun}: see /api/v1/{noun}s/{id}.")


def load_by_ids(connection: sa.Connection, ids: Iterable[str]) -> list[StoredEntry]:
    """Load entries by their ids, without damaged ones."""
    return _load(connection, _BY_IDS, ids=list(ids))


def load_by_guids(connection: sa.Connection, guids: Iterable[str]) -> list[StoredEntry]:
    """Load entries by their guids, without damaged ones."""
    return _load(connection, _BY_GUIDS, guids=list(guids))


def _load(
    connection: sa.Connection, statement: sa.Select[Any], **parameters: Any
) -> list[StoredEntry]:
    rows = readable_rows(connection, statement, entries.c.pk, parameters)
    changed = {row.pk: row.changed_at for row in rows}
    named: dict[int, list[Category]] = defaultdict(list)
    if rows:
        memberships = connection.execute(_CATEGORIES, {"keys": list(changed)}).all()
        for key, titled_at, *category in memberships:
            named[key].append(Category(*category))
            # Formats show the titles of categories.
            if titled_at > changed[key]:
                changed[key] = titled_at
    loaded = []
    for row in rows:
        key = row.pk
        try:
            entry = _entry_from(row, tuple(named[key]), changed[key])
        except UNREADABLE as error:
            report(key, error)
        else:
            loaded.append(StoredEntry(row, entry))
    return _with_translations(connection, loaded)


def _with_translations(
    connection: sa.Connection, loaded: list[StoredEntry]
) -> list[StoredEntry]:
    keys = {stored.entry.translation_key for stored in loaded} - {None}
    # Most portals have none, and need no query.
    if not keys:
        return loaded
    groups: dict[tuple[str, str | None], list[Translation]] = defaultdict(list)
    rows = connection.execute(
        _TRANSLATIONS, {"translation_keys": sorted(map(str, keys))}
    )
    for pk, kind, key, document in rows:
        try:
            members = decode_document(document)
        except UNREADABLE as error:
            report(pk, error)
            continue
        translation = Translation(
            members["id"], members["language"], members["title"], members.get("url")
        )
        groups[kind, key].append(translation)
    translated = []
    for row, entry in loaded:
        group = groups[entry.kind, entry.translation_key]
        others = tuple(each for each in group if each.id != entry.id)
        translated.append(StoredEntry(row, replace(entry, translations=others)))
    return translated


def _entry_from(
    row: sa.Row[Any], named: tuple[Category, ...], changed: datetime
) -> Entry:
    members = decode_document(row.document)
    # By position: access by name would take longer than all else here.
    members.update(zip(_ENTRY_COLUMNS, row[_FIRST_OWN:], strict=False))
    return Entry(**members, categories=named, changed=changed)


def load_damaged(connection: sa.Connection, id: str) -> StoredEntry | None:
    """Return the essentials of an entry that `load_by_id` leaves out.

    It has no title and no language, so any entry that replaces it differs from it.
    """
    row = connection.execute(_ESSENTIALS, {"id": id}).one_or_none()
    if row is None:
        return None
    try:
        published = connection.scalar(_PUBLISHED, {"id": id})
    except UNREADABLE:
        published = None
    members = {name: row._mapping[name] for name in _ESSENTIAL}
    return StoredEntry(
        row, Entry(**members, title="", language="", published=published)
    )


def load_series(
    connection: sa.Connection, *where: sa.ColumnElement[bool]
) -> Iterator[tuple[int, Event]]:
    """Yield the keys of recurring events, and the events with their times alone."""
    rows = _SERIES.where(*where)
    # Their documents are not in memory together.
    for key, document in connection.execute(rows.execution_options(yield_per=500)):
        try:
            yield key, decode_times(document)
        except UNREADABLE as error:
            report(key, error)
