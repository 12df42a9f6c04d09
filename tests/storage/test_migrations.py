"""An upgrade keeps what is stored, and the schema is the one that the code knows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from feedsvc.services import get_services
from feedsvc.storage.database import Database
from feedsvc.storage.migrations.runner import revision
from feedsvc.storage.tables import REVISION
from feedsvc.storage.tokens import LAST_USED_THREAD
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.next_version import NEXT_REVISION, make_next_version

pytestmark = pytest.mark.both_databases

SCRIPTS = ScriptDirectory("feedsvc/storage/migrations")
PATHS = [
    f"/feeds/{feed}"
    for feed in (
        "news.rss",
        "news.atom",
        "news.json",
        "news/giao-thong.rss",
        "events.rss",
        "events.ics",
    )
] + [
    "/entries/a",
    "/entries/e",
    "/entries/gone",
    "/api/v1/articles",
    "/api/v1/events",
    "/api/v1/categories",
]


def fill(editor: ApiClient, clock: Clock) -> None:
    """Store entries of every state."""
    for number in range(3):
        clock.forward(seconds=10)
        editor.put(
            f"/articles/{number}",
            {"title": f"Đường số {number}", "categories": ["giao-thong"]},
        )
    editor.put(
        "/articles/a",
        {
            "title": "Ảnh",
            "image": "https://a.example/b.jpg",
            "content_html": "<p>Chữ</p>",
        },
    )
    editor.put(
        "/articles/a", {"title": "Ảnh mới", "categories": ["van-hoa", "giao-thong"]}
    )
    editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    editor.put("/articles/gone", {"title": "Đã xóa", "categories": ["giao-thong"]})
    assert editor.send("DELETE", "/articles/gone").status_code == 204
    place = {"name": "Nhà hát", "latitude": 21.024, "longitude": 105.857}
    editor.put(
        "/events/e", {"title": "Hội", "start": "2027-01-02T19:00:00", "location": place}
    )
    editor.put(
        "/events/day",
        {"title": "Ngày", "start": "2027-01-03", "categories": ["van-hoa"]},
    )
    clock.forward(minutes=5)


def responses(editor: ApiClient) -> dict[str, tuple[int, str]]:
    """Return the status and the body of every path."""
    answers = {path: editor.client.get(path, headers=editor.headers) for path in PATHS}
    return {path: (answer.status_code, answer.text) for path, answer in answers.items()}


@contextmanager
def emptied(url: str) -> Iterator[Database]:
    """A database without any table."""
    Path(url.removeprefix("sqlite:///")).unlink(missing_ok=True)
    database = Database(url)
    if url.startswith("postgresql"):
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    yield database
    database.close()


def schema_revision(url: str) -> str:
    """Return the revision of a database's schema."""
    database = Database(url)
    with database.read() as connection:
        current = revision(connection)
    database.close()
    return current


def test_upgrade_keeps_what_is_stored(
    editor: ApiClient,
    clock: Clock,
    make_app: MakeApp,
    database_url: str,
    tmp_path: Path,
) -> None:
    fill(editor, clock)
    before = responses(editor)
    assert {status for status, _ in before.values()} == {200, 410}
    for thread in threading.enumerate():
        if thread.name == LAST_USED_THREAD:
            thread.join()
    get_services(editor.client.application).storage.close()
    subprocess.run(
        [sys.executable, "-m", "feedsvc", "db", "upgrade"],
        cwd=make_next_version(tmp_path / "next"),
        env={**os.environ, "FEEDSVC_DATABASE_URL": database_url},
        check=True,
    )
    assert schema_revision(database_url) == NEXT_REVISION
    # A worker that this version replaces goes on serving the upgraded database.
    app = make_app(migrate=False)
    get_services(app).storage.upgrade(or_newer=True)
    upgraded = ApiClient(app.test_client(), editor.token)
    assert responses(upgraded) == before
    upgraded.put("/articles/new", {"title": "Bài mới", "categories": ["van-hoa"]})
    assert "Bài mới" in upgraded.client.get("/feeds/news/van-hoa.rss").text


def test_newest_migration_is_the_revision_that_the_code_knows() -> None:
    assert SCRIPTS.get_current_head() == REVISION
