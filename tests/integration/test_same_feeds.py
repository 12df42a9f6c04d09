"""SQLite and PostgreSQL give the same bytes: after equal writes, and after an import."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from config import Config
from feedsvc.app import create_app
from feedsvc.cli import samples
from feedsvc.feeds.query import FORMATS
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.tokens import create_token
from tests.conftest import ApiClient
from tests.fake_clock import Clock

TITLES = ("Đà Nẵng", "đà nẵng", "Ánh sáng", "anh", "Zoe", "ä", "Ông", "ong", "𝔄", "ﬁ")
SELECTORS = ("", "/one", "/deux", "/wide", "/gone", "/two", "/deux+one", "/one,-deux")
ENTRIES = ("x3", "x4", "x5", "draft", "e", "s")


@pytest.fixture
def editors(
    config: Config, clock: Clock, sqlite_url: str, postgresql_url: str
) -> Iterator[list[ApiClient]]:
    """Return an editor of an app on each database."""
    apps = [
        create_app(replace(config, database_url=url, secret_key="a"), clock)
        for url in (sqlite_url, postgresql_url)
    ]
    yield [
        ApiClient(
            app.test_client(), create_token(get_services(app).database, "all", SCOPES)
        )
        for app in apps
    ]
    for app in apps:
        get_services(app).database.close()


def fill(editor: ApiClient, clock: Clock) -> None:
    """Write something of every kind."""
    assert samples.load_sample_data(get_services(editor.client.application))
    clock.forward(seconds=1)
    for slug in ("one", "two", "wide", "gone"):
        editor.put(f"/categories/{slug}", {"title": slug.title()})
    editor.put("/categories/two", {"title": "Đổi tên", "parent": "wide"})
    # All of one moment, so that guids order them.
    for number, title in enumerate(TITLES):
        editor.put(f"/articles/x{number}", {"title": title, "categories": ["one"]})
    clock.forward(milliseconds=1234.567)
    moved = {"title": TITLES[3], "categories": ["two", "one", "gone"]}
    editor.put("/articles/x3", moved)
    assert editor.send("DELETE", "/articles/x4").status_code == 204
    assert editor.send("DELETE", "/categories/gone").status_code == 204
    assert editor.send("PATCH", "/categories/two", {"slug": "deux"}).status_code == 200
    editor.put("/articles/x5", {"title": "Gỡ", "status": "withdrawn", "notice": "Sai."})
    editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    later = {"title": "Sau", "date_published": "2031-01-01T00:00:00Z"}
    editor.put("/articles/later", later)
    fair = {"title": "Hội", "start": "2026-12-01", "categories": ["deux"]}
    editor.put("/events/e", fair)
    series = {
        "title": "Hằng tuần",
        "start": "2026-12-02T19:00:00",
        "location": {"name": "Nhà hát", "latitude": 21.024, "longitude": 105.857},
        "recurrence": {"rrule": "FREQ=WEEKLY;COUNT=9"},
    }
    editor.put("/events/s", series)
    clock.forward(hours=1)


def responses(editor: ApiClient) -> dict[str, tuple[int, bytes, str | None]]:
    """Return status, body and ETag of many URLs."""
    paths = [
        f"/feeds/{kind}{selector}.{name}"
        for kind in ("news", "events")
        for selector in SELECTORS
        for name, form in FORMATS.items()
        if kind in form.kinds
    ]
    paths += ["/feeds/news.json?q=anh+sang", "/feeds/news.json?limit=3&page=2"]
    paths += ["/feeds/events.json?when=all&order=start", "/feeds.opml", "/"]
    paths += [f"/entries/{id}" for id in ENTRIES]
    paths += ["/api/v1/articles", "/api/v1/events", "/api/v1/categories"]
    paths += ["/entries/e.ics"]
    by_path = {}
    for path in paths:
        response = editor.client.get(path, headers=editor.headers)
        etag = response.headers.get("ETag")
        by_path[path] = response.status_code, response.data, etag
    return by_path


def test_both_databases_give_the_same_bytes(
    editors: list[ApiClient], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now
    answers = []
    for editor in editors:
        chance = random.Random(7)
        clock.now = start
        monkeypatch.setattr(
            uuid,
            "uuid4",
            lambda chance=chance: uuid.UUID(int=chance.getrandbits(128), version=4),
        )
        fill(editor, clock)
        changes = editor.client.get("/api/v1/changes?limit=1000").data
        answers.append({**responses(editor), "changes": (200, changes, None)})
    on_sqlite, on_postgresql = answers
    assert on_sqlite == on_postgresql
    assert {status for status, _, _ in on_sqlite.values()} == {200, 301, 404, 410}


@pytest.mark.parametrize("source", [0, 1], ids=["from-sqlite", "from-postgresql"])
def test_import_of_an_export_gives_the_same_bytes(
    editors: list[ApiClient], clock: Clock, source: int
) -> None:
    old = editors[source]
    new = editors[1 - source]
    fill(old, clock)
    exported = old.client.application.test_cli_runner().invoke(args=["export", "-"])
    runner = new.client.application.test_cli_runner()
    done = runner.invoke(args=["import", "-"], input=exported.stdout_bytes)
    assert done.exit_code == 0, done.output
    assert "fsv_" not in exported.stdout
    assert runner.invoke(args=["export", "-"]).stdout == exported.stdout
    before = responses(old)
    after = responses(new)
    for path in before:
        # Lists of the API are in the order of the import; OPML has the time of it.
        if not path.startswith(("/api/v1/", "/feeds.opml")):
            assert after[path] == before[path], path
    assert new.send("PUT", "/articles/x4", {"title": "Lại"}).status_code == 201
    assert new.send("POST", "/articles", {"id": "x5", "title": "B"}).status_code == 409
