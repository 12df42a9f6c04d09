"""Read a file of any known format, and store its entries as if they had been posted."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError
from slugify import slugify

from feedsvc.api import sanitize, text
from feedsvc.api.request_parsing import load_validated
from feedsvc.api.schemas import (
    MAX_SUMMARY_LENGTH,
    MAX_TITLE_LENGTH,
    CategorySchema,
    EntrySchema,
)
from feedsvc.errors import (
    CategoryRenamed,
    FeedsvcError,
    FieldError,
    NotFound,
    Unavailable,
    ValidationFailed,
)
from feedsvc.importers import feed, ics, json_feed
from feedsvc.importers.base import ImportedEntry
from feedsvc.importers.charset import decode_to_utf8
from feedsvc.models import Entry
from feedsvc.storage import IMPORT, Reader, Storage, Writer

# Entries a transaction: API writes wait for no more than these.
_BATCH_SIZE = 100
# The API takes no more categories of an entry. An import drops the rest.
_MAX_CATEGORIES = 50
_MAX_SLUG_LENGTH = 64
_MAX_GUID_LENGTH = 1000
_MAX_GENERATED_TITLE_LENGTH = 80
# An entry is skipped if one of these is invalid, since without it it would say
# something else. Other invalid fields are left out.
_REQUIRED_FIELDS = {
    "title",
    "start",
    "content_html",
    "content_text",
    "recurrence",
    "status",
}


def detect_kind(data: bytes) -> str:
    """Return the kind of a file's entries: "events" of a calendar, else "news"."""
    return "events" if _is_calendar(decode_to_utf8(data)[0]) else "news"


def read(data: bytes, zone: ZoneInfo) -> Iterator[ImportedEntry | str]:
    """Yield the entries of a file of any format and encoding, and warnings.

    :param zone: the site's zone, for times of a calendar without one.
    :raises BadRequest: the format is unknown.
    """
    data, warning = decode_to_utf8(data)
    if warning:
        yield warning
    if _is_calendar(data):
        yield from ics.read(data, zone)
    elif data.startswith(b"{"):
        yield from json_feed.read(data)
    else:
        yield from feed.read(data)


def _is_calendar(data: bytes) -> bool:
    return data[:15].upper() == b"BEGIN:VCALENDAR"


