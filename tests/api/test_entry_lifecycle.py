"""The life of an entry: scheduled, corrected, withdrawn, expired; and of a category: renamed, deleted."""

import re

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from tests.api.problems import errors
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

FEED = "/feeds/news.atom"
EVENT_FORMATS = [name for name, format in FORMATS.items() if "events" in format.kinds]


def test_renamed_category_redirects_from_old_slug(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    article = {"title": "Một", "categories": ["van-hoa"]}
    editor.put("/articles/a", article)
    clock.forward(seconds=5)
    category = {"slug": "van-hoa-so", "title": "Văn hoá số"}
    renamed = editor.send("PATCH", "/categories/van-hoa", category)
    assert renamed.get_json() == category
    moved = client.get("/api/v1/categories/van-hoa")
    assert moved.status_code == 301
    assert moved.location == "https://feeds.example/api/v1/categories/van-hoa-so"
    feed = client.get("/feeds/news/van-hoa-so.rss?limit=5").text
    assert "Văn hoá số" in feed
    assert "Một" in feed
    listed = editor.send("GET", "/articles?category=van-hoa").get_json()
    assert listed["items"][0]["categories"] == ["van-hoa-so"]
    for method, slug, document, status in read_tables("api")["renames"]:
        answer = editor.send(method, f"/categories/{slug}", document)
        assert answer.status_code == status
    assert client.get("/feeds/news/van-hoa-so.rss").status_code == 301
    assert client.get("/feeds/news/van-hoa.rss").status_code == 200


def test_cached_feed_of_a_renamed_category_redirects_at_once(
    editor: ApiClient, client: FlaskClient
) -> None:
    feed = "/feeds/news/van-hoa.rss"
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa"]})
    assert client.get(feed).status_code == 200
    editor.send("PATCH", "/categories/van-hoa", {"slug": "am-nhac"})
    assert client.get(feed).status_code == 301


def test_deleted_category_is_410_and_entries_lose_it(
    editor: ApiClient, client: FlaskClient
) -> None:
    path, feed = "/categories/van-hoa", "/feeds/news/van-hoa.rss"
    article = {"title": "Một", "categories": ["van-hoa", "giao-thong"]}
    editor.put("/articles/a", article)
    assert editor.send("DELETE", path).status_code == 204
    assert editor.send("DELETE", path).status_code == 410
    for gone in (feed, f"/api/v1{path}"):
        assert client.get(gone).status_code == 410
    refused = editor.send("PUT", "/articles/a", article)
    detail = "The category “van-hoa” was deleted."
    assert errors(refused) == {"#/categories/0": detail}
    stored = editor.send("GET", "/articles/a").get_json()
    assert stored["categories"] == ["giao-thong"]
    revived = editor.send("PUT", path, {"title": "Văn hoá"})
    assert revived.status_code == 201
    assert client.get(feed).status_code == 200
    assert client.get("/api/v1/categories/nix").status_code == 404
    assert editor.send("DELETE", "/categories/nix").status_code == 404


@pytest.mark.parametrize(
    "state", [{"status": "draft"}, {"date_published": "2026-11-25T03:01:00Z"}]
)
def test_entry_that_never_was_public_stays_hidden_when_it_is_withdrawn(
    editor: ApiClient,
    client: FlaskClient,
    wait: Wait,
    state: dict[str, str],
) -> None:
    document = {
        "title": "Bí mật",
        "start": "2026-12-24T19:00:00",
        "url": "https://portal.example/bi-mat",
        "categories": ["van-hoa"],
    }
    editor.put("/events/secret", {**document, **state})
    withdrawal = {"status": "withdrawn", "notice": "Riêng tư"}
    withdrawn = editor.send("PATCH", "/events/secret", withdrawal).get_json()
    assert withdrawn["public"] is False
    assert "preview_url" not in withdrawn
    for _ in range(2):
        for path in (
            *(f"/feeds/events.{name}" for name in EVENT_FORMATS),
            "/feeds/events/van-hoa.json",
            "/feeds/events.json?q=bi+mat&when=all",
            "/feeds/events.ics?from=2026-12-01",
            "/",
            "/feeds.opml",
            "/api/v1/changes",
        ):
            response = client.get(path)
            assert response.status_code == 200, path
            assert not re.search("Bí mật|bi-mat|secret", response.text), path
        assert client.get("/entries/secret").status_code == 404
        assert client.get("/entries/secret.ics").status_code == 404
        # The moment of a scheduled entry comes.
        wait(minutes=2)
    editor.put("/events/secret", document)
    assert "Bí mật" in client.get("/feeds/events.json").text
