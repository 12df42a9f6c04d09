"""Our own NDJSON: all that a database has but tokens, for backups and moves.

A line has a category or an entry, as a document of the API, and beside it the members
that the storage sets. A deleted entry has no document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf, Range, Regexp
from sqlalchemy.orm import Session

from feedsvc.errors import FeedsvcError, ValidationFailed
from feedsvc.input import fields as own
from feedsvc.input import plain_text
from feedsvc.input.fields import MAX_GUID_LENGTH
from feedsvc.input.loading import load_validated
from feedsvc.input.sanitize import sanitize_again
from feedsvc.input.schemas import CategorySchema, ClosedSchema, EntrySchema
from feedsvc.models import KINDS, SLUG_PATTERN, Entry
from feedsvc.storage.categories import Categories, restore_category
from feedsvc.storage.database import Database
from feedsvc.storage.entries import all_entries, restore_entry
from feedsvc.storage.tables import EntryRow

Schemas = Mapping[str, EntrySchema]

_MAX_INTEGER = 2**31 - 1


def _check_year(moment: datetime) -> None:
    own.validate(own.check_year, moment)


def _check_guid(guid: str) -> None:
    is_valid = guid == plain_text.strip_invalid_chars(guid)
    if not is_valid or not 0 < len(guid) <= MAX_GUID_LENGTH:
        raise ValidationError("Not a guid.")


class CategoryLine(ClosedSchema):
    """A category, deleted ones too."""

    category = fields.Nested(CategorySchema, required=True)
    is_deleted = fields.Boolean(required=True)
    former_slugs = fields.List(
        fields.String(validate=Regexp(rf"{SLUG_PATTERN}\Z")), required=True
    )


class EntryLine(ClosedSchema):
    """An entry; one without a document was deleted."""

    kind = fields.String(required=True, validate=OneOf(KINDS))
    id = fields.String(required=True)
    guid = fields.String(required=True, validate=_check_guid)
    version = fields.Integer(
        strict=True, required=True, validate=Range(1, _MAX_INTEGER)
    )
    sequence = fields.Integer(
        strict=True, required=True, validate=Range(0, _MAX_INTEGER)
    )
    published = fields.AwareDateTime(
        required=True, allow_none=True, validate=_check_year
    )
    updated = fields.AwareDateTime(required=True, validate=_check_year)
    withdrawn = fields.AwareDateTime(
        required=True, allow_none=True, validate=_check_year
    )
    was_public = fields.Boolean(required=True)
    is_imported = fields.Boolean(required=True)
    document = fields.Dict(required=True, allow_none=True)


def is_export(first_line: bytes) -> bool:
    """Tell if a file is an export, by its first line."""
    return first_line.startswith((b'{"category":', b'{"kind":'))


def export_lines(session: Session, schemas: Schemas) -> Iterator[str]:
    """Yield the lines of an export."""
    categories = Categories(session)
    for category_row in categories.by_level():
        yield _dump(
            CategoryLine(),
            {
                "category": category_row.category,
                "is_deleted": category_row.deleted_at is not None,
                "former_slugs": categories.former_slugs(category_row),
            },
        )
    for row in all_entries(session):
        yield _dump(EntryLine(), _entry_members(row, schemas[row.kind]))


def _entry_members(row: EntryRow, schema: EntrySchema) -> dict[str, Any]:
    entry = row.entry
    document = schema.dump(entry) if entry.status != "deleted" else None
    if document and entry.url is None:
        # It has its page here as its URL, also if the host changes.
        del document["url"]
    return {
        "kind": entry.kind,
        "id": entry.id,
        "guid": entry.guid,
        "version": entry.version,
        "sequence": entry.sequence,
        "published": entry.published,
        "updated": entry.updated,
        "withdrawn": entry.withdrawn,
        "was_public": row.was_public,
        "is_imported": row.is_imported,
        "document": document,
    }


def import_lines(
    database: Database, schemas: Schemas, lines: Iterable[bytes]
) -> Iterator[str]:
    """Store the lines of an export; yield an empty text, or why one was skipped.

    An entry replaces a stored one with a lower version, so it can be repeated.
    """
    for number, line in enumerate(lines, 1):
        try:
            _import_line(database, schemas, line)
        except ValidationFailed as failure:
            details = [
                f"{error.pointer[2:]}: {error.detail}" for error in failure.errors
            ]
            yield f"skipped: line {number}: {' '.join(details)}"
        except (FeedsvcError, ValueError) as error:
            yield f"skipped: line {number}: {error}"
        else:
            yield ""


def _import_line(database: Database, schemas: Schemas, line: bytes) -> None:
    """Store a category or an entry.

    :raises ValueError: the line is no JSON, or cannot be read.
    :raises FeedsvcError: it is invalid, or conflicts with what is stored.
    """
    # Validation takes most of the time, so it comes before the write lock.
    members = json.loads(line)
    if isinstance(members, dict) and "category" in members:
        members = load_validated(CategoryLine(), members)
        with database.write("import") as transaction:
            restore_category(transaction, **members)
        return
    members = load_validated(EntryLine(), members)
    entry = _read_entry(members, schemas[members["kind"]])
    with database.write("import") as transaction:
        restore_entry(
            transaction,
            entry,
            was_public=members["was_public"],
            is_imported=members["is_imported"],
        )


def _read_entry(members: dict[str, Any], schema: EntrySchema) -> Entry:
    document = members["document"]
    if document is None:
        entry = Entry(members["id"], members["kind"], "", "", status="deleted")
    else:
        content_html = document.pop("content_html", None)
        if not isinstance(content_html, str | None):
            raise ValueError("content_html: Not a text.")
        entry = load_validated(schema, document)
        if content_html is not None:
            # Not by the schema, since stored HTML may be longer than posted HTML.
            base_url = schema.site.entry_url(entry)
            content_html = sanitize_again(content_html, base_url)
            entry = replace(entry, content_html=content_html)
    return replace(
        entry,
        guid=members["guid"],
        version=members["version"],
        sequence=members["sequence"],
        published=members["published"],
        updated=members["updated"],
        withdrawn=members["withdrawn"],
    )


def _dump(schema: ClosedSchema, members: dict[str, Any]) -> str:
    document = schema.dump(members)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
