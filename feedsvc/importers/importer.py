"""Read a feed or a calendar, and store its entries as if they had been posted."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from feedsvc.errors import FeedsvcError, Gone, NotFound, ValidationFailed
from feedsvc.folding import slug_of
from feedsvc.importers import ImportedEntry, feed, ics
from feedsvc.input import plain_text, sanitize
from feedsvc.input.fields import MAX_GUID_LENGTH
from feedsvc.input.loading import load_validated
from feedsvc.input.schemas import MAX_CATEGORIES, CategorySchema, EntrySchema
from feedsvc.models import Category, Entry
from feedsvc.storage.categories import Categories, put_category
from feedsvc.storage.database import Database, Transaction
from feedsvc.storage.entries import find_by_guid, find_entry, put_entry

#: Entries a transaction: few, so that editors need not wait for long.
_TRANSACTION_SIZE = 100

_MAX_GENERATED_TITLE_LENGTH = 80
# An entry is skipped if one of these is invalid, since without it it would say
# something else. Other invalid fields are left out.
_REQUIRED_FIELDS = (
    "title",
    "start",
    "content_html",
    "content_text",
    "recurrence",
)


def is_calendar(data: bytes) -> bool:
    """Tell if a file is a calendar, and not a feed."""
    # A byte order mark may be before it.
    return b"BEGIN:VCALENDAR" in data[:100].upper()


def read(data: bytes, zone: ZoneInfo) -> Iterator[ImportedEntry | str]:
    """Yield the entries of a feed or a calendar, and warnings.

    :param zone: the site's zone, for times of a calendar without one.
    :raises BadRequest: the format is unknown.
    """
    return ics.read(data, zone) if is_calendar(data) else feed.read(data)


class _Skipped(Exception):
    """An entry of a file that is not stored; the message says why."""


class Importer:
    """Stores imported entries.

    An import can be repeated: entries are known by their guids, unchanged ones are not
    written, and those that were edited or deleted in this service stay as they are.
    Entries that a file lacks are not deleted, since feeds have the newest entries only.

    `counts` has the numbers of entries that are new, changed, unchanged and skipped;
    `warnings` are for the person who runs the import.
    """

    def __init__(self, database: Database, schema: EntrySchema) -> None:
        self._database = database
        self._schema = schema
        self.counts: Counter[str] = Counter()
        self.warnings: list[str] = []
        self._categories: dict[str, Category | None] = {}

    def run(self, items: Sequence[ImportedEntry | str]) -> Iterator[None]:
        """Store entries, and keep warnings; yield for each of them."""
        for start in range(0, len(items), _TRANSACTION_SIZE):
            # Validation takes most of the time, so it comes before the write lock.
            entries = []
            for item in items[start : start + _TRANSACTION_SIZE]:
                if isinstance(item, str):
                    self.warnings.append(item)
                else:
                    with self._skipping(item):
                        entries.append((item, self._validate(item)))
                yield
            with self._database.write("import") as transaction:
                # Between transactions, editors may rename and delete categories.
                self._categories.clear()
                for item, entry in entries:
                    with self._skipping(item):
                        result = self._put(item, entry, transaction)
                        self.counts[result] += 1

    @contextmanager
    def _skipping(self, item: ImportedEntry) -> Iterator[None]:
        """Count and name an entry that cannot be stored."""
        try:
            yield
        except (FeedsvcError, _Skipped) as error:
            self.counts["skipped"] += 1
            self.warnings.append(f"skipped: {_label(item)}: {error}")

    def _put(
        self, item: ImportedEntry, entry: Entry, transaction: Transaction
    ) -> str:
        """Store an entry; return whether it is new, changed or unchanged.

        :raises FeedsvcError, _Skipped: it is not stored.
        """
        stored = _find(entry, transaction.session)
        if stored:
            entry = replace(entry, id=stored.id, guid=stored.guid)
        titles = item.categories[:MAX_CATEGORIES]
        for title in titles:
            if title not in self._categories:
                category = self._ensure_category(title, transaction)
                self._categories[title] = category
        named = [self._categories[title] for title in titles]
        categories = tuple(dict.fromkeys(filter(None, named)))
        # With the time of the import an old archive would be new to readers who sort by
        # it.
        row, is_new = put_entry(
            transaction,
            replace(entry, categories=categories),
            is_import=True,
            updated=item.updated or entry.published,
        )
        if is_new:
            return "new"
        is_unchanged = stored and row.version == stored.version
        return "unchanged" if is_unchanged else "changed"

    def _validate(self, item: ImportedEntry) -> Entry:
        """Return the entry without its invalid optional fields.

        :raises _Skipped: another field, or the guid, is invalid.
        """
        if item.skip_reason:
            raise _Skipped(item.skip_reason)
        guid = plain_text.strip_invalid_chars(item.guid).strip()
        if not guid.removeprefix("urn:uuid:") or len(guid) > MAX_GUID_LENGTH:
            raise _Skipped(
                f"it has no guid of at most {MAX_GUID_LENGTH} characters"
            )
        # docs/connecting.md makes the same id.
        id = uuid.uuid5(uuid.NAMESPACE_URL, guid).hex
        payload = {**_to_api_payload(item, self._schema), "id": id}
        # Each round leaves out one invalid field.
        while True:
            try:
                entry: Entry = load_validated(self._schema, payload)
                return replace(entry, guid=guid)
            except ValidationFailed as failure:
                error = failure.errors[0]
            pointer = error.pointer.removeprefix("#/")
            field = pointer.partition("/")[0]
            if field in _REQUIRED_FIELDS or field not in payload:
                raise _Skipped(f"{pointer}: {error.detail}")
            del payload[field]
            self.warnings.append(
                f"left out: {pointer} of {_label(item)}: {error.detail}"
            )

    def _ensure_category(
        self, title: str, transaction: Transaction
    ) -> Category | None:
        """Return the category of a title or a former one, and create it if needed.

        Return None if the category was deleted, or its title has no slug.
        """
        title = plain_text.strip_invalid_chars(title)
        slug = slug_of(title)
        try:
            return Categories(transaction.session).get_current(slug).category
        except Gone:
            return None
        except NotFound:
            pass
        document = {"slug": slug, "title": title}
        try:
            category: Category = load_validated(CategorySchema(), document)
        except ValidationFailed as error:
            detail = error.errors[0].detail
            self.warnings.append(f"left out: category “{title}”: {detail}")
            return None
        put_category(transaction, category)
        return category


def _find(entry: Entry, session: Session) -> Entry | None:
    """Return the stored entry, if an import may replace it.

    An entry that was posted under the id of an import has a guid of this service: the
    script for WordPress posts so.

    :raises _Skipped: editors changed it here.
    """
    row = find_by_guid(session, entry.guid) or find_entry(session, entry.id)
    if row is None:
        return None
    if row.status in ("deleted", "withdrawn"):
        raise _Skipped(f"it was {row.status} here")
    if not row.is_imported:
        raise _Skipped("it was edited here")
    return row.entry


def _label(item: ImportedEntry) -> str:
    return f"“{item.fields.get('title') or item.guid}”"


def _to_api_payload(
    item: ImportedEntry, schema: EntrySchema
) -> dict[str, Any]:
    """Return the fields that the API has for this kind, without empty ones."""
    payload = {
        name: value
        for name, value in _clean(item.fields).items()
        if name in schema.load_fields
    }
    if "title" not in payload:
        # Posts of Mastodon have none.
        html = payload.get("content_html", "")
        body = sanitize.to_plain_text(html) or payload.get("content_text", "")
        payload["title"] = plain_text.truncate(
            body, _MAX_GENERATED_TITLE_LENGTH
        )
    return payload


def _clean(value: Any) -> Any:
    """Return JSON without empty members, and without characters that XML forbids."""
    if isinstance(value, str):
        return plain_text.strip_invalid_chars(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        members = {name: _clean(member) for name, member in value.items()}
        return {
            name: member
            for name, member in members.items()
            if member not in (None, "", [], {})
        }
    return value
