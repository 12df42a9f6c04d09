"""Read a feed or a calendar, and store its entries as if they had been posted."""

import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from mimetypes import guess_type
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.errors import (
    FeedsvcError,
    FieldError,
    Gone,
    NotFound,
    ValidationFailed,
)
from feedsvc.extensions.importers import ics, syndication
from feedsvc.extensions.importers.entry import ImportedEntry, Skipped
from feedsvc.input import plain_text, sanitize
from feedsvc.input.loading import load_validated
from feedsvc.input.schemas import MAX_CATEGORIES, CategorySchema, EntrySchema
from feedsvc.models import Category, Entry
from feedsvc.storage.categories import Categories, put_category
from feedsvc.storage.database import Database, Transaction
from feedsvc.storage.entries import WHOLE_ENTRY, PutOptions, find_entry, put_entry
from feedsvc.storage.tables import EntryRow
from feedsvc.text.folding import slug_of
from feedsvc.text.html_text import has_blocks, truncate

#: Entries a transaction: few, so that editors need not wait for long.
_TRANSACTION_SIZE = 100

_MAX_GENERATED_TITLE_LENGTH = 80
# An entry is skipped if one of these is invalid, since without it it would say
# something else. Other invalid members are left out.
_REQUIRED = (
    "guid",
    "title",
    "start",
    "content_html",
    "content_text",
    "recurrence/exdates",
    "recurrence/cancelled",
)


def is_calendar(data: bytes) -> bool:
    """Tell if a file is a calendar, and not a feed."""
    # A byte order mark may be before it, and zeros between letters of UTF-16.
    return b"BEGIN:VCALENDAR" in data[:200].replace(b"\0", b"").upper()


def read(data: bytes, zone: ZoneInfo) -> Iterator[ImportedEntry | str]:
    """Yield the entries of a feed or a calendar, and warnings.

    :param zone: the site's zone, for times of a calendar without one.
    :raises BadRequest: the format is unknown.
    """
    return ics.read(data, zone) if is_calendar(data) else syndication.read(data)


class Importer:
    """Stores imported entries.

    An import can be repeated: entries are known by their guids, unchanged ones are not
    written, and those that were edited or deleted in this service stay as they are.
    Entries that a file lacks are not deleted, since feeds have the newest entries only.

    `counts` has the numbers of entries that are new, changed, unchanged and skipped,
    and of members that are repaired and left out. `messages` are for the person who
    runs the import, those of one kind together.
    """

    def __init__(self, database: Database, schema: EntrySchema) -> None:
        self._database = database
        self._schema = schema
        self.counts: Counter[str] = Counter()
        self.messages: dict[str, list[str]] = defaultdict(list)
        self._guids: set[str] = set()

    def run(self, items: Sequence[ImportedEntry | str]) -> Iterator[None]:
        """Store entries, and keep warnings; yield for each of them."""
        for start in range(0, len(items), _TRANSACTION_SIZE):
            # Validation takes most of the time, so it comes before the write lock.
            entries = []
            for item in items[start : start + _TRANSACTION_SIZE]:
                if isinstance(item, str):
                    self.messages[item].append(item)
                else:
                    with self._skipping(item):
                        entries.append((item, self._validate(item)))
                yield
            with self._database.write("import") as transaction:
                for item, entry in entries:
                    with self._skipping(item):
                        result = self._put(item, entry, transaction)
                        self.counts[result] += 1

    @contextmanager
    def _skipping(self, item: ImportedEntry) -> Iterator[None]:
        """Count and name an entry that cannot be stored."""
        try:
            yield
        except (FeedsvcError, Skipped) as error:
            self._tell("skipped", f"{_label(item)}: {error}")

    def _tell(self, action: str, message: str) -> None:
        """Count and keep a message; details are in brackets at its end."""
        self.counts[action] += 1
        kind = re.sub(r"“.*”|[0-9]| \(.*", "", message)
        self.messages[kind].append(f"{action}: {message}")

    def _put(self, item: ImportedEntry, entry: Entry, transaction: Transaction) -> str:
        """Store an entry; return whether it is new, changed or unchanged.

        :raises FeedsvcError, Skipped: it is not stored.
        """
        stored = _find(entry, transaction.session)
        if stored:
            entry = replace(entry, id=stored.id, guid=stored.guid)
        found = [
            self._ensure_category(title, transaction)
            for title in item.categories[:MAX_CATEGORIES]
        ]
        # With the time of the import an old archive would be new to readers who sort by
        # it.
        row, is_new = put_entry(
            transaction,
            replace(entry, categories=tuple(filter(None, found))),
            PutOptions(is_import=True, updated=item.updated or entry.published),
        )
        if is_new:
            return "new"
        is_unchanged = stored and row.version == stored.version
        return "unchanged" if is_unchanged else "changed"

    def _validate(self, item: ImportedEntry) -> Entry:
        """Return the entry without its invalid optional fields.

        :raises Skipped: another field is invalid.
        """
        if item.skip_reason:
            raise Skipped(item.skip_reason)
        guid = plain_text.strip_invalid_chars(item.guid).strip()
        if not guid or guid in self._guids:
            raise Skipped("it has no guid of its own in the file")
        self._guids.add(guid)
        for action, note in item.notes:
            self._tell(action, f"{_label(item)}: {note}")
        # docs/connecting.md makes the same id.
        id = uuid.uuid5(uuid.NAMESPACE_URL, guid).hex
        payload = {
            **_to_api_payload(item, self._schema),
            "id": id,
            "guid": guid,
        }
        # Without what is invalid, further rules can be checked.
        while True:
            try:
                entry: Entry = load_validated(self._schema, payload)
                return entry
            except ValidationFailed as failure:
                errors = {_part_to_remove(error): error for error in failure.errors}
            # The last ones first, since items behind one that is left out move up.
            for part, error in reversed(errors.items()):
                pointer = error.pointer.removeprefix("#/")
                removed = pointer not in _REQUIRED and _pop(payload, part)
                if not removed:
                    raise Skipped(f"{pointer}: {error.detail}")
                value = truncate(str(removed), 80)
                label = f"{pointer} of {_label(item)}"
                self._tell("left out", f"{label}: {error.detail} ({value})")

    def _ensure_category(self, title: str, transaction: Transaction) -> Category | None:
        """Return the category of a title or a former one, and create it if needed.

        Return None if the category was deleted, or its title has no slug.
        """
        title = plain_text.strip_invalid_chars(title)
        document = {"slug": slug_of(title), "title": title}
        try:
            category: Category = load_validated(CategorySchema(), document)
            categories = Categories(transaction.session)
            return categories.get_current(category.slug).category
        except ValidationFailed as error:
            detail = error.errors[0].detail
            self._tell("left out", f"category “{title}”: {detail}")
            return None
        except Gone:
            return None
        except NotFound:
            put_category(transaction, category)
            return category


