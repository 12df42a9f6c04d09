"""An event with one text in every member of plain text."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from feedsvc.input.fields import Text
from tests.full_entries import EVENT, SCHEMAS


def _text_names(schema: Schema | type[Schema]) -> set[str]:
    """Return the names of all members of plain text, or of lists of them.

    Those of nested objects too.
    """
    names = set()
    for name, field in schema._declared_fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, Text):
            names.add(name)
        elif isinstance(inner, fields.Nested):
            names |= _text_names(inner.schema)
    return names


_NAMES = set().union(*map(_text_names, SCHEMAS.values()))


def event_with(text: str) -> dict[str, Any]:
    """Return an event with every member, and a text in those of plain text."""
    # An entry has only one of the two.
    members = {name: EVENT[name] for name in EVENT if name != "content_html"}
    document: dict[str, Any] = _fill({**members, "content_text": ""}, text)
    return document


def _fill(value: Any, text: str) -> Any:
    if isinstance(value, list):
        return [_fill(item, text) for item in value]
    if isinstance(value, dict):
        return {
            name: _replace_texts(member, text)
            if name in _NAMES
            else _fill(member, text)
            for name, member in value.items()
        }
    return value


def _replace_texts(value: Any, text: str) -> Any:
    """Return a text instead of a text, and a list of texts instead of a list."""
    if isinstance(value, list):
        return [_replace_texts(item, text) for item in value]
    # A member such as `name` may be an object elsewhere.
    return _fill(value, text) if isinstance(value, dict) else text
