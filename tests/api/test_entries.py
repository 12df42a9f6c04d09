"""The life of an entry through the API; its guid never changes."""

from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from feedsvc.storage.database import Database
from feedsvc.storage.tables import CategoryRow
from tests.api.problems import errors, pointers
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.full_entries import (
    ARTICLE,
    EVENT,
    MEMBERS,
    MINIMAL,
    NOT_SEARCHED,
    TEXT_MEMBERS,
)
from tests.web.feeds import items

pytestmark = pytest.mark.both_databases

TABLES = read_tables("api")


@pytest.mark.parametrize("name", sorted(set().union(*TEXT_MEMBERS.values())))
def test_text_is_searched_unless_listed(editor: ApiClient, name: str) -> None:
    collection = MEMBERS[name]
    document = {**MINIMAL[collection], "summary": "x", name: "marker"}
    editor.put(f"/{collection}/a", document)
    page = editor.send("GET", f"/{collection}?q=marker").get_json()
    assert bool(page["items"]) == (name not in NOT_SEARCHED), (
        "feedsvc/storage/search.py and docs/feeds.md, or NOT_SEARCHED in "
        "tests/full_entries.py"
    )


@pytest.mark.parametrize(
    ("path", "document"), [("/articles/a", ARTICLE), ("/events/e", EVENT)]
)
def test_get_returns_everything_that_was_put(
    editor: ApiClient, path: str, document: dict[str, Any]
) -> None:
    created = editor.put(path, document)
    assert created.status_code == 201
    url = f"https://feeds.example/api/v1{path}"
    assert created.headers["Location"] == url
    assert created.headers["ETag"] == '"1"'
    stored = created.get_json()
    assert {name: stored[name] for name in document} == document
    assert editor.send("GET", path).get_json() == stored
    # An unchanged PUT writes nothing.
    again = editor.put(path, stored)
    assert again.status_code == 200
    assert again.get_json() == stored


def test_post_creates_an_id(editor: ApiClient) -> None:
    created = editor.send("POST", "/articles", {"title": "Một"})
    assert created.status_code == 201
    id = created.get_json()["id"]
    assert created.headers["Location"].endswith(f"/articles/{id}")
    named = {"title": "Hai", "id": "hai"}
    assert editor.send("POST", "/articles", named).status_code == 201
    for _ in range(2):
        assert editor.send("POST", "/articles", named).status_code == 409
        editor.send("DELETE", "/articles/hai")


@pytest.mark.parametrize(("sent", "stored"), TABLES["local_times"])
def test_time_without_offset_is_in_site_or_event_timezone(
    editor: ApiClient, sent: dict[str, str], stored: dict[str, Any]
) -> None:
    event = {"title": "x", "start": "2026-12-24T19:00:00", **sent}
    answer = editor.put("/events/e", event).get_json()
    assert stored.items() <= answer.items()
    patch = {"start": "2026-12-25", "timezone": "Europe/Paris"}
    patched = editor.send("PATCH", "/events/e", patch).get_json()
    assert patched["timezone"] == "Asia/Ho_Chi_Minh"


IN_PARIS: dict[str, Any] = TABLES["in_paris"]


@pytest.mark.parametrize("timezone", ["Europe/London", None])
def test_patch_of_another_timezone_needs_the_start(
    editor: ApiClient, timezone: str | None
) -> None:
    editor.put("/events/e", IN_PARIS)
    answer = editor.send("PATCH", "/events/e", {"timezone": timezone})
    detail = errors(answer)["#/timezone"]
    for name in ("start", "end", "rdates", "exdates", "cancelled"):
        assert name in detail
    patch = {"timezone": timezone, "start": IN_PARIS["start"]}
    patched = editor.send("PATCH", "/events/e", patch).get_json()
    assert patched["start"].startswith(IN_PARIS["start"])
    assert patched["timezone"] == (timezone or "Asia/Ho_Chi_Minh")
    assert patched["recurrence"]["rdates"] == IN_PARIS["recurrence"]["rdates"]


@pytest.mark.parametrize(
    ("members", "timezone"),
    [
        ({}, "Europe/Paris"),
        ({"timezone": "Asia/Ho_Chi_Minh"}, None),
        # It is ignored for an all-day event.
        ({"start": "2026-12-24", "recurrence": None}, "Europe/London"),
    ],
)
def test_patch_of_the_same_timezone_changes_nothing(
    editor: ApiClient, members: dict[str, Any], timezone: str | None
) -> None:
    stored = editor.put("/events/e", {**IN_PARIS, **members}).get_json()
    patched = editor.send("PATCH", "/events/e", {"timezone": timezone})
    assert patched.get_json() == stored


