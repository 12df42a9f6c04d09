"""The life of an entry: scheduled, corrected, withdrawn, expired; and of a category: renamed, retired."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

FEED = "/feeds/news.atom"


def changed(client: FlaskClient, after: int = 0, **query: Any) -> list[tuple[str, str]]:
    answer = client.get(
        "/api/v1/changes", query_string={"after": after, **query}
    ).get_json()
    return [(change["action"], change["id"]) for change in answer["changes"]]


def last(client: FlaskClient) -> int:
    step: int = client.get("/api/v1/changes", query_string={"limit": 1000}).get_json()[
        "next"
    ]
    return step


def test_scheduled_entry_appears_at_its_publication_time(
    editor: ApiClient, client: FlaskClient, clock: Clock, storage: Storage
) -> None:
    editor.put("/articles/old", {"title": "Cũ"})
    clock.forward(seconds=30)
    before = client.get(FEED)
    step = last(client)
    editor.put(
        "/articles/new",
        {
            "title": "Mới",
            "date_published": "2026-11-25T03:01:00Z",
            "categories": ["van-hoa"],
        },
    )
    scheduled = client.get(FEED)
    assert scheduled.data == before.data
    assert scheduled.headers["Last-Modified"] == before.headers["Last-Modified"]
    assert "max-age=30," in scheduled.headers["Cache-Control"]
    assert (
        "max-age=30," in client.get("/feeds/news/van-hoa.rss").headers["Cache-Control"]
    )
    assert client.get("/entries/new").status_code == 404
    assert changed(client, step) == []
    clock.forward(seconds=30)
    waiting = client.get(FEED)
    assert waiting.data == before.data, "a request never settles"
    assert "max-age=0," in waiting.headers["Cache-Control"], (
        "but nobody keeps what is about to change"
    )
    assert storage.apply_scheduled_changes() == 1
    assert storage.apply_scheduled_changes() == 0
    clock.forward(seconds=5)
    after = client.get(
        FEED, headers={"If-Modified-Since": before.headers["Last-Modified"]}
    )
    assert after.status_code == 200
    assert "Mới" in after.text
    assert "Mới" in client.get("/feeds/news/van-hoa.rss").text
    assert after.headers["Last-Modified"] == "Wed, 25 Nov 2026 03:01:00 GMT"
    assert client.get("/entries/new").status_code == 200
    assert changed(client, step) == [("put", "new")]


def test_expired_entry_leaves_feeds(
    editor: ApiClient, client: FlaskClient, clock: Clock, storage: Storage
) -> None:
    editor.put("/articles/a", {"title": "Một", "expires": "2026-11-25T04:00:00Z"})
    assert "Một" in client.get(FEED).text
    clock.forward(hours=1)
    assert storage.apply_scheduled_changes() == 1
    assert "Một" not in client.get(FEED).text
    assert client.get("/entries/a").status_code == 410
    assert changed(client) == [("delete", "a")]
    assert (
        editor.send("GET", "/articles/a").get_json()["expires"]
        == "2026-11-25T04:00:00Z"
    )
    editor.send("PATCH", "/articles/a", {"expires": None})
    assert "Một" in client.get(FEED).text


def test_entry_must_not_expire_before_it_is_published(
    editor: ApiClient, clock: Clock
) -> None:
    document = {"title": "Một", "expires": "2026-11-25T02:59:00Z"}
    error = {"pointer": "#/expires", "detail": "Must be after date_published."}
    answer = editor.send("PUT", "/articles/a", document)
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [error]
    editor.put("/articles/a", {**document, "status": "draft"})
    answer = editor.send("PATCH", "/articles/a", {"status": "published"})
    assert answer.get_json()["errors"] == [error]


def test_replacement_after_the_expiry_is_accepted(
    editor: ApiClient, clock: Clock
) -> None:
    document = {"title": "Một", "expires": "2026-11-25T04:00:00Z"}
    editor.put("/articles/a", document)
    clock.forward(hours=2)
    answer = editor.send("PUT", "/articles/a", {**document, "title": "Hai"})
    assert answer.status_code == 200


def test_withdrawn_entry_shows_its_notice_for_30_days(
    editor: ApiClient, client: FlaskClient, clock: Clock, storage: Storage
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
    page = client.get("/entries/a")
    assert page.status_code == 410
    assert page.get_json()["detail"] == "Thông tin không đúng."
    clock.forward(days=29)
    editor.send("PATCH", "/articles/a", {"notice": "Sai."})
    storage.apply_scheduled_changes()
    assert "Đã gỡ: Sai." in client.get(FEED).text
    clock.forward(days=1)
    assert storage.apply_scheduled_changes() == 1
    assert f"<id>{guid}" not in client.get(FEED).text, "only a tombstone"
    assert changed(client) == [("delete", "a")]
    editor.send("PATCH", "/articles/a", {"status": "published", "notice": None})
    assert "Sai sự thật" in client.get(FEED).text


def test_correction_starts_the_body(editor: ApiClient, client: FlaskClient) -> None:
    editor.put(
        "/articles/a",
        {"title": "Tin", "content_html": "<p>Thân</p>", "notice": "Giờ là 20:00 <chứ>"},
    )
    for path in (FEED, "/feeds/news.rss"):
        text = client.get(path).text
        assert "<p><strong>Đính chính: Giờ là 20:00 &lt;chứ&gt;</strong></p>" in text
    page = client.get("/entries/a").text
    assert page.index("Đính chính") < page.index("<p>Thân</p>")


def test_changes_are_listed_page_by_page(
    editor: ApiClient, client: FlaskClient
) -> None:
    for number in range(5):
        editor.put(
            f"/articles/{number}",
            {"title": "x", "categories": ["van-hoa"] if number % 2 else []},
        )
    editor.put("/articles/draft", {"title": "x", "status": "draft"})
    editor.put("/events/e", {"title": "x", "start": "2027-01-01"})
    editor.send("DELETE", "/articles/0")
    editor.put("/articles/1", {"title": "y"})
    seen: list[str] = []
    after = 0
    while True:
        answer = client.get(f"/api/v1/changes?after={after}&limit=2").get_json()
        seen += [f"{change['action']} {change['id']}" for change in answer["changes"]]
        assert all(change["seq"] <= answer["next"] for change in answer["changes"])
        if answer["next"] == after:
            break
        after = answer["next"]
    assert seen == ["put 2", "put 3", "put 4", "put e", "delete 0", "put 1"]
    assert changed(client, kind="events") == [("put", "e")]
    assert ("delete", "1") in changed(client, category="van-hoa")
    assert ("put", "3") in changed(client, category="van-hoa")
    ahead = client.get(f"/api/v1/changes?after={after + 1}")
    assert ahead.status_code == 410
    assert "after=0" in ahead.get_json()["detail"]
    nothing = client.get(f"/api/v1/changes?after={after}")
    again = client.get(
        f"/api/v1/changes?after={after}",
        headers={"If-None-Match": nothing.headers["ETag"]},
    )
    assert again.status_code == 304
    for bad in ("after=-1", "after=x", "kind=nix", "limit=0", "nix=1", "category=A"):
        assert client.get(f"/api/v1/changes?{bad}").status_code == 400
    assert client.get("/api/v1/changes?category=nix").status_code == 404


def test_former_or_retired_category_of_an_entry_is_told_so(editor: ApiClient) -> None:
    editor.put("/categories/cu", {"title": "Cũ"})
    editor.send("PATCH", "/categories/cu", {"slug": "moi"})
    editor.put("/categories/bo", {"title": "Bỏ"})
    editor.send("DELETE", "/categories/bo")
    for slug, detail in (
        ("cu", "The category “cu” is now “moi”."),
        ("bo", "The category “bo” was retired."),
    ):
        document = {"title": "x", "categories": [slug]}
        answer = editor.send("POST", "/articles", document)
        assert answer.status_code == 422
        error = {"pointer": "#/categories/0", "detail": detail}
        assert answer.get_json()["errors"] == [error]


def test_renamed_category_redirects_from_old_slug(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa"]})
    step = last(client)
    clock.forward(seconds=5)
    renamed = editor.send(
        "PATCH", "/categories/van-hoa", {"slug": "van-hoa-so", "title": "Văn hoá số"}
    )
    assert renamed.status_code == 200
    assert renamed.get_json() == {"slug": "van-hoa-so", "title": "Văn hoá số"}
    moved = client.get("/feeds/news/van-hoa.rss?limit=5")
    assert moved.status_code == 301
    assert (
        moved.headers["Location"]
        == "https://feeds.example/feeds/news/van-hoa-so.rss?limit=5"
    )
    assert "Văn hoá số" in client.get("/feeds/news/van-hoa-so.rss").text
    assert "Một" in client.get("/feeds/news/van-hoa-so.rss").text
    assert editor.send("GET", "/articles/a").get_json()["categories"] == ["van-hoa-so"]
    assert changed(client, step) == [("put", "a")], "its document names another slug"
    assert changed(client, step, category="van-hoa") == [("put", "a")], (
        "a follower goes on"
    )
    assert (
        len(editor.send("GET", "/articles?category=van-hoa").get_json()["items"]) == 1
    )
    assert editor.send("PUT", "/categories/van-hoa", {"title": "x"}).status_code == 409
    assert (
        editor.send("PATCH", "/categories/giao-thong", {"slug": "van-hoa"}).status_code
        == 409
    )
    assert (
        editor.send(
            "PATCH", "/categories/giao-thong", {"slug": "van-hoa-so"}
        ).status_code
        == 409
    )
    assert (
        editor.send("PATCH", "/categories/giao-thong", {"slug": "A"}).status_code == 422
    )
    assert (
        editor.send("PATCH", "/categories/van-hoa-so", {"slug": "van-hoa"}).status_code
        == 200
    )
    assert client.get("/feeds/news/van-hoa-so.rss").status_code == 301
    assert client.get("/feeds/news/van-hoa.rss").status_code == 200


def test_retired_category_is_410_and_entries_lose_it(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa", "giao-thong"]})
    step = last(client)
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 410
    assert editor.send("DELETE", "/categories/nix").status_code == 404
    assert client.get("/feeds/news/van-hoa.rss").status_code == 410
    assert [
        item["slug"]
        for item in client.get("/api/v1/categories").get_json()["categories"]
    ] == ["giao-thong"]
    assert editor.send("GET", "/articles/a").get_json()["categories"] == ["giao-thong"]
    assert changed(client, step) == [("put", "a")]
    assert client.get("/api/v1/changes?category=van-hoa").status_code == 410
    refused = editor.send(
        "PUT", "/articles/b", {"title": "x", "categories": ["van-hoa"]}
    )
    assert refused.get_json()["errors"][0]["pointer"] == "#/categories/0"
    assert (
        editor.send("PUT", "/categories/van-hoa", {"title": "Văn hoá"}).status_code
        == 201
    )
    assert client.get("/feeds/news/van-hoa.rss").status_code == 200
