"""Documents with one text in every member of plain text."""

from __future__ import annotations

from typing import Any

from tests.full_entries import EVENT, TEXT_MEMBERS

_NAMES = {*TEXT_MEMBERS, "name", "alt", "caption", "credit", "address"}


def event_with(text: str) -> dict[str, Any]:
    """Return an event with every member, and a text in those of plain text."""
    # An entry has only one of the two.
    event = {name: EVENT[name] for name in EVENT if name != "content_html"}
    document: dict[str, Any] = _fill({**event, "content_text": ""}, text)
    return document


def _fill(value: Any, text: str) -> Any:
    if isinstance(value, list):
        return [_fill(item, text) for item in value]
    if isinstance(value, dict):
        return {
            name: text if name in _NAMES else _fill(member, text)
            for name, member in value.items()
        }
    return value
