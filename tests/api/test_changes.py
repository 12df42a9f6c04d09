"""`/api/v1/changes`, by which partners keep a copy of the public entries."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from feedsvc import concurrency
from feedsvc.api.changes import PAGE_BYTES
from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases


def follow(
    client: FlaskClient, after: int = 0, query: str = ""
) -> tuple[list[str], int]:
    """Read page after page; return the changes and the last cursor."""
    seen: list[str] = []
    while True:
        page = client.get(f"/api/v1/changes?after={after}{query}").get_json()
        if page["next"] == after:
            return seen, after
        for change in page["changes"]:
            seen.append(f"{change['action']} {change['id']}")
            after = change["seq"]
        assert after == page["next"]


def test_each_public_entry_is_listed_once_with_its_latest_state(
    editor: ApiClient, client: FlaskClient
) -> None:
    for number in range(4):
        editor.put(f"/articles/{number}", {"title": "x"})
    editor.put("/articles/draft", {"title": "x", "status": "draft"})
    editor.put("/events/e", {"title": "Hội", "start": "2027-01-01"})
    editor.send("DELETE", "/articles/0")
    editor.put("/articles/1", {"title": "y"})
    expected = ["put 2", "put 3", "put e", "delete 0", "put 1"]
    for limit in (1, 2, 1000):
        changes, cursor = follow(client, query=f"&limit={limit}")
        assert changes == expected
    assert follow(client, query="&kind=events")[0] == ["put e"]
    # An unchanged PUT is no change.
    editor.put("/articles/1", {"title": "y"})
    assert follow(client, cursor) == ([], cursor)
    lost = client.get(f"/api/v1/changes?after={cursor + 1}")
    assert lost.status_code == 410
    assert "after=0" in lost.get_json()["detail"]


def test_changes_have_the_fields_that_readers_see(
    editor: ApiClient, client: FlaskClient
) -> None:
    def only_change() -> Any:
        (change,) = client.get("/api/v1/changes").get_json()["changes"]
        return change

    yoga = read_tables("web")["yoga"]
    cancelled = [{"start": "2026-12-12T19:00:00", "notice": "Bão"}]
    entry = editor.put("/events/a", yoga).get_json()
    change = only_change()
    assert change["recurrence"]["cancelled"] == cancelled
    del entry["public"]
    assert change == {**entry, "seq": change["seq"], "action": "put"}
    editor.put("/events/a", {**yoga, "status": "withdrawn"})
    assert "content_text" not in only_change()
    editor.send("DELETE", "/events/a")
    change = only_change()
    head = {name: entry[name] for name in ("kind", "id", "guid")}
    assert change == {**head, "seq": change["seq"], "action": "delete"}


@pytest.mark.parametrize(
    ("method", "document"),
    [
        ("DELETE", None),
        ("PATCH", {"status": "draft"}),
        ("PATCH", {"date_published": "2027-01-01T00:00:00Z"}),
    ],
)
def test_hidden_entry_is_listed_as_deleted(
    editor: ApiClient, client: FlaskClient, method: str, document: object
) -> None:
    editor.put("/articles/a", {"title": "SECRET"})
    editor.send(method, "/articles/a", document)
    assert follow(client)[0] == ["delete a"]
    assert "SECRET" not in client.get("/api/v1/changes").text
    again = {"title": "x", "date_published": "2026-11-25T00:00:00Z"}
    editor.put("/articles/a", again)
    assert follow(client)[0] == ["put a"]


def test_category_changes_are_no_changes_of_entries(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/a", {"title": "x", "categories": ["van-hoa", "giao-thong"]})
    _, cursor = follow(client)
    editor.send("PATCH", "/categories/van-hoa", {"slug": "van-hoa-so"})
    editor.send("DELETE", "/categories/giao-thong")
    assert follow(client, cursor)[0] == []
    (change,) = client.get("/api/v1/changes").get_json()["changes"]
    assert change["categories"] == ["van-hoa-so"]


def test_page_ends_after_4_mib(editor: ApiClient, client: FlaskClient) -> None:
    item = {"action": "put", "kind": "news", "title": "x"}
    item["content_text"] = "chữ\n" * 43_000
    ids = [f"{number}" for number in range(20)]
    batch = [{**item, "id": id} for id in ids]
    assert editor.send("POST", "/batch", batch).status_code == 200
    pages = []
    after = 0
    for _ in range(2):
        pages.append(client.get(f"/api/v1/changes?limit=1000&after={after}"))
        after = pages[-1].get_json()["next"]
    assert ids == [
        change["id"] for page in pages for change in page.get_json()["changes"]
    ]
    assert max(len(page.data) for page in pages) < PAGE_BYTES + 1000


def test_unchanged_page_is_304(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/articles/a", {"title": "x"})
    tag = client.get("/api/v1/changes").headers["ETag"]
    condition = {"If-None-Match": tag}
    assert client.get("/api/v1/changes", headers=condition).status_code == 304
    editor.send("DELETE", "/articles/a")
    assert client.get("/api/v1/changes", headers=condition).status_code == 200


def test_pages_that_take_long_end_early(
    editor: ApiClient, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.api.changes.PAGE_SECONDS", -1)
    for number in range(3):
        editor.put(f"/articles/{number}", {"title": "x"})
    page = client.get("/api/v1/changes").get_json()
    assert [change["id"] for change in page["changes"]] == ["0"]
    assert follow(client)[0] == ["put 0", "put 1", "put 2"]


@pytest.fixture
def standing_follower(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a page of changes wait for the database, until the test ends."""
    monkeypatch.setattr(concurrency, "THREAD_WAIT_SECONDS", 0.01)
    stands = threading.Event()
    is_over = threading.Event()

    def wait(*_: Any) -> None:
        if threading.current_thread().name.startswith("standing"):
            stands.set()
            is_over.wait(timeout=30)

    engine = get_services(app).database.engine
    sa.event.listen(engine, "before_cursor_execute", wait)
    with ThreadPoolExecutor(1, "standing") as pool:
        page = pool.submit(app.test_client().get, "/api/v1/changes")
        try:
            wait_until(stands.is_set)
            yield
        finally:
            is_over.set()
        assert page.result().status_code == 200
    sa.event.remove(engine, "before_cursor_execute", wait)


@pytest.mark.usefixtures("standing_follower")
def test_followers_of_a_database_that_stands_hold_up_nobody(
    app: Flask, client: FlaskClient
) -> None:
    with ThreadPoolExecutor(3) as pool:
        pages = [
            pool.submit(app.test_client().get, "/api/v1/changes") for _ in range(3)
        ]
        for page in pages:
            response = page.result(timeout=5)
            assert response.status_code == 503
            assert response.headers["Retry-After"]
            assert response.get_json()["detail"].startswith("Too many")
    assert client.get("/feeds/news.rss").status_code == 200


def test_followers_take_turns(app: Flask, client: FlaskClient) -> None:
    for _ in range(2):
        assert client.get("/api/v1/changes?after=1").status_code == 410
        assert client.get("/api/v1/changes").status_code == 200
