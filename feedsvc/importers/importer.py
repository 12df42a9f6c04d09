"""What was read of a foreign file, through the API's own schemas, into the store; safe to repeat."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError
from slugify import slugify

from feedsvc.api import sanitize, text
from feedsvc.api.request_parsing import load_validated
from feedsvc.api.schemas import (
    LONGEST_SUMMARY,
    TITLE_LENGTH,
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
from feedsvc.importers.base import ImportedEntry, ImportWarning
from feedsvc.importers.charset import decode_to_utf8
from feedsvc.models import Entry
from feedsvc.storage import IMPORT, Reader, Storage, Writer

_BATCH_SIZE = 100
_MAX_CATEGORIES = 50
_MAX_SLUG_LENGTH = 64
_REQUIRED_FIELDS = {
    "title",
    "start",
    "content_html",
    "content_text",
    "recurrence",
    "status",
}
"""Members without which an entry would say something else; one that is wrong elsewhere is left out."""


def detect_kind(data: bytes) -> str:
    """The kind that a file's entries are of where nobody says: a calendar's are events."""
    return "events" if _is_calendar(decode_to_utf8(data)[0]) else "news"


def read(data: bytes, zone: ZoneInfo) -> Iterator[ImportedEntry | ImportWarning]:
    """What stands in a file, whatever its format and encoding.

    :param zone: the site's, of times in a calendar that name none.
    :raises Malformed: it is of none that is known.
    """
    data, wrong = decode_to_utf8(data)
    remarks = [ImportWarning(wrong)] if wrong else []
    if _is_calendar(data):
        return chain(remarks, ics.read(data, zone))
    return chain(remarks, (json_feed if data.startswith(b"{") else feed).read(data))


class Importer:
    """Takes items over into the store; `counts` and `remarks` say what has become of them."""

    def __init__(self, store: Storage, schema: EntrySchema) -> None:
        self._store, self._schema = store, schema
        self.counts: Counter[str] = Counter()
        self.warnings: list[str] = []

    def run(self, found: Iterable[ImportedEntry | ImportWarning]) -> Iterator[int]:
        """Store what was read; yields how many items have been seen since."""
        items: dict[str, ImportedEntry] = {}
        for one in found:
            if isinstance(one, ImportWarning):
                self.warnings.append(one.text)
            elif one.skip_reason:
                self._skip(_display_name(one), one.skip_reason)
            else:
                self._collect(one, items)
        slugs = self._ensure_categories(items.values())
        rest = iter(items.values())
        while group := list(islice(rest, _BATCH_SIZE)):
            with self._store.reader() as reader:
                known = reader.get_by_guids(map(_guid, group))
            entries = [(item, self._to_entry(item, slugs, known)) for item in group]
            with self._store.writer(IMPORT) as writer:
                edited = writer.edited_guids(known)
                for item, entry in entries:
                    if entry and entry.guid in edited:
                        self._leave(entry)
                    elif entry:
                        self._store_entry(
                            entry, known, writer, self._updated(item, entry)
                        )
            yield len(group)

    def _collect(self, item: ImportedEntry, items: dict[str, ImportedEntry]) -> None:
        """Add an item to those of a file by its guid. The last of several with one guid and link is taken.

        One with another link is another entry: it gets a guid that is made from its link.
        """
        before, link = items.get(_guid(item)), item.fields.get("url")
        if before and link and before.fields.get("url") not in (None, link):
            self.warnings.append(
                f"two entries with one guid: {_display_name(item)} is known by its link"
            )
            item = replace(item, guid=uuid.uuid5(uuid.NAMESPACE_URL, str(link)).urn)
            before = items.get(item.guid)
        if before:
            self._skip(_display_name(before), "another with its guid follows")
        items[_guid(item)] = item

    def _leave(self, entry: Entry) -> None:
        """Leave an entry as an editor has written it since the import before."""
        self.counts["not overwritten"] += 1
        self.warnings.append(f"not overwritten: “{entry.title}”: it was edited here")

    def _skip(self, what: str, why: str) -> None:
        self.counts["skipped"] += 1
        self.warnings.append(f"skipped: {what}: {why}")

    def _ensure_categories(self, items: Iterable[ImportedEntry]) -> dict[str, str]:
        """The slug of each category that items name; those that there are not yet are made."""
        slugs: dict[str, str] = {}
        titles = dict.fromkeys(title for item in items for title in item.categories)
        if titles:
            with self._store.writer(IMPORT) as writer:
                for title in titles:
                    try:
                        slugs[title] = _ensure_category(
                            text.normalize_line(text.strip_invalid_chars(title)), writer
                        )
                    except FeedsvcError as error:
                        why = (
                            error.errors[0].detail
                            if isinstance(error, ValidationFailed)
                            else error
                        )
                        self.warnings.append(f"left out: category “{title}”: {why}")
        return slugs

    def _to_entry(
        self, item: ImportedEntry, slugs: Mapping[str, str], known: Mapping[str, Entry]
    ) -> Entry | None:
        """The entry of an item, clean; without the members that are wrong where it can do without them."""
        guid = _guid(item)
        old = known.get(guid)
        if old and old.status in ("deleted", "withdrawn"):
            self._skip(_display_name(item), "it was taken away here")
            return None
        document = _to_api_payload(item, self._schema)
        placed = dict.fromkeys(
            slugs[title] for title in item.categories if title in slugs
        )
        document["categories"] = list(placed)[:_MAX_CATEGORIES]
        document["id"] = old.id if old else uuid.uuid5(uuid.NAMESPACE_URL, guid).hex
        while True:
            try:
                entry: Entry = load_validated(self._schema, document)
                return replace(entry, guid=guid)
            except ValidationFailed as error:
                fault = error.errors[0]
                if not _drop_invalid_field(document, fault):
                    self._skip(
                        _display_name(item), f"{fault.pointer[2:]}: {fault.detail}"
                    )
                    return None
                self.warnings.append(
                    f"left out: {fault.pointer[2:]} of {_display_name(item)}: {fault.detail}"
                )

    def _updated(self, item: ImportedEntry, entry: Entry) -> datetime | None:
        """Return when the source last changed an item, or else published it, where it says so.

        Without it a whole archive would be as of the import, and new in readers that sort by it.
        """
        written = item.fields.get("date_modified")
        try:
            moment: datetime | None = self._schema.fields["date_published"].deserialize(
                written
            )
        except ValidationError:
            return entry.published
        return moment or entry.published

    def _store_entry(
        self,
        entry: Entry,
        known: Mapping[str, Entry],
        writer: Writer,
        updated: datetime | None,
    ) -> None:
        old = known.get(entry.guid)
        try:
            stored, new = writer.put_entry(entry, updated=updated)
        except Unavailable:
            raise
        except FeedsvcError as error:
            self._skip(f"“{entry.title}”", str(error))
            return
        unchanged = old is not None and stored.version == old.version
        self.counts["new" if new else "unchanged" if unchanged else "changed"] += 1


def _is_calendar(data: bytes) -> bool:
    return data[:15].upper() == b"BEGIN:VCALENDAR"


def _display_name(item: ImportedEntry) -> str:
    """An item for people."""
    return f"“{item.fields.get('title') or item.guid}”"


def _guid(item: ImportedEntry) -> str:
    """The guid that an item came with; without one the same at each import."""
    given = " ".join(text.strip_invalid_chars(item.guid).split())
    if given and len(given) <= 1000:
        return given
    return uuid.uuid5(uuid.NAMESPACE_URL, given or f"{item.fields}").urn


def _ensure_category(title: str, writer: Writer) -> str:
    """The slug that a category of this title has now.

    :raises Invalid: nothing of the title can stand in a slug, or it is too long.
    :raises Gone: it was retired.
    """
    slug = slugify(title, max_length=_MAX_SLUG_LENGTH)
    try:
        return _resolve_slug(slug, writer)
    except NotFound:
        writer.put_category(
            load_validated(CategorySchema(), {"slug": slug, "title": title})
        )
        return slug


def _resolve_slug(slug: str, reader: Reader) -> str:
    try:
        return reader.get_category(slug).slug
    except CategoryRenamed as error:
        return _resolve_slug(error.current_slug, reader)


def _to_api_payload(item: ImportedEntry, schema: EntrySchema) -> dict[str, Any]:
    """The members that this kind has and that hold something, each no longer than it may be."""
    found = {
        name: text.strip_invalid_chars(value) if isinstance(value, str) else value
        for name, value in item.fields.items()
        if name in schema.load_fields and value not in (None, "", [])
    }
    language = str(found.get("language", ""))
    if language[:2].lower() == schema.site.language[:2].lower():
        found["language"] = schema.site.language
    body = sanitize.to_plain_text(found.get("content_html", "")) or found.get(
        "content_text", ""
    )
    found["title"] = " ".join(str(found.get("title", "")).split()) or _title_from_body(
        body
    )
    for name, most in (("title", TITLE_LENGTH), ("summary", LONGEST_SUMMARY)):
        if name in found:
            found[name] = text.truncate(str(found[name]), most)
    return found


def _title_from_body(body: str) -> str:
    """Return the first words of an entry without a title, or nothing where its text cannot be published.

    References in the body may stand for characters that no feed can carry, such as `&#xFFFD;`.
    """
    try:
        line = text.normalize_line(text.strip_invalid_chars(body))
    except ValueError:
        return ""
    return text.truncate(line, 80)


def _drop_invalid_field(document: dict[str, Any], fault: FieldError) -> bool:
    """Take what is wrong out of a document: of a list the item, else the member; False where it is needed."""
    way = fault.pointer.removeprefix("#/").split("/")
    place, at = document, way[0]
    found: Any = document
    for step in way:
        if isinstance(found, list):
            place, at = found, int(step)  # type: ignore[assignment]
            found = found[int(step)] if int(step) < len(found) else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    if place is document and (at in _REQUIRED_FIELDS or at not in document):
        return False
    del place[at]
    return True
