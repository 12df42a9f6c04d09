"""The API's documents of an article and an event with every member.

A new member gets its value in data/full_entries.json, for the tests of the API, the
storage and the formats.
"""

from typing import Any

from marshmallow.fields import List

from feedsvc.input.fields import Text
from feedsvc.input.schemas import ArticleSchema, EntrySchema, EventSchema
from tests.data import read

SCHEMAS: dict[str, type[EntrySchema]] = {
    "articles": ArticleSchema,
    "events": EventSchema,
}
"""The schema of each collection of the API."""

MINIMAL = {
    "articles": {"title": "x"},
    "events": {"title": "x", "start": "2026-12-24"},
}
"""Documents with the required members alone."""

MEMBERS = {
    name: collection
    for collection in ("events", "articles")
    for name, field in SCHEMAS[collection]._declared_fields.items()
    if not field.dump_only
}
"""All members that can be sent, each with a collection whose entries have it."""

TEXT_MEMBERS: dict[str, dict[str, int]] = {
    collection: {
        name: field.metadata["maxLength"]
        for name, field in schema._declared_fields.items()
        if isinstance(field, Text)
    }
    for collection, schema in SCHEMAS.items()
}
"""The members with plain text, and how many characters they may have.

The limit of `content_text` is that of imports; a posted one is limited in bytes.
"""

TEXT_LISTS = {
    name
    for name, collection in MEMBERS.items()
    if isinstance(field := SCHEMAS[collection]._declared_fields[name], List)
    and isinstance(field.inner, Text)
}
"""The members with lists of plain texts."""

NOT_SEARCHED = {"notice", "rights"}
"""Members with text by which a search does not find an entry."""

_DOCUMENTS: dict[str, dict[str, Any]] = read("full_entries")
"""`content_html` stands for the body: an entry has only one of the two."""

ARTICLE = _DOCUMENTS["article"]

EVENT = {
    name: value
    for name, value in {**ARTICLE, **_DOCUMENTS["event"]}.items()
    if name in EventSchema._declared_fields
}
