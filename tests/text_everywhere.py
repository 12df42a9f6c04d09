"""An event with one text in every member of plain text."""

from typing import Any

from marshmallow import Schema, fields

from feedsvc.input.fields import Text
from feedsvc.input.schemas import EventSchema
from tests.full_entries import EVENT


def event_with(text: str) -> dict[str, Any]:
    """Return an event with every member, and a text in those of plain text."""
    # An entry has only one of the two.
    document = {**EVENT, "content_text": ""}
    del document["content_html"]
    return _fill_members(document, EventSchema, text)


def _fill_members(
    document: dict[str, Any], schema: Schema | type[Schema], text: str
) -> dict[str, Any]:
    return {
        name: _fill(value, schema._declared_fields.get(name), text)
        for name, value in document.items()
    }


def _fill(value: Any, field: Any, text: str) -> Any:
    if isinstance(field, fields.List):
        return [_fill(item, field.inner, text) for item in value]
    if isinstance(field, fields.Nested):
        return _fill_members(value, field.schema, text)
    return text if isinstance(field, Text) else value
