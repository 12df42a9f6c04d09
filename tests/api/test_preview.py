"""The preview of an entry in every format."""

from __future__ import annotations

import feedparser
from flask.testing import FlaskClient

from feedsvc.feed_query import FORMATS
from feedsvc.storage import Storage
from tests.conftest import ApiClient


def test_preview_renders_every_format_and_stores_nothing(editor: ApiClient) -> None:
    document = {
        "kind": "events",
        "title": "Hội",
        "start": "2027-01-01",
        "categories": ["van-hoa"],
        "content_html": "<p onclick=x>Thân</p>",
        "image": "https://x.example/a.jpg",
    }
    answer = editor.send("POST", "/preview", document)
    assert answer.status_code == 200
    preview = answer.get_json()
    assert preview["formats"].keys() == FORMATS.keys()
    for text in preview["formats"].values():
        assert "Hội" in text
    for name in ("rss", "atom"):
        (entry,) = feedparser.parse(preview["formats"][name]).entries
        assert entry.title == "Hội"
        assert entry.published_parsed[:4] == (2026, 11, 25, 3)
        assert "<p>Thân</p>" in entry.content[0].value
        assert entry.tags[0].term in ("Văn hoá", "van-hoa")
    assert preview["entry"]["content_html"] == "<p>Thân</p>"
    pointers = [warning["pointer"] for warning in preview["warnings"]]
    assert pointers == ["#/content_html", "#/summary", "#/image", "#/image/alt"]
    assert editor.send("GET", "/events").get_json()["items"] == []


def test_invalid_preview_is_422(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    for document, pointer in (
        ({}, "#/kind"),
        ([], "#/kind"),
        ({"kind": "news"}, "#/title"),
    ):
        answer = editor.send("POST", "/preview", document)
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["pointer"] == pointer
    assert client.post("/api/v1/preview", json={}).status_code == 401
    publisher = ApiClient(client, storage.tokens.create("p", ["news:publish"]))
    assert (
        publisher.send("POST", "/preview", {"kind": "news", "title": "x"}).status_code
        == 403
    )
