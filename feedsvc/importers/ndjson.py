"""Our own NDJSON: all that a database has but tokens, for backups and moves.

Each line is an object with one of the members `category`, `former_slug` and `entry`.
Categories and entries are documents of the API; beside an entry stand the members that
the storage sets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from itertools import islice
from typing import Any

from marshmallow import fields
from marshmallow.validate import Range
from sqlalchemy.orm import Session

from feedsvc.api import fields as own
from feedsvc.api.request_parsing import load_validated
from feedsvc.api.sanitize import sanitize_again
from feedsvc.api.schemas import CategorySchema, ClosedSchema, EntrySchema
from feedsvc.errors import BadRequest, FeedsvcError, ValidationFailed
from feedsvc.importers.base import MAX_GUID_LENGTH
from feedsvc.models import Entry, Event
from feedsvc.storage.categories import Categories, restore_category, restore_former_slug
from feedsvc.storage.database import Database, Transaction
from feedsvc.storage.entries import all_entries, restore_entry
from feedsvc.storage.tables import EntryRow

Schemas = Mapping[str, EntrySchema]

_BATCH_SIZE = 20
_MEMBERS_OF_DELETED = ("id", "guid", "version", "date_modified")


class FormerSlugSchema(ClosedSchema):
    """A former slug of a category."""

    former_slug = own.CategorySlug(required=True)
    slug = own.CategorySlug(required=True)


class StateSchema(ClosedSchema):
    """The members of an entry that the storage sets."""

    guid = own.Text(MAX_GUID_LENGTH, required=True)
    version = fields.Integer(strict=True, required=True, validate=Range(1, 2**31 - 1))
    sequence = fields.Integer(strict=True, required=True, validate=Range(0, 2**31 - 1))
    published = fields.AwareDateTime(allow_none=True, required=True)
    updated = fields.AwareDateTime(required=True)
    withdrawn = fields.AwareDateTime(allow_none=True, required=True)


def is_export(first_line: bytes) -> bool:
    """Tell if a file is an export, by its first line."""
    return first_line.startswith((b'{"category":', b'{"kind":'))


def export_lines(session: Session, schemas: Schemas) -> Iterator[str]:
    """Yield the lines of an export."""
    categories = Categories(session)
    schema = CategorySchema()
    for row in categories.by_level():
        is_deleted = row.deleted_at is not None
        category = {**schema.dump(row.category), "deleted": is_deleted}
        yield _line({"category": category})
    for slug, current in categories.former_slugs():
        yield _line({"former_slug": slug, "slug": current})
    for entry_row in all_entries(session):
        yield _line(_entry_document(entry_row, schemas[entry_row.kind]))


def _entry_document(row: EntryRow, schema: EntrySchema) -> dict[str, Any]:
    entry = row.entry
    event = entry.event
    previous_start = event and event.previous_start
    members = schema.dump(entry)
    if entry.status == "deleted":
        members = {name: members[name] for name in _MEMBERS_OF_DELETED}
    elif entry.url is None:
        # It has its page here as its URL, also if the host changes.
        del members["url"]
    return {
        "kind": row.kind,
        "entry": members,
        "status": entry.status,
        "published": _iso(entry.published),
        "sequence": entry.sequence,
        "withdrawn": _iso(entry.withdrawn),
        "previous_start": previous_start and previous_start.isoformat(),
        "was_public": row.was_public,
        "is_imported": row.is_imported,
    }


def import_lines(
    database: Database, schemas: Schemas, lines: Iterable[bytes]
) -> Iterator[str]:
    """Store the lines of an export; yield an empty text, or why one was skipped.

    An entry replaces a stored one with a lower version, so it can be repeated.
    """
    numbered = enumerate(lines, 1)
    while batch := list(islice(numbered, _BATCH_SIZE)):
        # Sanitizing takes long, so it comes before the transaction.
        stores = [(number, _read(line, schemas)) for number, line in batch]
        results = []
        with database.write("import") as transaction:
            for number, store in stores:
                try:
                    store(transaction)
                    results.append("")
                except FeedsvcError as error:
                    results.append(f"skipped: line {number}: {_details(error)}")
        yield from results


def _read(line: bytes, schemas: Schemas) -> Callable[[Transaction], None]:
    """Return the function that stores a line, or raises why it is skipped."""
    try:
        document = json.loads(line)
        if "category" in document:
            is_deleted = document["category"].pop("deleted")
            category = load_validated(CategorySchema(), document["category"])
            return partial(restore_category, category=category, is_deleted=is_deleted)
        if "former_slug" in document:
            former = load_validated(FormerSlugSchema(), document)
            slug = former["former_slug"]
            return partial(restore_former_slug, slug=slug, current=former["slug"])
        return partial(
            restore_entry,
            entry=_read_entry(document, schemas[document["kind"]]),
            was_public=document["was_public"],
            is_imported=document["is_imported"],
        )
    except FeedsvcError as error:
        return partial(_skip, error=error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = BadRequest(f"Not a line of an export: {error!r}.")
        return partial(_skip, error=reason)


def _skip(transaction: Transaction, error: FeedsvcError) -> None:
    raise error


def _details(error: FeedsvcError) -> str:
    if isinstance(error, ValidationFailed):
        return " ".join(f"{each.pointer[2:]}: {each.detail}" for each in error.errors)
    return str(error)


def _read_entry(document: dict[str, Any], schema: EntrySchema) -> Entry:
    members = document["entry"]
    if document["status"] == "deleted":
        entry = Entry(members["id"], document["kind"], "", "", status="deleted")
    else:
        content_html = members.pop("content_html", None)
        entry = load_validated(schema, members)
        if content_html is not None:
            base_url = schema.site.entry_url(entry)
            content_html = sanitize_again(content_html, base_url)
            entry = replace(entry, content_html=content_html)
    state = {
        "guid": members["guid"],
        "version": members["version"],
        "sequence": document["sequence"],
        "published": document["published"],
        "updated": members["date_modified"],
        "withdrawn": document["withdrawn"],
    }
    event = _read_event(document, entry.event)
    return replace(entry, event=event, **load_validated(StateSchema(), state))


def _read_event(document: dict[str, Any], event: Event | None) -> Event | None:
    text = document["previous_start"]
    if event is None or text is None:
        return event
    previous_start: date
    if "T" in text:
        previous_start = datetime.fromisoformat(text).astimezone(event.timezone)
    else:
        previous_start = date.fromisoformat(text)
    return replace(event, previous_start=previous_start)


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
