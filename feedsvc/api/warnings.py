"""Warn of what is allowed in a document but probably not intended."""

from __future__ import annotations

import re
from dataclasses import asdict
from html import unescape
from html.entities import html5
from typing import Any

from feedsvc.errors import FieldError

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]*);")


def title_warnings(title: str) -> list[FieldError]:
    """Return a warning for HTML, and one for a character reference, in a title.

    Titles are plain text, so readers see both as they are written.
    """
    warnings = []
    if _TAG.search(title):
        # Not quoted: the response to a batch may be stored, which a deletion of the
        # entry does not erase.
        warnings.append("Contains HTML: readers see its tags as they are written.")
    for reference in _REFERENCE.finditer(title):
        text = reference[0]
        # Only names that HTML knows: “R&D;” is what the editor meant.
        if text[1] == "#" or text[1:] in html5:
            warnings.append(
                f"Contains a character reference: readers see “{text}” as it is; "
                f"send “{unescape(text)}”."
            )
            # One warning is enough to make somebody look at the title.
            break
    return [FieldError("#/title", warning) for warning in warnings]


def with_warnings(document: dict[str, Any], title: str) -> dict[str, Any]:
    """Return the response to a write, with the warnings about a title if any."""
    warnings = title_warnings(title)
    if not warnings:
        return document
    return {**document, "warnings": [asdict(warning) for warning in warnings]}
