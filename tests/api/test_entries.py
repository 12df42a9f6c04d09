"""The life of an entry through the API."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from feedsvc.storage.tables import CategoryRow
from tests.api.problems import errors
from tests.conftest import ApiClient, MakeApp
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.full_entries import (
    ARTICLE,
    EVENT,
    MEMBERS,
    MINIMAL,
    NOT_SEARCHED,
    SCHEMAS,
    TEXT_LISTS,
    TEXT_MEMBERS,
)

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize(
    ("collection", "document"), [("articles", ARTICLE), ("events", EVENT)]
)
def test_full_entry_has_every_member(
    collection: str, document: dict[str, Any]
) -> None:
    members = SCHEMAS[collection]._declared_fields.items()
    writable = {name for name, field in members if not field.dump_only}
    # tests/api/test_guid.py has guids.
    missing = writable - {"id", "guid", "content_text"} - document.keys()
    assert not missing, f"tests/full_entries.py: no value of {missing}"


@pytest.mark.parametrize(
    "name", sorted(TEXT_LISTS.union(*TEXT_MEMBERS.values()))
)
def test_text_is_searched_unless_listed(editor: ApiClient, name: str) -> None:
    path = f"/{MEMBERS[name]}"
    text = ["marker"] if name in TEXT_LISTS else "marker"
    document = {**MINIMAL[MEMBERS[name]], "summary": "x", name: text}
    editor.put(f"{path}/a", document)
    items = editor.send("GET", f"{path}?q=marker").get_json()["items"]
    assert bool(items) == (name not in NOT_SEARCHED), (
        "feedsvc/storage/search.py and docs/feeds.md, or NOT_SEARCHED in "
        "tests/full_entries.py"
    )


def test_get_returns_everything_that_was_put(editor: ApiClient) -> None:
    for path, document in (("/articles/a", ARTICLE), ("/events/e", EVENT)):
        created = editor.put(path, document)
        assert created.status_code == 201
        assert (
            created.headers["Location"]
            == f"https://feeds.example/api/v1{path}"
        )
        assert created.headers["ETag"] == '"1"'
        answered = created.get_json()
        assert {name: answered[name] for name in document} == document
        assert editor.send("GET", path).get_json() == answered
        again = editor.put(path, answered)
        assert again.status_code == 200
        assert again.get_json() == answered, "an unchanged PUT writes nothing"


def test_post_creates_an_id(editor: ApiClient) -> None:
    created = editor.send("POST", "/articles", {"title": "Một"})
    assert created.status_code == 201
    id = created.get_json()["id"]
    assert created.headers["Location"].endswith(f"/articles/{id}")
    named = {"title": "Hai", "id": "hai"}
    assert editor.send("POST", "/articles", named).get_json()["id"] == "hai"
    assert editor.send("POST", "/articles", named).status_code == 409
    editor.send("DELETE", "/articles/hai")
    assert editor.send("POST", "/articles", named).status_code == 409


def test_replacement_keeps_date_published(
    editor: ApiClient, clock: Clock
) -> None:
    first = editor.put("/articles/a", {"title": "x"}).get_json()
    clock.forward(hours=1)
    second = editor.put("/articles/a", {"title": "y"}).get_json()
    assert second["date_published"] == first["date_published"]
    assert second["date_modified"] > first["date_modified"]
    assert second["guid"] == first["guid"]
    assert second["version"] == 2


def test_draft_gets_date_published_at_publication(
    editor: ApiClient, clock: Clock
) -> None:
    draft = editor.put(
        "/articles/a", {"title": "x", "status": "draft"}
    ).get_json()
    assert "date_published" not in draft
    clock.forward(days=1)
    published = editor.put("/articles/a", {"title": "x"}).get_json()[
        "date_published"
    ]
    assert published == "2026-11-26T03:00:00Z"


def test_time_without_offset_is_in_site_or_event_timezone(
    editor: ApiClient,
) -> None:
    article = {"title": "x", "date_published": "2020-10-12T08:00:00"}
    stored = editor.put("/articles/a", article).get_json()
    assert stored["date_published"] == "2020-10-12T01:00:00Z"
    event = {
        "title": "x",
        "start": "2026-12-24T19:00:00",
        "timezone": "Europe/Paris",
    }
    stored = editor.put("/events/e", event).get_json()
    assert stored["start"] == "2026-12-24T19:00:00+01:00"
    day = editor.put(
        "/events/d", {"title": "x", "start": "2026-12-24"}
    ).get_json()
    assert day["start"] == "2026-12-24"
    assert day["all_day"] is True


def test_all_day_event_has_the_zone_of_the_site(editor: ApiClient) -> None:
    event = {
        "title": "x",
        "start": "2026-12-24",
        "timezone": "Pacific/Kiritimati",
    }
    assert (
        editor.put("/events/e", event).get_json()["timezone"]
        == "Asia/Ho_Chi_Minh"
    )
    event["start"] = "2026-12-24T19:00:00"
    assert (
        editor.put("/events/e", event).get_json()["timezone"]
        == event["timezone"]
    )
    patch = {"start": "2026-12-25", "timezone": "Europe/Paris"}
    patched = editor.send("PATCH", "/events/e", patch).get_json()
    assert patched["timezone"] == "Asia/Ho_Chi_Minh"


IN_PARIS: dict[str, Any] = {
    "title": "Chợ phiên",
    "start": "2026-12-05T19:00:00",
    "timezone": "Europe/Paris",
    "recurrence": {"rrule": "FREQ=WEEKLY", "rdates": ["2026-12-08T18:00:00"]},
}


@pytest.mark.parametrize(
    "timezone", ["Europe/London", "Asia/Ho_Chi_Minh", None]
)
def test_patch_of_another_timezone_needs_the_start(
    editor: ApiClient, timezone: str | None
) -> None:
    editor.put("/events/e", IN_PARIS)
    patch: dict[str, Any] = {"timezone": timezone, "title": "x"}
    answer = editor.send("PATCH", "/events/e", patch)
    detail = errors(answer)["#/timezone"]
    for name in ("start", "end", "rdates", "exdates", "cancelled"):
        assert name in detail
    patch["start"] = IN_PARIS["start"]
    patched = editor.send("PATCH", "/events/e", patch).get_json()
    assert patched["start"].startswith(IN_PARIS["start"])
    assert patched["timezone"] == (timezone or "Asia/Ho_Chi_Minh")
    assert patched["recurrence"]["rdates"] == IN_PARIS["recurrence"]["rdates"]


def test_patch_of_the_same_timezone_changes_nothing(editor: ApiClient) -> None:
    stored = editor.put("/events/e", IN_PARIS).get_json()
    patch = {"timezone": "Europe/Paris"}
    assert editor.send("PATCH", "/events/e", patch).get_json() == stored
    editor.put("/events/site", {**IN_PARIS, "timezone": "Asia/Ho_Chi_Minh"})
    answer = editor.send("PATCH", "/events/site", {"timezone": None})
    assert answer.get_json()["version"] == 1


def test_patch_of_the_timezone_of_an_all_day_event_is_ignored(
    editor: ApiClient,
) -> None:
    stored = editor.put(
        "/events/e", {"title": "x", "start": "2026-12-24"}
    ).get_json()
    patch = {"timezone": "Europe/Paris"}
    assert editor.send("PATCH", "/events/e", patch).get_json() == stored


def test_absent_fields_get_defaults(editor: ApiClient) -> None:
    entry = editor.put("/articles/a", {"title": "x"}).get_json()
    assert entry["url"] == "https://feeds.example/entries/a"
    assert entry["language"] == "vi"
    url = "https://x.example/a.jpg"
    entry = editor.put("/articles/b", {"title": "x", "image": url}).get_json()
    assert entry["image"] == {"url": url}


@pytest.mark.parametrize(
    "media_type",
    ["audio/ogg", "audio/ogg; codecs=opus", 'audio/ogg ;codecs="opus, flac"'],
)
def test_parameters_of_a_media_type_are_dropped(
    editor: ApiClient, media_type: str
) -> None:
    url = "https://media.example/a"
    article = {
        "title": "x",
        "image": {"url": url, "type": media_type},
        "attachments": [{"url": url, "mime_type": media_type}],
    }
    entry = editor.put("/articles/a", article).get_json()
    assert entry["attachments"][0]["mime_type"] == "audio/ogg"
    assert entry["image"]["type"] == "audio/ogg"


@pytest.mark.parametrize(
    "language", ["vi", "VI-vn", "zh-Hant-TW", "hmn", "km"]
)
def test_language_that_exists_is_accepted(
    editor: ApiClient, language: str
) -> None:
    entry = editor.put(
        "/articles/a", {"title": "x", "language": language}
    ).get_json()
    assert entry["language"] == language
    editor.put("/categories/a", {"title": "x", "language": language})


def test_list_leaves_bodies_out(editor: ApiClient) -> None:
    editor.put(
        "/articles/a", {"title": "x", "content_html": "<p>Nội dung</p>"}
    )
    editor.put("/articles/b", {"title": "x", "content_text": "Nội dung"})
    event = {"title": "x", "content_text": "Nội dung", "start": "2026-12-24"}
    editor.put("/events/c", event)
    for path in ("/articles", "/articles?q=x", "/events"):
        items = editor.send("GET", path).get_json()["items"]
        assert items
        for item in items:
            assert not {"content_html", "content_text"} & item.keys()
            assert item["summary"] == "Nội dung"


def test_category_is_created_replaced_and_listed(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    full = {
        "title": "Y tế",
        "description": "Sức khoẻ",
        "language": "vi",
        "url": "https://portal.example/y-te",
    }
    created = editor.send("PUT", "/categories/y-te", full)
    assert created.status_code == 201
    assert created.get_json() == {"slug": "y-te", **full}
    assert editor.send("PUT", "/categories/y-te", full).status_code == 200
    listed = client.get("/api/v1/categories").get_json()["categories"]
    assert [item["slug"] for item in listed] == [
        "giao-thong",
        "van-hoa",
        "y-te",
    ]

    def last_modified() -> datetime | None:
        clock.forward(seconds=10)
        return client.get("/api/v1/categories").last_modified

    assert last_modified() == last_modified()
    assert editor.send("DELETE", "/categories/y-te").status_code == 204
    assert last_modified() == clock().replace(microsecond=0) - timedelta(
        seconds=10
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            {"url": "https://portal.example/news/7"},
            "https://portal.example/news/map",
        ),
        ({}, "https://feeds.example/entries/map"),
    ],
)
def test_relative_links_are_resolved_against_the_entrys_page(
    editor: ApiClient, members: dict[str, str], expected: str
) -> None:
    html = '<p><a href="map">Map</a></p>'
    editor.put("/articles/a", {"title": "a", "content_html": html, **members})
    stored = editor.send("GET", "/articles/a").get_json()
    assert f'href="{expected}"' in stored["content_html"]


def test_list_is_paged_and_includes_drafts(editor: ApiClient) -> None:
    for number in range(5):
        status = "draft" if number % 2 else "published"
        document = {"title": "x", "status": status, "categories": ["van-hoa"]}
        editor.put(f"/articles/{number}", document)
    editor.put("/articles/0", {"title": "Mới"})
    editor.send("DELETE", "/articles/4")

    def listed(query: str) -> tuple[list[str], int | None]:
        page = editor.send("GET", f"/articles?{query}").get_json()
        assert page.keys() == {"items", "next_page"}
        return [item["id"] for item in page["items"]], page["next_page"]

    assert listed("limit=2") == (["0", "3"], 2)
    assert listed("limit=2&page=2") == (["2", "1"], None)
    assert listed("page=3") == ([], None)
    assert listed("status=draft&category=van-hoa") == (["3", "1"], None)
    assert listed("q=MOI") == (["0"], None)
    # As in feeds, entries of the categories below a category are its own.
    editor.put(
        "/categories/van-hoa", {"title": "Văn hoá", "parent": "giao-thong"}
    )
    assert listed("status=draft&category=giao-thong") == (["3", "1"], None)
    assert editor.send("GET", "/articles?category=nix").status_code == 404


def test_response_tells_if_the_entry_is_public(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    """Test the link alone: tests/web/test_pages.py tests the page."""
    article = {
        "title": "Bí mật",
        "date_published": "2026-11-25T04:00:00Z",
        "expires": "2026-11-25T05:00:00Z",
    }
    draft = editor.put(
        "/articles/a", {**article, "status": "draft"}
    ).get_json()
    scheduled = editor.put("/articles/a", article).get_json()
    for entry in (draft, scheduled):
        assert entry["public"] is False
        assert "preview_url" in entry
    wait(hours=1)
    public = editor.send("GET", "/articles/a").get_json()
    assert public["public"] is True
    assert "preview_url" not in public
    withdrawn = {"status": "withdrawn", "notice": "Sai."}
    assert (
        editor.send("PATCH", "/articles/a", withdrawn).get_json()["public"]
        is True
    )
    assert (
        editor.put("/articles/a", {**article, **public}).get_json()["public"]
        is True
    )
    wait(hours=1)
    expired = editor.send("GET", "/articles/a").get_json()
    assert expired["public"] is False
    assert client.get(expired["preview_url"]).status_code == 200


def test_key_of_the_settings_signs_previews(
    make_app: MakeApp, editor: ApiClient
) -> None:
    links = []
    for key in ("", "one", "two", "two"):
        other = ApiClient(make_app(secret_key=key).test_client(), editor.token)
        draft = other.put(
            "/articles/a", {"title": "x", "status": "draft"}
        ).get_json()
        links.append(draft["preview_url"])
    assert len(set(links)) == 3
    assert links[2] == links[3]


def test_category_can_be_read_by_anyone(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/categories/opera", {"title": "Opera", "parent": "van-hoa"})
    answer = client.get("/api/v1/categories/opera")
    assert answer.get_json() == {
        "slug": "opera",
        "title": "Opera",
        "parent": "van-hoa",
    }
    editor.send("PATCH", "/categories/opera", {"slug": "kich"})
    moved = client.get("/api/v1/categories/opera")
    assert moved.status_code == 301
    location = "https://feeds.example/api/v1/categories/kich"
    assert moved.headers["Location"] == location
    editor.send("DELETE", "/categories/kich")
    assert client.get("/api/v1/categories/kich").status_code == 410
    assert client.get("/api/v1/categories/nix").status_code == 404
    editor.put("/categories/kich", {"title": "Kịch"})
    assert client.get("/api/v1/categories/kich").status_code == 200


def test_write_reads_its_own_categories_alone(
    editor: ApiClient, client: FlaskClient
) -> None:
    for number in range(20):
        editor.put(f"/categories/c{number}", {"title": "x"})
    loaded = Counter[str]()

    def count(row: CategoryRow, _: object) -> None:
        loaded[row.slug] += 1

    document = {"title": "x", "categories": ["c1", "c2"]}
    item = {"action": "put", "kind": "news", "id": "b", **document}
    sa.event.listen(CategoryRow, "load", count)
    try:
        editor.put("/articles/a", document)
        editor.send("POST", "/batch", [item])
    finally:
        sa.event.remove(CategoryRow, "load", count)
    assert loaded.keys() == {"c1", "c2"}


def test_writes_send_few_statements(
    editor: ApiClient, database: Database
) -> None:
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    def count(method: str, path: str, document: Any) -> int:
        statements.clear()
        assert editor.send(method, path, document).status_code in (200, 201)
        return len([each for each in statements if "BEGIN" not in each])

    document = {"title": "x", "categories": ["giao-thong", "van-hoa"]}

    def batch(number: int) -> list[dict[str, Any]]:
        item = {"action": "put", "kind": "news", **document}
        return [{**item, "id": f"{number}-{i}"} for i in range(number)]

    sa.event.listen(database.engine, "before_cursor_execute", note)
    assert count("PUT", "/articles/a", document) <= 9
    update = {**document, "title": "y"}
    assert count("PUT", "/articles/a", update) <= 11
    few, many = (count("POST", "/batch", batch(size)) for size in (10, 20))
    assert many - few <= 10 * 6