class Importer:
    """Stores imported entries.

    An import can be repeated: entries are known by their guids, unchanged ones are not
    written, and those that were edited or deleted in this service stay as they are.
    Entries that a file lacks are not deleted, since feeds have the newest entries only.

    `counts` has the numbers of entries that are new, changed, unchanged, skipped and
    not overwritten; `warnings` are for the person who runs the import.
    """

    def __init__(self, storage: Storage, schema: EntrySchema) -> None:
        self._storage = storage
        self._schema = schema
        self.counts: Counter[str] = Counter()
        self.warnings: list[str] = []

    def run(self, items: Iterable[ImportedEntry | str]) -> Iterator[int]:
        """Store entries; yield after each batch how many it had."""
        by_guid: dict[str, ImportedEntry] = {}
        for item in items:
            if isinstance(item, str):
                self.warnings.append(item)
            elif item.skip_reason:
                self._skip(item, item.skip_reason)
            else:
                self._add(item, by_guid)
        slugs = self._ensure_categories(by_guid.values())
        remaining = iter(by_guid.values())
        while batch := list(islice(remaining, _BATCH_SIZE)):
            self._store_batch(batch, slugs)
            yield len(batch)

    def _add(self, item: ImportedEntry, by_guid: dict[str, ImportedEntry]) -> None:
        """Add an entry; of several with one guid and link the last one counts.

        One with another link is another entry, since some sites give all entries of a
        day one guid. Its new guid is made from its link, the same at each import.
        """
        previous = by_guid.get(_guid(item))
        url = item.fields.get("url")
        if previous and url and previous.fields.get("url") not in (None, url):
            self.warnings.append(
                f"{_label(item)} has the guid of another entry; its link is used"
            )
            item = replace(item, guid=uuid.uuid5(uuid.NAMESPACE_URL, str(url)).urn)
            previous = by_guid.get(item.guid)
        if previous:
            self._skip(previous, "a later entry has the same guid")
        by_guid[_guid(item)] = item

    def _skip(self, item: ImportedEntry, reason: str) -> None:
        self.counts["skipped"] += 1
        self.warnings.append(f"skipped: {_label(item)}: {reason}")

    def _ensure_categories(self, items: Iterable[ImportedEntry]) -> dict[str, str]:
        """Return the slug of each category title, and create missing categories."""
        slugs: dict[str, str] = {}
        titles = dict.fromkeys(title for item in items for title in item.categories)
        if not titles:
            return slugs
        # Entries refer to stored categories, so these are committed first.
        with self._storage.writer(IMPORT) as writer:
            for title in titles:
                try:
                    slugs[title] = _ensure_category(title, writer)
                except FeedsvcError as error:
                    self.warnings.append(
                        f"left out: category “{title}”: {_error_detail(error)}"
                    )
        return slugs

    def _store_batch(
        self, items: Sequence[ImportedEntry], slugs: Mapping[str, str]
    ) -> None:
        stored_entries = self._stored_entries(map(_guid, items))
        # Validation takes most of the time, so it comes before the write lock.
        validated = [
            (item, self._validate(item, slugs, stored_entries)) for item in items
        ]
        with self._storage.writer(IMPORT) as writer:
            edited_guids = writer.reader.entries.edited_guids(
                stored.guid for stored in stored_entries.values()
            )
            for item, entry in validated:
                if entry is None:
                    continue
                if entry.guid in edited_guids:
                    self.counts["not overwritten"] += 1
                    self.warnings.append(
                        f"not overwritten: “{entry.title}”: it was edited here"
                    )
                    continue
                self._store(item, entry, stored_entries.get(_guid(item)), writer)

    def _stored_entries(self, guids: Iterable[str]) -> dict[str, Entry]:
        """Return the stored entries by the guids that the file has for them.

        Entries that were posted under the id of an import have guids of this service:
        the WordPress plugin posts so.
        """
        by_id = {_entry_id(guid): guid for guid in guids}
        with self._storage.reader() as reader:
            posted = reader.entries.get_by_ids(by_id)
            stored = {by_id[id]: entry for id, entry in posted.items()}
            return stored | reader.entries.get_by_guids(by_id.values())

    def _validate(
        self,
        item: ImportedEntry,
        slugs: Mapping[str, str],
        stored_entries: Mapping[str, Entry],
    ) -> Entry | None:
        """Return the entry without its invalid optional fields; None if skipped."""
        guid = _guid(item)
        stored = stored_entries.get(guid)
        # Whoever deleted or withdrew it meant it.
        if stored and stored.status in ("deleted", "withdrawn"):
            self._skip(item, f"it was {stored.status} here")
            return None
        payload = _to_api_payload(item, self._schema)
        categories = dict.fromkeys(
            slugs[title] for title in item.categories if title in slugs
        )
        payload["categories"] = list(categories)[:_MAX_CATEGORIES]
        payload["id"] = stored.id if stored else _entry_id(guid)
        # Each round leaves out one invalid field.
        while True:
            try:
                entry: Entry = load_validated(self._schema, payload)
                return replace(entry, guid=stored.guid if stored else guid)
            except ValidationFailed as failure:
                error = failure.errors[0]
            pointer = error.pointer.removeprefix("#/")
            if not _drop_invalid_field(payload, error):
                self._skip(item, f"{pointer}: {error.detail}")
                return None
            self.warnings.append(
                f"left out: {pointer} of {_label(item)}: {error.detail}"
            )

    def _store(
        self, item: ImportedEntry, entry: Entry, stored: Entry | None, writer: Writer
    ) -> None:
        try:
            new_version, is_new = writer.entries.put(
                entry, updated=self._source_update_time(item, entry)
            )
        # It concerns all entries, not this one.
        except Unavailable:
            raise
        except FeedsvcError as error:
            self._skip(item, str(error))
            return
        if is_new:
            self.counts["new"] += 1
        elif stored and new_version.version == stored.version:
            self.counts["unchanged"] += 1
        else:
            self.counts["changed"] += 1

    def _source_update_time(self, item: ImportedEntry, entry: Entry) -> datetime | None:
        """Return when the source changed the entry last, or else published it.

        With the time of the import an old archive would be new to readers who sort
        by it.
        """
        date_field = self._schema.fields["date_published"]
        try:
            updated: datetime | None = date_field.deserialize(
                item.fields.get("date_modified")
            )
        except ValidationError:
            updated = None
        return updated or entry.published


