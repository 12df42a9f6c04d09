"""The OPML list of all feeds, for tolerant (listparser) and strict importers."""

from __future__ import annotations

from typing import Any

import listparser
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


def test_importers_get_every_feed_once(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds
) -> None:
    parsed = listparser.parse(fetch_feed("/feeds.opml"))
    assert not parsed.bozo
    assert parsed.meta.title
    assert sorted(feed.url for feed in parsed.feeds) == feed_urls(expected_feeds)
    names = {feed.url: feed.title for feed in parsed.feeds}
    assert len(set(names.values())) == len(names)
    titles = {
        category["slug"]: category["title"] for category in expected_feeds.categories
    }
    for kind, category in feeds_with_entries(expected_feeds):
        path = feed_path(kind, category, "rss")
        assert fetch_feed(path)
        assert titles.get(category or "", "") in names[f"https://feeds.example{path}"]


def test_outline_is_either_a_folder_or_a_feed(fetch_feed: FetchFeed) -> None:
    """Miniflux and Tiny Tiny RSS ignore what is in a feed, GNOME Feeds that folders are feeds."""
    root: Any = etree.fromstring(fetch_feed("/feeds.opml"))
    assert root.get("version") == "2.0"
    for outline in root.iter("outline"):
        is_folder = len(outline) > 0
        assert outline.get("text")
        assert outline.get("type") == (None if is_folder else "rss")
        assert ("xmlUrl" in outline.attrib) is not is_folder
        assert ("title" in outline.attrib) is not is_folder


def test_head_has_only_elements_that_validators_know(fetch_feed: FetchFeed) -> None:
    """The W3C feed validator calls OPML's `docs` an undefined element."""
    root: Any = etree.fromstring(fetch_feed("/feeds.opml"))
    names = {element.tag for element in root.find("head")}
    assert names == {"title", "dateModified", "ownerName"}
