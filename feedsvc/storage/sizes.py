"""Estimate how large an entry is in a document, so that a feed is bounded before its bodies are loaded."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from feedsvc.models import Entry
from feedsvc.storage.mappers import entry_row

FRAME = 2048
"""Bytes for the names of an entry's elements and for its dates, ids and links."""

PER_CATEGORY = 400


def entries_budget(max_feed: int) -> int:
    """Return the bytes that entries may come to in a document; the rest is for its head and tombstones."""
    return max_feed - max_feed // 16


_ESCAPED = {"&": 4, "<": 3, ">": 3, '"': 1, "\\": 1, ",": 1, ";": 1, "\n": 1}
"""The bytes that the format which escapes a character most adds to it."""

_PARTS = ("authors", "source", "image", "attachments")
_TEXTS = ("title", "summary", "notice", "url", "rights")


def text_size(text: str) -> int:
    """Return the bytes of a text in the format that needs most: escaped in XML or JSON, or folded."""
    size = len(text.encode()) + sum(
        text.count(sign) * more for sign, more in _ESCAPED.items()
    )
    return size * 21 // 20


def document_sizes(entry: Entry, row: dict[str, Any]) -> dict[str, int]:
    """Return the columns `size` and `content_size`: bytes of an entry in a document, and of its body.

    Both are upper estimates over all formats.

    :param row: the entry's columns, of which the parts are JSON values already.
    """
    body = entry.content_html or _as_html(entry.content_text or "")
    texts = "".join(getattr(entry, name) or "" for name in _TEXTS)
    parts = json.dumps([row[name] for name in _PARTS if row[name]], ensure_ascii=False)
    content = text_size(body)
    # Summaries, pictures and links each stand in a document twice.
    rest = (
        2 * (text_size(texts) + text_size(parts))
        + FRAME
        + PER_CATEGORY * len(entry.categories)
    )
    return {"size": content + rest, "content_size": content}


def stored_row(entry: Entry) -> dict[str, Any]:
    """Return the columns of `entries` with the estimated sizes, but for those that only the store knows."""
    row = entry_row(entry)
    return row | document_sizes(entry, row)


def _as_html(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>")