def _label(item: ImportedEntry) -> str:
    return f"“{item.fields.get('title') or item.guid}”"


def _guid(item: ImportedEntry) -> str:
    """Return the guid of an entry; without one, the same UUID at each import."""
    guid = " ".join(text.strip_invalid_chars(item.guid).split())
    if guid and len(guid) <= _MAX_GUID_LENGTH:
        return guid
    return uuid.uuid5(uuid.NAMESPACE_URL, guid or f"{item.fields}").urn


def _entry_id(guid: str) -> str:
    """Return the id of an entry that is new; adapters in deploy/ make the same."""
    return uuid.uuid5(uuid.NAMESPACE_URL, guid).hex


def _ensure_category(title: str, writer: Writer) -> str:
    """Return the current slug of a category, and create it if there is none.

    :raises ValidationFailed: the title is too long, or has no character for a slug.
    :raises Gone: the category was deleted.
    """
    title = text.normalize_line(text.strip_invalid_chars(title))
    slug = slugify(title, max_length=_MAX_SLUG_LENGTH)
    try:
        return _resolve_slug(slug, writer.reader)
    except NotFound:
        category = load_validated(CategorySchema(), {"slug": slug, "title": title})
        writer.categories.put(category)
        return slug


def _resolve_slug(slug: str, reader: Reader) -> str:
    """Return the current slug of a category that may have been renamed."""
    try:
        return reader.categories.get(slug).slug
    except CategoryRenamed as error:
        return _resolve_slug(error.current_slug, reader)


def _error_detail(error: FeedsvcError) -> str:
    if isinstance(error, ValidationFailed):
        return error.errors[0].detail
    return str(error)


def _to_api_payload(item: ImportedEntry, schema: EntrySchema) -> dict[str, Any]:
    """Return the fields that the API has for this kind, without empty ones."""
    payload = {
        name: text.strip_invalid_chars(value) if isinstance(value, str) else value
        for name, value in item.fields.items()
        if name in schema.load_fields and value not in (None, "", [])
    }
    # Feeds in the site's language name it in many ways: "vi", "vi-VN", "vi_VN".
    language = str(payload.get("language", ""))
    if language[:2].lower() == schema.site.language[:2].lower():
        payload["language"] = schema.site.language
    title = " ".join(str(payload.get("title", "")).split())
    payload["title"] = title or _title_from_body(payload)
    for name, length in (("title", MAX_TITLE_LENGTH), ("summary", MAX_SUMMARY_LENGTH)):
        if name in payload:
            payload[name] = text.truncate(str(payload[name]), length)
    return payload


def _title_from_body(payload: Mapping[str, Any]) -> str:
    """Return the first words of an entry without a title, or "" if there are none."""
    body = sanitize.to_plain_text(payload.get("content_html", ""))
    body = body or payload.get("content_text", "")
    try:
        line = text.normalize_line(text.strip_invalid_chars(body))
    # A reference such as `&#xFFFD;` may stand for a character that XML cannot have.
    except ValueError:
        return ""
    return text.truncate(line, _MAX_GENERATED_TITLE_LENGTH)


def _drop_invalid_field(payload: dict[str, Any], error: FieldError) -> bool:
    """Remove the list item, or else the field, that an error points to.

    Return whether the entry can do without it.
    """
    steps = error.pointer.removeprefix("#/").split("/")
    container: Any = payload
    key: str | int = steps[0]
    value: Any = payload
    for step in steps:
        if isinstance(value, list):
            container, key = value, int(step)
            value = value[key] if key < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    if container is payload and (key in _REQUIRED_FIELDS or key not in payload):
        return False
    del container[key]
    if key == "online_url":
        payload.pop("attendance", None)  # it would require the URL
    return True
