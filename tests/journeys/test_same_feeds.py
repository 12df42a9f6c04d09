"""The same writes make the same feeds on SQLite and on PostgreSQL, byte for byte."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace

import pytest

from config import Config
from feedsvc import create_app
from feedsvc.cli import samples
from feedsvc.cli.commands import services_of
from feedsvc.model import SCOPES
from feedsvc.render import FORMATS
from tests.clocks import Clock
from tests.conftest import Editor

TITLES = ("Đà Nẵng", "đà nẵng", "Ánh sáng", "anh", "Zoe", "ä", "Ông", "ong", "𝔄", "\ufb01")


def answers(config: Config) -> dict[str, tuple[int, bytes, dict[str, str]]]:
    """What is answered after some writes that touch everything."""
    clock = Clock()
    app = create_app(config, clock)
    services = services_of(app)
    editor = Editor(app.test_client(), services.store.tokens.create("editor", SCOPES))
    assert samples.load(services.store, services.schemas)
    clock.forward(seconds=1)
    with services.store.read() as reader:
        category, other = (found.slug for found in reader.categories()[:2])
    editor.put(f"/categories/{other}", {"title": "Đổi tên"})
    for number, title in enumerate(TITLES):  # all of one moment, so that guids order them
        editor.put(f"/articles/x{number}", {"title": title, "categories": [category]})
    clock.forward(milliseconds=1234.567)
    editor.put("/articles/x3", {"title": TITLES[3], "categories": [other, category]})
    assert editor.send("DELETE", "/articles/x4").status_code == 204
    editor.put(
        "/events/e", {"title": "Hội", "start": "2026-12-01", "end": "2026-12-03", "categories": [other]}
    )
    clock.forward(hours=1)
    found: dict[str, tuple[int, bytes, dict[str, str]]] = {}
    stems = [
        f"/feeds/{kind}{place}" for kind in ("news", "events") for place in ("", f"/{category}", f"/{other}")
    ]
    selectors = (f"/{category},{other}", f"/{category}+{other}", f"/{category},-{other}", f"/-{category}")
    stems += [f"/feeds/{kind}{selector}" for kind in ("news", "events") for selector in selectors]
    paths = [
        f"{stem}.{name}"
        for stem in stems
        for name, form in FORMATS.items()
        if stem.split("/")[2] in form.kinds
    ]
    paths += [f"{path}?archive=2026-{month}" for path in paths for month in (10, 11) if ".ics" not in path]
    paths += [f"/feeds/events.{form}?when=all&order=start" for form in ("json", "ics")]
    for path in (
        *paths,
        "/",
        "/feeds.opml",
        "/entries/e.ics",
        "/entries/x3",
        "/entries/x4",
        "/entries/e",
        "/api/v1/articles",
        "/api/v1/events",
    ):
        answer = editor.client.get(path, headers=editor.headers)
        headers = {
            name: value for name, value in answer.headers.items() if name not in ("Date", "X-Request-ID")
        }
        found[path] = answer.status_code, answer.data, headers
    services.store._database.close()
    return found


@pytest.mark.sqlite  # for its settings; it opens both
def test_both_databases_make_the_same_bytes(
    config: Config, sqlite_url: str, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for url in (sqlite_url, postgresql_url):
        chance = random.Random(7)
        monkeypatch.setattr(
            uuid, "uuid4", lambda chance=chance: uuid.UUID(int=chance.getrandbits(128), version=4)
        )
        made.append(answers(replace(config, database_url=url)))
    on_sqlite, on_postgresql = made
    assert on_sqlite == on_postgresql
    assert on_sqlite["/feeds/news.rss"][2]["ETag"]
    assert {status for status, _, _ in on_sqlite.values()} == {200, 410}
