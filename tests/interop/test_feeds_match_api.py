"""Bodies, JSON Feed and pages of the sample data match what the API returns."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from tests.interop.conftest import FetchFeed
from tests.interop.expected import (
    ExpectedFeeds,
    ReaderEntry,
    attachments,
    feed_path,
    normalize_url,
)

IFRAME = re.compile(r'<iframe src="([^"]*)"[^>]*></iframe>')
"""Feeds have a link instead, since most readers drop frames."""
BODY_ELEMENTS = {
    "rss": (
        "//item",
        "guid",
        "{http://purl.org/rss/1.0/modules/content/}encoded",
    ),
    "atom": (
        "//a:entry",
        "{http://www.w3.org/2005/Atom}id",
        "{http://www.w3.org/2005/Atom}content",
    ),
}


def bodies(document: bytes, format: str) -> dict[str, str]:
    """Return the bodies of a feed's entries by id, as an XML parser reads them."""
    path, id, body = BODY_ELEMENTS[format]
    root: Any = etree.fromstring(document)
    texts = {}
    for entry in root.xpath(
        path, namespaces={"a": "http://www.w3.org/2005/Atom"}
    ):
        text = entry.findtext(body)
        # In RSS an entry without a summary has its body as description.
        texts[entry.findtext(id)] = text or entry.findtext("description") or ""
    return texts


@pytest.mark.parametrize("format", BODY_ELEMENTS)
def test_bodies_are_those_of_the_api(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds, format: str
) -> None:
    compared = set()
    for kind, category in expected_feeds.covering_feeds():
        items = {
            item["guid"]: item
            for item in expected_feeds.visible_items(kind, category)
        }
        document = fetch_feed(feed_path(kind, category, format))
        for guid, body in bodies(document, format).items():
            content = items[guid].get("content_html", "")
            content = IFRAME.sub(r'<p><a href="\1">\1</a></p>', content)
            if items[guid]["status"] == "withdrawn":
                assert not content or content not in body
            else:
                assert content in body
                compared.add(guid)
    assert len(compared) > 300


def test_json_feed_has_the_values_of_the_api(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds
) -> None:
    for kind, category in expected_feeds.covering_feeds():
        document = json.loads(fetch_feed(feed_path(kind, category, "json")))
        entries = list(map(json_feed_entry, document["items"]))
        assert entries == expected_feeds.feed(kind, category)


def json_feed_entry(item: dict[str, Any]) -> ReaderEntry:
    return ReaderEntry(
        item["id"],
        item["title"],
        normalize_url(item["url"]),
        datetime.fromisoformat(item["date_published"]).astimezone(UTC),
        datetime.fromisoformat(item["date_modified"]).astimezone(UTC),
        tuple(author["name"] for author in item.get("authors", [])),
        attachments(item.get("attachments", [])),
    )
