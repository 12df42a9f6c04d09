"""The commands export and import, between two services."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.tokens import create_token
from tests.commands import invoke, run
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.full_entries import ARTICLE, EVENT

OTHER_HOST = "https://other.example"
FEEDS = [
    *(f"/feeds/news.{format}" for format in ("rss", "atom", "json", "html")),
    *(f"/feeds/events.{format}?when=all" for format in ("rss", "atom", "json", "html")),
    "/feeds/events.ics",
    "/feeds/news/van-hoa-so.atom",
    "/feeds/news/am-nhac.rss",
    "/feeds/news/am-nhac,giao-thong.json?limit=3&page=2",
    "/feeds/news/am-nhac+van-hoa-so.json",
    "/feeds/news/giao-thong,-am-nhac.json",
    "/feeds/news/-giao-thong.json",
    "/feeds/news.json?q=anh+sang",
    "/feeds/events.json?order=start",
    "/api/v1/categories",
    "/",
]
TITLES = ("Đà Nẵng", "đà nẵng", "Ánh sáng", "anh", "Zoe", "ä", "Ông", "ong", "𝔄", "ﬁ")
"""Titles of entries of one moment, so that guids order them."""

IMPORTED = """<rss version="2.0"><channel><title>x</title><item>
<guid>tag:blog.example,2020:ba\u0300i</guid><title>{}</title></item></channel></rss>"""
"""A feed with one item, whose guid is not normalized."""


def fill(editor: ApiClient, clock: Clock, tick: Callable[[], None]) -> None:
    """Store something of everything that an export has."""
    editor.put("/categories/am-nhac", {"title": "Âm nhạc", "parent": "van-hoa"})
    editor.put("/categories/bo-cu", {"title": "Bỏ"})
    editor.send("PATCH", "/categories/bo-cu", {"slug": "bo"})
    for number, title in enumerate(TITLES):
        editor.put(f"/categories/c{number}", {"title": title})
        article = {"title": title, "categories": ["giao-thong"]}
        editor.put(f"/articles/x{number}", article)
    editor.put("/articles/full", {**ARTICLE, "categories": ["am-nhac", "bo"]})
    event = {**EVENT, "recurrence": None, "event_status": "confirmed"}
    event = {name: value for name, value in event.items() if value is not None}
    editor.put("/events/moved", event)
    start = {"start": "2026-12-26T19:00:00+07:00", "end": "2026-12-26T21:30:00+07:00"}
    editor.put("/events/moved", {**event, **start, "event_status": "postponed"})
    day = {"title": "Ngày", "event_status": "postponed", "translation_key": "ngay"}
    editor.put("/events/day", {**day, "start": "2026-12-24"})
    editor.put("/events/day", {**day, "start": "2026-12-25"})
    editor.put("/events/series", EVENT | {"language": "vi"})
    editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    editor.put("/articles/never", {"title": "Nháp", "status": "draft"})
    editor.send("DELETE", "/articles/never")
    later = {"title": "Sau", "date_published": "2026-11-26T00:00:00.123456Z"}
    editor.put("/articles/later", later)
    gone = {"title": "Hết", "expires": "2026-11-25T04:00:00Z"}
    editor.put("/articles/expired", gone)
    # More tags than a posted entry may have, since they are closed.
    tags = {"title": "Thẻ", "content_html": "<p>x" * 9000}
    editor.put("/articles/tags", tags)
    withdrawn = {"title": "Sai", "status": "withdrawn", "notice": "Sai.", **start}
    editor.put("/events/withdrawn", withdrawn)
    for path in ("/articles/deleted", "/events/deleted-event"):
        editor.put(path, {"title": "Xoá", **(start if "events" in path else {})})
        editor.send("DELETE", path)
    clock.forward(hours=2)
    tick()
    editor.send("PATCH", "/categories/van-hoa", {"slug": "van-hoa-so"})
    editor.send("DELETE", "/categories/bo")
    run(editor.client.application, "import", "-", input=IMPORTED.format("Nhập"))
    clock.forward(seconds=1)


def editor_of(app: Flask) -> ApiClient:
    token = create_token(get_services(app).database, "other", SCOPES)
    return ApiClient(app.test_client(), token)


def changes(client: FlaskClient) -> list[dict[str, Any]]:
    """Return all changes without their cursors, which each database counts itself."""
    document = client.get("/api/v1/changes?limit=1000").get_json()
    return [{**change, "seq": 0} for change in document["changes"]]


@pytest.fixture
def copy(
    request: pytest.FixtureRequest,
    make_app: MakeApp,
    database_url: str,
    tmp_path: Path,
) -> Iterator[Flask]:
    """Return a service with an empty database of the other kind."""
    if database_url.startswith("postgresql"):
        yield make_app(database_url=f"sqlite:///{tmp_path}/copy.db")
    else:
        with request.getfixturevalue("cluster").database() as url:
            yield make_app(database_url=url)


@pytest.mark.both_databases
def test_move_to_another_database_keeps_everything(
    app: Flask, editor: ApiClient, clock: Clock, tick: Callable[[], None], copy: Flask
) -> None:
    fill(editor, clock, tick)
    exported = run(app, "export", "-")
    lines = exported.count("\n")
    # Twice, since a repeated import must change nothing.
    for _ in range(2):
        printed = run(copy, "import", "-", input=exported)
        assert printed == f"{lines} lines imported\n"
        assert run(copy, "export", "-") == exported
        revisions = get_services(copy).database.revisions
    run(copy, "import", "-", input=exported)
    assert get_services(copy).database.revisions == revisions

    client, other = app.test_client(), copy.test_client()
    for path in FEEDS:
        original, copied = client.get(path), other.get(path)
        assert original.status_code == 200, path
        assert copied.data == original.data, path
        assert copied.headers["ETag"] == original.headers["ETag"], path
    assert changes(other) == changes(client)
    for path, status in (
        ("/entries/deleted", 410),
        ("/entries/never", 404),
        ("/entries/expired", 410),
        ("/entries/withdrawn", 410),
        ("/entries/draft", 404),
        ("/feeds/news/bo.rss", 410),
        ("/feeds/news/van-hoa.rss", 301),
    ):
        assert client.get(path).status_code == status, path
        assert other.get(path).status_code == status, path

    other_editor = editor_of(copy)
    for path in ("/articles/draft", "/articles/expired", "/events/moved"):
        original = editor.send("GET", path).get_json()
        imported = other_editor.send("GET", path).get_json()
        original.pop("preview_url", None)
        imported.pop("preview_url", None)
        assert imported == original
    # Both go on alike: SEQUENCE, the guid of a deleted id, what is due.
    clock.forward(days=1)
    for each in (editor, other_editor):
        get_services(each.client.application).background.tick()
        restored = each.put(
            "/events/deleted-event", {"title": "Về", "start": "2027-01-01"}
        )
        assert restored.get_json()["version"] == 3
    assert "Sau" in client.get("/feeds/news.json").text
    for path in ("/feeds/events.json", "/feeds/news.json"):
        original, copied = client.get(path), other.get(path)
        assert (
            copied.get_json(force=True)["items"]
            == original.get_json(force=True)["items"]
        ), path
    assert "SEQUENCE:2" in other.get("/entries/deleted-event.ics").text
    printed = run(copy, "import", "-", input=IMPORTED.format("Nhập lại"))
    assert "1 changed" in printed, "an imported entry stays one"


def test_restore_replaces_older_versions_only(app: Flask, editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "Một"})
    editor.put("/articles/b", {"title": "Một"})
    editor.put("/articles/b", {"title": "Hai"})
    exported = run(app, "export", "-")
    editor.put("/articles/a", {"title": "Sau khi xuất"})
    older = exported.replace("Hai", "Ba").replace('"version":2', '"version":3')
    run(app, "import", "-", input=older)
    assert editor.send("GET", "/articles/a").get_json()["title"] == "Sau khi xuất"
    assert editor.send("GET", "/articles/b").get_json()["title"] == "Ba"


def test_import_leaves_existing_categories(app: Flask, editor: ApiClient) -> None:
    editor.put("/categories/x", {"title": "Cũ"})
    editor.put("/categories/y", {"title": "Y"})
    editor.send("DELETE", "/categories/y")
    exported = run(app, "export", "-")
    editor.put("/categories/x", {"title": "Mới"})
    editor.put("/categories/y", {"title": "Y"})
    editor.put("/articles/a", {"title": "Một", "categories": ["y"]})
    run(app, "import", "-", input=exported)
    entry = editor.send("GET", "/articles/a").get_json()
    assert entry["categories"] == ["y"]
    assert editor.send("GET", "/categories/x").get_json()["title"] == "Mới"


def test_import_that_hides_an_entry_is_a_deletion_for_followers(
    app: Flask, editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/a", {"title": "Một"})
    lines = run(app, "export", "-")
    state = json.loads(lines.splitlines()[-1])
    state["document"]["status"] = "draft"
    state |= {"version": 2, "was_public": False}
    cursor = client.get("/api/v1/changes").get_json()["next"]
    run(app, "import", "-", input=json.dumps(state))
    page = client.get(f"/api/v1/changes?after={cursor}").get_json()
    assert [change["action"] for change in page["changes"]] == ["delete"]


def test_entry_has_its_page_on_the_new_host(
    app: Flask, editor: ApiClient, make_app: MakeApp, tmp_path: Path
) -> None:
    editor.put("/articles/a", {"title": "Một"})
    url = f"sqlite:///{tmp_path}/other.db"
    copy = make_app(database_url=url, public_url=OTHER_HOST)
    run(copy, "import", "-", input=run(app, "export", "-"))
    entry = editor_of(copy).send("GET", "/articles/a").get_json()
    assert entry["url"] == f"{OTHER_HOST}/entries/a"


def test_bad_lines_are_named_and_skipped(app: Flask, editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "Một", "url": "https://portal.example/a"})
    first, *others = run(app, "export", "-").splitlines()
    good = json.loads(others[-1])
    entry = {**good, "id": "b", "guid": "b"}
    document = {**good["document"], "id": "b"}
    category = json.loads(first)
    lines = [
        first,
        "{",
        "[]",
        "5",
        '{"kind": "news"}',
        json.dumps({**good, "kind": "events"}),
        json.dumps({**good, "id": "c", "document": {**document, "id": "c"}}),
        json.dumps({**entry, "document": {**document, "url": "javascript:alert(1)"}}),
        json.dumps({**entry, "document": document, "guid": "\ud800"}),
        json.dumps({**entry, "document": document, "version": 2**63}),
        json.dumps({**entry, "document": document, "published": "2026-11-25T03:00:00"}),
        json.dumps({**entry, "document": document, "sequence": "q"}),
        json.dumps({**entry, "document": document, "updated": "9999-12-31T23:59:59Z"}),
        json.dumps({**entry, "document": {**document, "content_html": 5}}),
        json.dumps({**category, "former_slugs": None}),
        json.dumps({**category, "former_slugs": ["../<x>"]}),
        json.dumps({**entry, "document": {**document, "content_html": "<p onclick='x'>Thân</p>"}}),
    ]  # fmt: skip
    result = invoke(app, "import", "-", input="\n".join(lines))
    assert result.exit_code == 1
    assert result.stdout == "2 lines imported\n"
    skipped = [line.split(": ")[1] for line in result.stderr.splitlines()[:-1]]
    assert skipped == [f"line {number}" for number in range(2, 17)]
    assert "url: Not an absolute" in result.stderr
    assert "Error: 15 lines were skipped." in result.stderr
    stored = editor.send("GET", "/articles/b").get_json()
    assert stored["content_html"] == "<p>Thân</p>"


def test_import_refuses_longer_content_as_the_api_does(
    app: Flask, editor: ApiClient
) -> None:
    long = "chữ " * 60_000
    item = f"<item><guid>g</guid><title>Dài</title><description>{long}</description></item>"
    rss = f"<rss version='2.0'><channel><title>x</title>{item}</channel></rss>"
    done = invoke(app, "import", "-", input=rss)
    assert "skipped: “Dài”: content_html: Longer than 262,144 bytes" in done.stderr
    assert editor.send("GET", "/articles").get_json()["items"] == []


def test_export_overwrites_no_file(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "all.ndjson"
    file.write_text("mine")
    done = invoke(app, "export", str(file))
    assert done.exit_code == 1
    assert "exists" in done.stderr
    assert file.read_text() == "mine"