@pytest.mark.parametrize("writes", TABLES["moves"])
def test_rescheduled_event_keeps_its_former_start(
    editor: ApiClient, writes: list[tuple[str, dict[str, Any], str]]
) -> None:
    for method, members, day in writes:
        if method == "PUT":
            members = {"title": "x", "event_status": "rescheduled", **members}
        stored = editor.send(method, "/events/e", members).get_json()
        assert stored.get("previous_start", "").removesuffix("T19:00:00+07:00") == day
        again = editor.send(method, "/events/e", members).get_json()
        assert again == stored, "the same again writes nothing"


def test_former_start_is_in_the_new_zone(editor: ApiClient) -> None:
    moved = {"title": "x", "event_status": "rescheduled", "timezone": "Europe/Paris"}
    hanoi = {"timezone": "Asia/Ho_Chi_Minh", "start": "2026-12-24T19:00:00"}
    editor.put("/events/e", {"title": "x", **hanoi})
    for _ in range(2):
        body = {**moved, "start": "2026-12-24T19:00:00"}
        stored = editor.put("/events/e", body).get_json()
        assert stored["previous_start"] == "2026-12-24T13:00:00+01:00"


def test_list_leaves_bodies_out(editor: ApiClient) -> None:
    html = {"title": "x", "content_html": "<p>Nội dung</p>"}
    text = {"title": "x", "content_text": "Nội dung", "start": "2026-12-24"}
    editor.put("/articles/a", html)
    editor.put("/events/b", text)
    for path in ("/articles", "/articles?q=x", "/events"):
        (item,) = editor.send("GET", path).get_json()["items"]
        assert not {"content_html", "content_text"} & item.keys()
        assert item["summary"] == "Nội dung"


def test_category_is_created_replaced_and_listed(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    full = TABLES["category"]
    for status in (201, 200):
        stored = editor.send("PUT", "/categories/y-te", full)
        assert stored.status_code == status
        assert stored.get_json() == {"slug": "y-te", **full}
    assert client.get("/api/v1/categories/y-te").get_json() == stored.get_json()

    def listed() -> tuple[list[str], datetime | None]:
        clock.forward(seconds=10)
        answer = client.get("/api/v1/categories")
        slugs = [item["slug"] for item in answer.get_json()["categories"]]
        return slugs, answer.last_modified

    before = listed()
    assert before == listed()
    assert before[0] == ["giao-thong", "van-hoa", "y-te"]
    assert editor.send("DELETE", "/categories/y-te").status_code == 204
    seconds = clock().replace(microsecond=0)
    assert listed() == (["giao-thong", "van-hoa"], seconds)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://portal.example/news/7", "https://portal.example/news/map"),
        (None, "https://feeds.example/entries/map"),
    ],
)
def test_relative_links_are_resolved_against_the_entrys_page(
    editor: ApiClient, url: str | None, expected: str
) -> None:
    html = '<p><a href="map">Map</a></p>'
    article = {"title": "a", "content_html": html, "url": url}
    stored = editor.put("/articles/a", article).get_json()
    assert f'href="{expected}"' in stored["content_html"]


def test_list_is_paged_and_includes_drafts(editor: ApiClient) -> None:
    for number in range(5):
        status = "draft" if number % 2 else "published"
        document = {"title": "x", "status": status, "categories": ["van-hoa"]}
        editor.put(f"/articles/{number}", document)
    editor.put("/articles/0", {"title": "Mới"})
    editor.send("DELETE", "/articles/4")
    # As in feeds, entries of the categories below a category are its own.
    parent = {"title": "Văn hoá", "parent": "giao-thong"}
    editor.put("/categories/van-hoa", parent)
    for query, ids, next_page in TABLES["pages"]:
        page = editor.send("GET", f"/articles?{query}").get_json()
        assert page.keys() == {"items", "next_page"}
        assert [item["id"] for item in page["items"]] == ids
        assert page["next_page"] == (next_page or None)


