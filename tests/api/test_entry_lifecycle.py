"""The life of an entry: scheduled, corrected, withdrawn, expired; and of a category: renamed, deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from tests.api.problems import errors
from tests.conftest import ApiClient
from tests.data.fixtures import Wait
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

FEED = "/feeds/news.atom"
EVENT_FORMATS = [
    name for name, format in FORMATS.items() if "events" in format.kinds
]


def test_scheduled_entry_appears_at_its_publication_time(
    editor: ApiClient,
    client: FlaskClient,
    clock: Clock,
    tick: Callable[[], None],
) -> None:
    editor.put("/articles/old", {"title": "Cũ"})
    clock.forward(seconds=30)
    before = client.get(FEED)
    later = {"title": "Mới", "date_published": "2026-11-25T03:01:00Z"}
    editor.put("/articles/new", {**later, "categories": ["van-hoa"]})
    scheduled = client.get(FEED)
    assert scheduled.data == before.data
    assert scheduled.cache_control.s_maxage == 30
    assert client.get("/feeds/news/van-hoa.rss").cache_control.s_maxage == 30
    assert client.get("/entries/new").status_code == 404
    clock.forward(seconds=30)
    waiting = client.get(FEED)
    assert waiting.data == before.data, "a request never settles"
    assert waiting.cache_control.s_maxage == 0, (
        "no shared cache keeps what is about to change"
    )
    tick()
    clock.forward(seconds=5)
    after = client.get(FEED)
    assert "Mới" in after.text
    assert "Mới" in client.get("/feeds/news/van-hoa.rss").text
    assert client.get("/entries/new").status_code == 200


def test_entry_must_not_expire_before_it_is_published(
    editor: ApiClient,
) -> None:
    document = {"title": "Một", "expires": "2026-11-25T02:59:00Z"}
    error = {"#/expires": "Must be after date_published."}
    answer = editor.send("PUT", "/articles/a", document)
    assert errors(answer) == error
    editor.put("/articles/a", {**document, "status": "draft"})
    answer = editor.send("PATCH", "/articles/a", {"status": "published"})
    assert errors(answer) == error


def test_replacement_after_the_expiry_is_accepted(
    editor: ApiClient, clock: Clock
) -> None:
    document = {"title": "Một", "expires": "2026-11-25T04:00:00Z"}
    editor.put("/articles/a", document)
    clock.forward(hours=2)
    answer = editor.send("PUT", "/articles/a", {**document, "title": "Hai"})
    assert answer.status_code == 200


def test_withdrawn_entry_shows_its_notice_for_30_days(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    full = {
        "title": "Tin",
        "content_html": "<p>Sai sự thật</p>",
        "image": "https://x.example/a.jpg",
        "summary": "Tóm",
    }
    guid = editor.put("/articles/a", full).get_json()["guid"]
    editor.send(
        "PATCH",
        "/articles/a",
        {"status": "withdrawn", "notice": "Thông tin không đúng."},
    )
    feed = client.get(FEED).text
    assert guid in feed
    assert "Đã gỡ: Tin" in feed
    assert "Đã gỡ: Thông tin không đúng." in feed
    for gone in ("Sai sự thật", "a.jpg", "Tóm"):
        assert gone not in feed
        assert gone not in client.get("/api/v1/changes").text
    wait(days=29)
    editor.send("PATCH", "/articles/a", {"notice": "Sai."})
    assert "Đã gỡ: Sai." in client.get(FEED).text
    wait(days=1, seconds=1)
    assert guid not in client.get(FEED).text
    editor.send(
        "PATCH", "/articles/a", {"status": "published", "notice": None}
    )
    assert "Sai sự thật" in client.get(FEED).text


def test_correction_is_first_in_the_body_and_the_preview_of_a_page(
    editor: ApiClient, client: FlaskClient
) -> None:
    article = {
        "title": "Tin",
        "content_html": "<p>Thân</p>",
        "notice": "Lúc 20 giờ.",
    }
    editor.put("/articles/a", article)
    page = client.get("/entries/a").text
    assert page.index("Đính chính") < page.index("<p>Thân</p>")
    for name in ('name="description"', 'property="og:description"'):
        assert f'<meta {name} content="Đính chính: Lúc 20 giờ. Thân">' in page


def test_deleted_category_of_an_entry_is_told_so(editor: ApiClient) -> None:
    editor.put("/categories/bo", {"title": "Bỏ"})
    editor.send("DELETE", "/categories/bo")
    document = {"title": "x", "categories": ["bo"]}
    answer = editor.send("POST", "/articles", document)
    assert errors(answer) == {
        "#/categories/0": "The category “bo” was deleted."
    }


def test_renamed_category_redirects_from_old_slug(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa"]})
    clock.forward(seconds=5)
    renamed = editor.send(
        "PATCH",
        "/categories/van-hoa",
        {"slug": "van-hoa-so", "title": "Văn hoá số"},
    )
    assert renamed.status_code == 200
    assert renamed.get_json() == {"slug": "van-hoa-so", "title": "Văn hoá số"}
    moved = client.get("/feeds/news/van-hoa.rss?limit=5")
    assert moved.status_code == 301
    location = "https://feeds.example/feeds/news/van-hoa-so.rss?limit=5"
    assert moved.headers["Location"] == location
    feed = client.get(location).text
    assert "Văn hoá số" in feed
    assert "Một" in feed
    assert editor.send("GET", "/articles/a").get_json()["categories"] == [
        "van-hoa-so"
    ]
    (listed,) = editor.send("GET", "/articles?category=van-hoa").get_json()[
        "items"
    ]
    assert listed["id"] == "a"
    assert (
        editor.send("PUT", "/categories/van-hoa", {"title": "x"}).status_code
        == 409
    )
    for old, new, status in (
        ("giao-thong", "van-hoa", 409),
        ("giao-thong", "van-hoa-so", 409),
        ("giao-thong", "A", 422),
        ("van-hoa-so", "van-hoa", 200),
    ):
        answer = editor.send("PATCH", f"/categories/{old}", {"slug": new})
        assert answer.status_code == status
    assert client.get("/feeds/news/van-hoa-so.rss").status_code == 301
    assert client.get("/feeds/news/van-hoa.rss").status_code == 200


def test_deleted_category_is_410_and_entries_lose_it(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put(
        "/articles/a",
        {"title": "Một", "categories": ["van-hoa", "giao-thong"]},
    )
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 410
    assert editor.send("DELETE", "/categories/nix").status_code == 404
    assert client.get("/feeds/news/van-hoa.rss").status_code == 410
    (listed,) = client.get("/api/v1/categories").get_json()["categories"]
    assert listed["slug"] == "giao-thong"
    assert editor.send("GET", "/articles/a").get_json()["categories"] == [
        "giao-thong"
    ]
    revived = editor.send("PUT", "/categories/van-hoa", {"title": "Văn hoá"})
    assert revived.status_code == 201
    assert client.get("/feeds/news/van-hoa.rss").status_code == 200


@pytest.mark.parametrize(
    "state", [{"status": "draft"}, {"date_published": "2026-11-25T03:01:00Z"}]
)
def test_entry_that_never_was_public_stays_hidden_when_it_is_withdrawn(
    editor: ApiClient,
    client: FlaskClient,
    wait: Wait,
    state: dict[str, str],
) -> None:
    document = {"title": "Bí mật", "start": "2026-12-24T19:00:00"}
    editor.put("/events/public", {**document, "title": "Lễ hội"})
    secret = {
        **document,
        "url": "https://portal.example/bi-mat",
        "categories": ["van-hoa"],
        "notice": "Riêng tư",
    }
    editor.put("/events/secret", {**secret, **state})
    withdrawal = {"status": "withdrawn"}
    withdrawn = editor.send("PATCH", "/events/secret", withdrawal).get_json()
    assert withdrawn["public"] is False
    assert "preview_url" not in withdrawn
    for _ in range(2):
        for path in (
            *(f"/feeds/events.{name}" for name in EVENT_FORMATS),
            *(f"/feeds/events/van-hoa.{name}" for name in EVENT_FORMATS),
            "/feeds/events.json?q=bi+mat&when=all",
            "/feeds/events.ics?from=2026-12-01",
            "/",
            "/feeds.opml",
            "/entries/public",
            "/api/v1/changes",
        ):
            response = client.get(path)
            assert response.status_code == 200, path
            assert "Bí mật" not in response.text, path
            assert "bi-mat" not in response.text, path
            assert "secret" not in response.text, path
        assert client.get("/entries/secret").status_code == 404
        assert client.get("/entries/secret.ics").status_code == 404
        # The moment of a scheduled entry comes.
        wait(minutes=2)
    editor.put("/events/secret", {**secret, "status": "published"})
    assert "Bí mật" in client.get("/feeds/events.json").text


def test_expired_entry_is_named_when_it_is_withdrawn(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    expiring = {"title": "Một", "expires": "2026-11-25T03:01:00Z"}
    editor.put("/articles/a", expiring)
    wait(minutes=2)
    assert "Một" not in client.get(FEED).text
    editor.put("/articles/a", {"title": "Một", "status": "withdrawn"})
    assert "Một" in client.get(FEED).text
