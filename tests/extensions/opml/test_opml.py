"""The list of all feeds, as readers import it."""

from typing import Any

import listparser
from flask.testing import FlaskClient
from lxml import etree

from tests.conftest import ApiClient


def test_opml_has_a_folder_for_each_kind(
    editor: ApiClient, client: FlaskClient
) -> None:
    """Only with categories that have entries, whose feeds are not empty."""
    editor.put("/categories/dai", {"title": "Rất dài " * 25, "parent": "van-hoa"})
    editor.put("/articles/a", {"title": "x", "categories": ["dai"]})
    event = {"title": "x", "start": "2026-12-24", "categories": ["giao-thong"]}
    editor.put("/events/e", event)
    draft = {"title": "x", "status": "draft", "categories": ["giao-thong"]}
    editor.put("/articles/draft", draft)
    document = client.get("/feeds.opml").data
    parsed = listparser.parse(document)
    assert not parsed.bozo
    titles = {feed.url: feed.title for feed in parsed.feeds}
    long_title = titles.pop("https://feeds.example/feeds/news/dai.rss")
    assert titles == {
        "https://feeds.example/feeds/news.rss": "Tin tức mới nhất",
        "https://feeds.example/feeds/news/van-hoa.rss": "Tin tức – Văn hoá",
        "https://feeds.example/feeds/events.rss": "Sự kiện mới nhất",
        "https://feeds.example/feeds/events/giao-thong.rss": "Sự kiện – Giao thông",
    }
    assert len(long_title) <= 200
    assert long_title.endswith("Rất…")
    root: Any = etree.fromstring(document)
    # W3C's feed validator calls OPML's `docs` an undefined element.
    names = {element.tag for element in root.find("head")}
    assert names == {"title", "dateModified", "ownerName"}
    folders = root.findall("body/outline")
    assert [dict(each.attrib) for each in folders] == [
        {"text": "Tin tức"},
        {"text": "Sự kiện"},
    ]
    # Miniflux and Tiny Tiny RSS ignore what is in a feed.
    assert not root.findall("body/outline/outline/outline")
