"""The same bytes from SQLite and from PostgreSQL: by the same writes, and by an export into the other one."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from itertools import chain

import pytest

from config import Config
from feedsvc.app import create_app
from feedsvc.cli import samples
from feedsvc.errors import BadRequest, Conflict
from feedsvc.feed_query import FORMATS
from feedsvc.models import SCOPES, utcnow
from feedsvc.services import get_services
from feedsvc.storage import Storage
from feedsvc.storage.dump import DUMPED_TABLES
from tests.conftest import ApiClient
from tests.fake_clock import HANOI, Clock

pytestmark = pytest.mark.both_databases

TITLES = (
    "Đà Nẵng",
    "đà nẵng",
    "Ánh sáng",
    "anh",
    "Zoe",
    "ä",
    "Ông",
    "ong",
    "𝔄",
    "\ufb01",
)

Responses = dict[str, tuple[int, bytes, dict[str, str]]]


def opened(config: Config, clock: Clock, token: str) -> ApiClient:
    """An editor of an app of its own."""
    app = create_app(config, clock)
    return ApiClient(
        app.test_client(), get_services(app).storage.tokens.create(token, SCOPES)
    )


def fill(editor: ApiClient, clock: Clock) -> None:
    """Some writes that touch everything."""
    assert samples.load_sample_data(get_services(editor.client.application))
    clock.forward(seconds=1)
    for slug in ("one", "two", "wide", "gone"):
        editor.put(f"/categories/{slug}", {"title": slug.title()})
    editor.put("/categories/two", {"title": "Đổi tên", "parent": "wide"})
    for number, title in enumerate(
        TITLES
    ):  # all of one moment, so that guids order them
        editor.put(f"/articles/x{number}", {"title": title, "categories": ["one"]})
    clock.forward(milliseconds=1234.567)
    editor.put(
        "/articles/x3", {"title": TITLES[3], "categories": ["two", "one", "gone"]}
    )
    assert editor.send("DELETE", "/articles/x4").status_code == 204
    assert editor.send("DELETE", "/categories/gone").status_code == 204
    assert editor.send("PATCH", "/categories/two", {"slug": "deux"}).status_code == 200
    editor.put("/articles/x5", {"title": "Gỡ", "status": "withdrawn", "notice": "Sai."})
    editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    editor.put(
        "/articles/later", {"title": "Sau", "date_published": "2031-01-01T00:00:00Z"}
    )
    editor.put(
        "/articles/old", {"title": "Cũ", "date_published": "2020-03-01T00:00:00Z"}
    )
    editor.put(
        "/events/e",
        {
            "title": "Hội",
            "start": "2026-12-01",
            "end": "2026-12-03",
            "categories": ["deux"],
        },
    )
    place = {"name": "Nhà hát", "latitude": 21.024, "longitude": 105.857}
    weekly = {"rrule": "FREQ=WEEKLY;COUNT=9", "exdates": ["2026-12-09T19:00:00"]}
    editor.put(
        "/events/s",
        {
            "title": "Hằng tuần",
            "start": "2026-12-02T19:00:00",
            "location": place,
            "recurrence": weekly,
        },
    )
    clock.forward(hours=1)


def responses(editor: ApiClient) -> Responses:
    """Return the responses of many URLs."""
    selectors = (
        "",
        "/one",
        "/deux",
        "/wide",
        "/gone",
        "/deux,one",
        "/deux+one",
        "/one,-deux",
        "/-one",
    )
    stems = [
        f"/feeds/{kind}{selector}"
        for kind in ("news", "events")
        for selector in selectors
    ]
    paths = [
        f"{stem}.{name}"
        for stem in stems
        for name, form in FORMATS.items()
        if stem.split("/")[2] in form.kinds
    ]
    months = ("2020-03", "2026-10", "2026-11")
    archived = ("/feeds/news", "/feeds/news/one", "/feeds/events")
    paths += [
        f"{path}?archive={month}"
        for path in paths
        for month in months
        if ".ics" not in path and path.split(".")[0] in archived
    ]
    paths += [f"/feeds/events.{form}?when=all&order=start" for form in ("json", "ics")]
    paths += ["/feeds/news/two.rss", "/feeds.opml", "/", "/entries/e.ics"]
    paths += [f"/entries/{id}" for id in ("x3", "x4", "x5", "draft", "e", "s")]
    paths += [
        "/api/v1/articles",
        "/api/v1/events",
        "/api/v1/categories",
        "/api/v1/changes",
    ]
    responses_by_path: Responses = {}
    for path in paths:
        response = editor.client.get(path, headers=editor.headers)
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("Date", "X-Request-ID")
        }
        responses_by_path[path] = response.status_code, response.data, headers
    return responses_by_path


def close(*editors: ApiClient) -> None:
    for editor in editors:
        get_services(editor.client.application).storage.close()


@pytest.mark.sqlite  # for its settings; it opens both
def test_both_databases_give_the_same_bytes(
    config: Config,
    sqlite_url: str,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    for url in (sqlite_url, postgresql_url):
        chance, clock = random.Random(7), Clock()
        monkeypatch.setattr(
            uuid,
            "uuid4",
            lambda chance=chance: uuid.UUID(int=chance.getrandbits(128), version=4),
        )
        editor = opened(replace(config, database_url=url), clock, "editor")
        fill(editor, clock)
        made.append(responses(editor))
        close(editor)
    on_sqlite, on_postgresql = made
    assert on_sqlite == on_postgresql
    assert on_sqlite["/feeds/news.rss"][2]["ETag"]
    assert {status for status, _, _ in on_sqlite.values()} == {200, 301, 404, 410}


@pytest.mark.sqlite  # likewise
@pytest.mark.parametrize(
    "direction", [1, -1], ids=["sqlite-postgresql", "postgresql-sqlite"]
)
def test_import_into_the_other_database_gives_the_same_bytes(
    config: Config, sqlite_url: str, postgresql_url: str, direction: int
) -> None:
    clock = Clock()
    first, second = (
        opened(replace(config, database_url=url), clock, name)
        for url, name in list(
            zip((sqlite_url, postgresql_url), ("before", "after"), strict=True)
        )[::direction]
    )
    fill(first, clock)
    source, target = (
        get_services(editor.client.application).storage for editor in (first, second)
    )
    lines = list(source.dump())
    assert not any(
        secret in line for line in lines for secret in ("fsv_", '"tokens"', '"hash"')
    )
    count = target.load_dump(line.encode() for line in lines)
    assert count == len(lines) - 2
    assert list(target.dump()) == lines
    assert responses(second) == responses(first)
    for editor in (first, second):  # numbers go on after those that came along
        assert (
            editor.send(
                "POST", "/articles", {"title": "Mới", "categories": ["one"]}
            ).status_code
            == 201
        )
        assert (
            editor.send("PUT", "/categories/new", {"title": "Mới"}).status_code == 201
        )
    with pytest.raises(Conflict):
        target.load_dump(line.encode() for line in lines)
    close(first, second)


def test_incomplete_export_imports_nothing(
    storage: Storage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = Storage(
        f"sqlite:///{tmp_path_factory.mktemp('source')}/a.db", utcnow, HANOI
    )
    source.upgrade()
    lines = [line.encode() for line in source.dump()]
    for broken in (
        lines[:-1],
        lines[1:],
        [*lines[:-2], lines[-1]],
        [*lines[:1], b'{"tokens":{"id":1}}\n', *lines[1:]],
        [*lines[:1], b"{}\n", *lines[1:]],
        [b'{"feedsvc":"9999"}\n', *lines[1:]],
    ):
        with pytest.raises(BadRequest):
            storage.load_dump(broken)
    assert storage.load_dump(chain(lines)) == len(lines) - 2
    source.close()


def test_export_has_all_tables_but_tokens_and_hubs() -> None:
    expected = (
        "archive_parts categories category_slug_history change_sequence changes "
        "entries entry_categories feed_versions languages sanitizer tombstones"
    )
    # A new table is exported, or has a reason not to be.
    assert sorted(table.name for table in DUMPED_TABLES) == expected.split()
