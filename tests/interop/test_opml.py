"""The OPML list of all feeds, for tolerant (listparser) and strict importers."""

from __future__ import annotations

from typing import Any

import listparser
import pytest
from lxml import etree

from tests.interop.conftest import FetchFeed
from tests.interop.expected import ExpectedFeeds, feed_path


def feeds_with_entries(expected_feeds: ExpectedFeeds) -> list[tuple[str, str | None]]:
    """Return the sections, and the categories that have entries."""
    return [
        (kind, category)
        for kind, category in expected_feeds.feeds()
        if category is None or expected_feeds.feed(kind, category)
    ]


def feed_urls(expected_feeds: ExpectedFeeds) -> list[str]:
    return sorted(
        "https://feeds.example" + feed_path(kind, category, "rss")
        for kind, category in feeds_with_entries(expected_feeds)
    )


def test_opml_has_every_feed_once(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds
) -> None:
    document = fetch_feed("/feeds.opml")
    parsed = listparser.parse(document)
    assert not parsed.bozo
    assert parsed.meta.title
    assert sorted(feed.url for feed in parsed.feeds) == feed_urls(expected_feeds)
    outlines: Any = etree.fromstring(document)
    assert outlines.get("version") == "2.0"
    outlines = outlines.findall(".//outline[@xmlUrl]")
    names = {outline.get("text") for outline in outlines}
    assert len(names) == len(feeds_with_entries(expected_feeds))
    for outline in outlines:
        assert outline.get("type") == "rss"
        assert not (outline.text or "").strip()


def test_opml_names_existing_feeds_by_their_categories(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds
) -> None:
    parsed = listparser.parse(fetch_feed("/feeds.opml"))
    names = {feed.url: feed.title for feed in parsed.feeds}
    titles = {
        category["slug"]: category["title"] for category in expected_feeds.categories
    }
    for kind, category in feeds_with_entries(expected_feeds):
        path = feed_path(kind, category, "rss")
        assert fetch_feed(path)
        assert titles.get(category or "", "") in names[f"https://feeds.example{path}"]


@pytest.mark.parametrize("feeds_win", [True, False])
def test_strict_importer_gets_every_feed(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds, feeds_win: bool
) -> None:
    root: Any = etree.fromstring(fetch_feed("/feeds.opml"))
    urls = strict_import(root.find("body"), feeds_win=feeds_win)
    assert sorted(urls) == feed_urls(expected_feeds)


@pytest.mark.parametrize("feeds_win", [True, False])
def test_strict_importer_loses_nested_feeds(feeds_win: bool) -> None:
    body: Any = etree.fromstring(
        '<body><outline xmlUrl="a"><outline xmlUrl="b"/></outline></body>'
    )
    assert strict_import(body, feeds_win=feeds_win) == (["a"] if feeds_win else ["b"])


def strict_import(parent: Any, *, feeds_win: bool) -> list[str]:
    """Import as readers do for which an outline is either a folder or a feed.

    Miniflux and Tiny Tiny RSS ignore what is in a feed, GNOME Feeds ignores that a
    folder is a feed.
    """
    urls = []
    for outline in parent:
        url = outline.get("xmlUrl")
        if url and (feeds_win or not len(outline)):
            urls.append(url)
        else:
            urls += strict_import(outline, feeds_win=feeds_win)
    return urls
