"""The command works once; the sample data is accepted as a whole, and is as varied as other tests need it."""

import re

from flask import Flask
from flask.testing import FlaskClient

from feedsvc.models import KINDS
from feedsvc.services import get_services
from feedsvc.storage.database import revision_row
from tests import data
from tests.commands import run
from tests.conftest import ApiClient
from tests.data.fixtures import make_client, post
from tests.web.feeds import get_page, items


def test_sample_data_sent_again_changes_nothing(seeded_app: Flask) -> None:
    client = make_client(seeded_app)
    with get_services(seeded_app).database.read() as session:
        before = revision_row(session).last
    assert {result["status"] for result in post(client, data.batch())} == {200}
    with get_services(seeded_app).database.read() as session:
        assert revision_row(session).last == before
    # Difficult titles are normalized.
    for id, title in data.stored_titles().items():
        entry = client.send("GET", f"/articles/{id}").get_json()
        assert entry["title"] == title


def test_demo_loads_samples_once(app: Flask, client: FlaskClient) -> None:
    first = run(app, "demo")
    token = re.search(r"export TOKEN=(fsv_\w+)", first)
    assert token
    editor = ApiClient(client, token[1])
    feed = client.get("/feeds/news.rss")
    assert "/static/samples/" in feed.text
    second = run(app, "demo")
    assert "TOKEN=" not in second
    assert "The database is not empty" in second
    for output in (first, second):
        assert "https://feeds.example/feeds/news.rss\n" in output
    assert client.get("/feeds/news.rss").data == feed.data
    for picture in set(re.findall('/static/samples/[^"]+', feed.text)):
        assert client.get(picture, buffered=True).status_code == 200
    for kind in KINDS:
        # Also of a portal in one language, the first entry is in it.
        page = get_page(client, f"/feeds/{kind}.html")
        assert page.find(".//article//a").get("lang") == "vi"
        first_item, *_ = items(client, f"/feeds/{kind}.json")
        assert first_item["language"] == "vi"
        samples = items(client, f"/feeds/{kind}.json?lang=vi")
        assert {item["language"] for item in samples} == {"vi"}
        (easy,) = items(client, f"/feeds/{kind}.json?lang=en-simple")
        assert len(easy["_entry"]["translations"]) == 2
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa"]})
