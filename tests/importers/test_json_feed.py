"""JSON Feed of this service and of others."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import ApiClient
from tests.importers.helpers import (
    import_file,
    stored_entries,
)


def test_own_json_feed_is_imported_unchanged(
    app: Flask, client: FlaskClient, editor: ApiClient
) -> None:
    file = {
        "url": "https://a.example/a.mp3",
        "mime_type": "audio/mpeg",
        "duration_in_seconds": 61.5,
    }
    editor.put(
        "/articles/a",
        {
            "title": "Không có tác giả",
            "attachments": [file, {**file, "url": "https://a.example/b"}],
        },
    )
    import_file(
        app, client.get("/feeds/news.json").data.replace(b"urn:uuid:", b"urn:x:")
    )
    first, second = stored_entries(app, "news").values()
    assert first["authors"] == second["authors"] == [], (
        "the portal is the feed's author, and no entry's"
    )
    assert first["attachments"] == second["attachments"]
    assert first["attachments"][0]["duration_in_seconds"] == 61.5


@pytest.mark.parametrize(
    ("author", "title", "inherited"),
    [
        ({"name": "Ven Sông"}, "Tin tức mới nhất – Ven Sông", False),
        ({"name": "Ven Sông"}, "Ven Sông", False),
        ({"name": "Ban biên tập", "url": "https://ven.example"}, "Ven Sông", False),
        ({"name": "Lan", "url": "https://ven.example/lan"}, "Ven Sông", True),
        ({"name": "An"}, "An ninh Ven Sông", True),
    ],
)
def test_entries_inherit_feed_authors_except_the_site(
    app: Flask, author: dict[str, str], title: str, inherited: bool
) -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": title,
        "home_page_url": "https://ven.example/",
        "authors": [author],
        "items": [{"id": "a", "content_text": "a"}],
    }
    import_file(app, json.dumps(feed).encode())
    assert stored_entries(app, "news")["a"]["authors"] == (
        [author] if inherited else []
    )