def _find(entry: Entry, session: Session) -> Entry | None:
    """Return the stored entry, if an import may replace it.

    An entry that was posted under the id of an import has a guid of this service: the
    script for WordPress posts so.

    :raises Skipped: editors changed it here.
    """
    by_guid = sa.select(EntryRow).filter_by(guid=entry.guid).options(*WHOLE_ENTRY)
    row = session.scalar(by_guid) or find_entry(session, entry.id)
    if row is None:
        return None
    if row.status in ("deleted", "withdrawn"):
        raise Skipped(f"it was {row.status} here")
    if not row.is_imported:
        raise Skipped("it was edited here")
    return row.entry


def _part_to_remove(error: FieldError) -> str:
    """Return the pointer of the member, or the item of a list, with an error."""
    return re.sub(r"#/(\D*/\d+|[^/]*).*", r"\1", error.pointer)


def _pop(payload: dict[str, Any], pointer: str) -> Any:
    """Remove a member, or an item of a list, and return it."""
    *parents, name = pointer.split("/")
    owner: Any = payload
    for parent in parents:
        owner = owner[parent]
    return owner.pop(int(name)) if parents else owner.pop(name, None)


def _label(item: ImportedEntry) -> str:
    return f"“{item.fields.get('title') or item.guid}”"


def _to_api_payload(item: ImportedEntry, schema: EntrySchema) -> dict[str, Any]:
    """Return the fields that the API has for this kind, without empty ones."""
    fields = {
        name: value for name, value in item.fields.items() if name in schema.load_fields
    }
    # Inner objects come first.
    payload: dict[str, Any] = json.loads(json.dumps(fields), object_hook=_clean)
    html = payload.get("content_html", "")
    # Google and podcasts write tags among lines of plain text.
    if not has_blocks(html):
        payload["content_html"] = html.strip().replace("\n", "<br>")
    for file in payload.get("attachments", ()):
        # It must have a type: the usual of its name, else the one that says nothing.
        guessed = guess_type(file.get("url", ""))[0]
        file.setdefault("mime_type", guessed or "application/octet-stream")
    if "title" not in payload:
        # Posts of Mastodon have none.
        body = sanitize.to_plain_text(html) or payload.get("content_text", "")
        payload["title"] = truncate(body, _MAX_GENERATED_TITLE_LENGTH)
    return payload


def _clean(members: dict[str, Any]) -> dict[str, Any]:
    """Return an object without empty members and characters that XML forbids."""
    for name, value in members.items():
        if isinstance(value, str):
            members[name] = plain_text.strip_invalid_chars(value)
    return {
        name: value
        for name, value in members.items()
        if value not in (None, "", [], {})
    }
