"""The list of all feeds, as listparser reads it."""

from __future__ import annotations

from typing import Any

import listparser
from lxml import etree

from tests.conftest import Editor
from tests.readers.oracle import Oracle, feed_path


def test_the_list_has_every_feed_once(editor: Editor, oracle: Oracle) -> None:
    document = editor.client.get("/feeds.opml").data
    found = listparser.parse(document)
    assert not found.bozo
    assert found.meta.title
    assert sorted(feed.url for feed in found.feeds) == sorted(
        "https://feeds.example" + feed_path(kind, category, "rss") for kind, category in oracle.feeds()
    )
    titles = {category["slug"]: category["title"] for category in oracle.categories}
    by_url = {feed.url: feed.title for feed in found.feeds}
    for kind, category in oracle.feeds():
        path = feed_path(kind, category, "rss")
        assert editor.client.get(path).status_code == 200
        assert titles.get(category or "", "") in by_url[f"https://feeds.example{path}"]
    root: Any = etree.fromstring(document)
    assert root.get("version") == "2.0"
    outlines = root.findall(".//outline[@xmlUrl]")
    assert len({outline.get("title") for outline in outlines}) == len(oracle.feeds()), (
        "titles tell them apart"
    )
    for outline in outlines:
        assert outline.get("type") == "rss"
        assert outline.get("text"), "OPML demands it"
        assert not (outline.text or "").strip()