def test_response_tells_if_the_entry_is_public(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    """Test the link alone: tests/web/test_pages.py tests the page."""
    article = {
        "title": "Bí mật",
        "date_published": "2026-11-25T04:00:00Z",
        "expires": "2026-11-25T05:00:00Z",
    }

    def check(response: TestResponse, *, is_public: bool) -> Any:
        entry = response.get_json()
        assert entry["public"] is is_public
        assert ("preview_url" in entry) != is_public
        return entry.get("preview_url")

    draft = editor.put("/articles/a", {**article, "status": "draft"})
    check(draft, is_public=False)
    check(editor.put("/articles/a", article), is_public=False)
    wait(hours=1)
    check(editor.send("GET", "/articles/a"), is_public=True)
    for status in ("withdrawn", "published"):
        patch = {"status": status, "notice": "Sai."}
        check(editor.send("PATCH", "/articles/a", patch), is_public=True)
    wait(hours=1)
    link = check(editor.send("GET", "/articles/a"), is_public=False)
    assert client.get(link).status_code == 200


def test_write_reads_its_own_categories_alone(editor: ApiClient) -> None:
    for number in range(20):
        editor.put(f"/categories/c{number}", {"title": "x"})
    loaded = set()

    def note(row: CategoryRow, _: object) -> None:
        loaded.add(row.slug)

    document = {"title": "x", "categories": ["c1", "c2"]}
    item = {"action": "put", "kind": "news", "id": "b", **document}
    sa.event.listen(CategoryRow, "load", note)
    try:
        editor.put("/articles/a", document)
        editor.send("POST", "/batch", [item])
    finally:
        sa.event.remove(CategoryRow, "load", note)
    assert loaded == {"c1", "c2"}


@pytest.mark.unrehearsed
def test_writes_send_few_statements(editor: ApiClient, database: Database) -> None:
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        if "BEGIN" not in arguments[2]:
            statements.append(arguments[2])

    def count(method: str, path: str, document: Any) -> int:
        statements.clear()
        assert editor.send(method, path, document).status_code in (200, 201)
        return len(statements)

    document = {"title": "x", "categories": ["giao-thong", "van-hoa"]}
    item = {"action": "put", "kind": "news", **document}
    few, many = (
        [{**item, "id": f"{size}-{number}"} for number in range(size)]
        for size in (10, 20)
    )
    sa.event.listen(database.engine, "before_cursor_execute", note)
    assert count("PUT", "/articles/a", document) <= 9
    assert count("PUT", "/articles/a", {**document, "title": "y"}) <= 11
    before = count("POST", "/batch", few)
    assert count("POST", "/batch", many) - before <= 10 * 6


GUID = "https://blog.example/?p=12&a=“b”"
NEWS, EVENT_ONLY = MINIMAL.values()


def test_given_guid_is_kept_as_it_is(editor: ApiClient, client: FlaskClient) -> None:
    long = "x" * 1000
    put = editor.put("/articles/a", {**NEWS, "guid": GUID})
    assert put.get_json()["guid"] == GUID
    posted = editor.send("POST", "/events", {**EVENT_ONLY, "guid": "e\u0301 1"})
    assert posted.get_json()["guid"] == "e\u0301 1"
    item = {"action": "put", "kind": "news", "id": "b", "guid": long}
    editor.send("POST", "/batch", [{**NEWS, **item}])
    shown = [each["id"] for each in items(client, "/feeds/news.json")]
    assert shown == [long, GUID]


def test_guid_of_another_entry_is_409(editor: ApiClient) -> None:
    uuid = "6d4f2d2e-6e0f-4f7c-9b63-6f0e7c9b0a11"
    editor.put("/events/draft", {**EVENT_ONLY, "guid": uuid, "status": "draft"})
    editor.put("/articles/deleted", {**NEWS, "guid": GUID})
    editor.send("DELETE", "/articles/deleted")
    for guid in (uuid, f"urn:uuid:{uuid}", f"URN:UUID:{uuid}", GUID):
        response = editor.send("PUT", "/articles/a", {**NEWS, "guid": guid})
        assert response.status_code == 409
        assert guid in response.get_json()["detail"]
    minted = editor.put("/articles/b", NEWS).get_json()["guid"]
    bare = minted.removeprefix("urn:uuid:")
    response = editor.send("POST", "/articles", {**NEWS, "guid": bare})
    assert response.status_code == 409


def test_another_guid_for_a_used_id_is_422(editor: ApiClient) -> None:
    stored = editor.put("/articles/a", {**NEWS, "guid": GUID}).get_json()
    assert editor.put("/articles/a", stored).get_json()["version"] == 1
    other = {**NEWS, "guid": "other"}
    for method in ("PUT", "PATCH", "DELETE", "PUT"):
        refused = editor.send(method, "/articles/a", other)
        assert method == "DELETE" or pointers(refused) == ["#/guid"]
    assert editor.put("/articles/a", NEWS).get_json()["guid"] == GUID
