"""A database of every earlier revision, with what that revision could hold, upgraded."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as Migrations
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from feedsvc.cli.services import services_of
from feedsvc.store.database import Database
from feedsvc.store.moving import _go_on_counting
from feedsvc.store.tables import REVISION, metadata
from feedsvc.store.tokens import NOTE
from tests.clocks import Clock
from tests.conftest import Editor, MakeApp

SCRIPTS = ScriptDirectory("feedsvc/store/migrations")
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]
PATHS = [
    f"/feeds/{feed}"
    for feed in ("news.rss", "news.atom", "news.json", "news/giao-thong.rss", "events.rss", "events.ics")
] + ["/entries/a", "/entries/e", "/entries/gone", "/api/v1/articles", "/api/v1/events", "/api/v1/categories"]


def fill(editor: Editor, clock: Clock) -> None:
    """What the first revision could hold already."""
    for number in range(3):
        clock.forward(seconds=10)
        editor.put(f"/articles/{number}", {"title": f"Đường số {number}", "categories": ["giao-thong"]})
    editor.put(
        "/articles/a", {"title": "Ảnh", "image": "https://a.example/b.jpg", "content_html": "<p>Chữ</p>"}
    )
    editor.put("/articles/a", {"title": "Ảnh mới", "categories": ["van-hoa", "giao-thong"]})
    editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    editor.put("/articles/gone", {"title": "Đã xoá", "categories": ["giao-thong"]})
    assert editor.send("DELETE", "/articles/gone").status_code == 204
    place = {"name": "Nhà hát", "latitude": 21.024, "longitude": 105.857}
    editor.put("/events/e", {"title": "Hội", "start": "2027-01-02T19:00:00", "location": place})
    editor.put("/events/day", {"title": "Ngày", "start": "2027-01-03", "categories": ["van-hoa"]})
    clock.forward(minutes=5)


def answers(editor: Editor) -> dict[str, tuple[int, str]]:
    """What is answered, to the second: of a deletion revision 0005 knew when, but not to the microsecond."""
    found = {}
    for path in PATHS:
        answer = editor.client.get(path, headers=editor.headers)
        found[path] = answer.status_code, re.sub(r"(?<=:[0-9]{2})\.[0-9]{6}", "", answer.text)
    return found


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


def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    with database.read() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in metadata.sorted_tables
        }


def put_back(connection: sa.Connection, rows: dict[str, list[dict[str, Any]]]) -> None:
    """What was stored, as far as the tables and columns of an earlier revision can hold it."""
    found = sa.inspect(connection)
    for table in metadata.sorted_tables:
        if not found.has_table(table.name):
            continue
        known = {column["name"] for column in found.get_columns(table.name)}
        assert known <= {column.name for column in table.columns}, "columns are only ever added"
        columns = [column for column in table.columns if column.name in known]
        earlier = sa.table(table.name, *(sa.column(column.name, column.type) for column in columns))
        connection.execute(earlier.delete())
        kept = [{name: row[name] for name in known} for row in rows[table.name]]
        if kept:
            connection.execute(earlier.insert(), kept)
    _go_on_counting(connection)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_database_of_every_revision_is_upgraded_with_what_is_in_it(
    editor: Editor, clock: Clock, make_app: MakeApp, database_url: str, revision: str
) -> None:
    fill(editor, clock)
    before = answers(editor)
    assert {status for status, _ in before.values()} == {200, 410}
    for thread in threading.enumerate():
        if thread.name == NOTE:
            thread.join()
    database = services_of(editor.client.application).store._database
    rows = contents(database)
    database.close()
    with emptied(database_url) as earlier, earlier.write() as connection:
        migrations = Migrations()
        migrations.set_main_option("script_location", "feedsvc:store/migrations")
        migrations.attributes["connection"] = connection
        command.upgrade(migrations, revision)
        put_back(connection, rows)
    app = make_app()
    upgraded = Editor(app.test_client(), editor.token)
    assert answers(upgraded) == before
    upgraded.put("/articles/new", {"title": "Bài mới", "categories": ["van-hoa"]})
    assert "Bài mới" in upgraded.client.get("/feeds/news/van-hoa.rss").text
    with services_of(app).store._database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_last_revision_is_the_one_that_the_code_knows() -> None:
    assert REVISIONS[-1] == REVISION
