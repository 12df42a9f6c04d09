"""JSON Feed, and the members that only summaries have."""

from __future__ import annotations

import json

from tests.formats.feeds import FULL, feed, render_feed

HIDDEN = {"content_text", "translation_key", "expires"}


def read_entries(document: bytes) -> tuple[int, list[str]]:
    items = json.loads(document)["items"]
    return len(items), [item.get("content_html", "") for item in items]


def test_summary_feed_has_no_content_html() -> None:
    document = render_feed(feed("news", "json", FULL, content="summary"))
    (item,) = json.loads(document)["items"]
    assert "content_html" not in item
    assert item["content_text"] == item["summary"] == "Một & hai < ba"
