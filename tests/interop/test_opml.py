"""The list of all feeds, as a tolerant importer (listparser) and a strict one read it."""

from __future__ import annotations

from typing import Any

import listparser
import pytest
from lxml import etree

from tests.conftest import ApiClient
from tests.interop.expected import Oracle, feed_path


def test_the_list_has_every_feed_once(editor: ApiClient, oracle: Oracle) -> None:
    document = editor.client.get("/feeds.opml").data
    found = listparser.parse(document)
    assert not found.bozo
    assert found.meta.title
    assert sorted(feed.url for feed in found.feeds) == sorted(
        "https://feeds.example" + feed_path(kind, category, "rss")
        for kind, category in oracle.feeds()
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
    assert len({outline.get("text") for outline in outlines}) == len(oracle.feeds()), (
        "names tell them apart"
    )
    for outline in outlines:
        assert outline.get("type") == "rss"
        assert not (outline.text or "").strip()


@pytest.mark.parametrize("feeds_win", [True, False])
def test_an_importer_that_takes_an_outline_for_a_folder_or_a_feed_gets_every_feed(
    editor: ApiClient, oracle: Oracle, feeds_win: bool
) -> None:
    root: Any = etree.fromstring(editor.client.get("/feeds.opml").data)
    subscribed = strict_import(root.find("body"), feeds_win=feeds_win)
    assert sorted(subscribed) == sorted(
        "https://feeds.example" + feed_path(kind, category, "rss")
        for kind, category in oracle.feeds()
    )


@pytest.mark.parametrize("feeds_win", [True, False])
def test_the_strict_importer_loses_feeds_that_hold_feeds(feeds_win: bool) -> None:
    body: Any = etree.fromstring(
        '<body><outline xmlUrl="a"><outline xmlUrl="b"/></outline></body>'
    )
    assert strict_import(body, feeds_win=feeds_win) == (["a"] if feeds_win else ["b"])


def strict_import(parent: Any, *, feeds_win: bool) -> list[str]:
    """Import as Miniflux, Tiny Tiny RSS (a feed has no children) and GNOME Feeds (a folder is no feed) do."""
    urls = []
    for outline in parent:
        url = outline.get("xmlUrl")
        if url and (feeds_win or not len(outline)):
            urls.append(url)
        else:
            urls += strict_import(outline, feeds_win=feeds_win)
    return urls
