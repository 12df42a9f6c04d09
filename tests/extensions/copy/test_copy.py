"""The command `db copy`, between SQLite and PostgreSQL."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from feedsvc.models import EPOCH
from feedsvc.services import get_services
from feedsvc.storage.tables import HubRow
from tests.commands import invoke, run
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.full_entries import ARTICLE, EVENT

TABLES = read_tables("commands")


def fill(app: Flask, editor: ApiClient) -> None:
    """Store something in every table."""
    for slug, parent in TABLES["parents"]:
        editor.put(f"/categories/{slug}", {"title": slug, "parent": parent})
    editor.send("PATCH", "/categories/cha", {"slug": "goc"})
    editor.put("/articles/a", ARTICLE | {"categories": ["van-hoa", "goc"]})
    editor.put("/events/series", EVENT)
    editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    editor.put("/articles/deleted", {"title": "Xoá"})
    editor.send("DELETE", "/articles/deleted")
    with get_services(app).database.write() as transaction:
        hub = HubRow(url="https://hub.example/", told=EPOCH, claimed_until=EPOCH)
        hub.waiting = ["https://feeds.example/feeds/news.rss"]
        transaction.session.add(hub)


def rows_of(app: Flask) -> dict[str, list[Any]]:
    """Return the rows of all tables as they are stored."""
    metadata = sa.MetaData()
    with get_services(app).database.engine.connect() as connection:
        metadata.reflect(connection)
        return {
            name: sorted(connection.execute(sa.select(table)).all(), key=str)
            for name, table in metadata.tables.items()
        }


def url_of(app: Flask) -> str:
    return get_services(app).config.database_url


def test_copy_to_the_other_kind_and_back_keeps_everything(
    app: Flask,
    editor: ApiClient,
    make_app: MakeApp,
    postgresql_url: str,
    tmp_path: Path,
) -> None:
    fill(app, editor)
    postgresql = make_app(database_url=postgresql_url)
    new = make_app(database_url=f"sqlite:///{tmp_path}/new.db", migrate=False)
    source = app
    for number, target in enumerate((postgresql, new)):
        path = "/api/v1/changes?after={}"
        cursor = editor.client.get(path.format(0)).get_json()["next"]
        editor.put(f"/articles/later-{number}", {"title": "Sau"})
        run(target, "db", "copy", url_of(source))
        rows = rows_of(source)
        assert all(rows.values()), "the test fills every table"
        assert rows_of(target) == rows

        # Tokens and followers go on, and new rows get new keys.
        editor = ApiClient(target.test_client(), editor.token)
        page = editor.client.get(path.format(cursor)).get_json()
        assert [each["id"] for each in page["changes"]] == [f"later-{number}"]
        name = f"new-{number}"
        editor.put(f"/categories/{name}", {"title": "Mới"})
        editor.put(f"/articles/{name}", {"title": "Mới", "categories": [name]})
        run(target, "token", "create", name)
        source = target


def test_backup_is_copied_and_stays_as_it_is(
    app: Flask, editor: ApiClient, make_app: MakeApp, tmp_path: Path
) -> None:
    backup = tmp_path / "backups/backup.db"
    backup.parent.mkdir()
    with closing(sqlite3.connect(tmp_path / "feedsvc.db")) as connection:
        connection.execute(f"VACUUM INTO '{backup}'")
    before = backup.read_bytes()
    url = f"sqlite:///{tmp_path}/copy.db"
    copy = make_app(database_url=url, migrate=False)
    run(copy, "db", "copy", f"sqlite:///{backup}")
    assert rows_of(copy) == rows_of(app)
    assert [path.read_bytes() for path in backup.parent.iterdir()] == [before]


def test_target_in_use_is_refused(
    app: Flask, editor: ApiClient, make_app: MakeApp, tmp_path: Path
) -> None:
    started = make_app(database_url=f"sqlite:///{tmp_path}/started.db")
    get_services(started).background.tick()
    for source, target, message in (
        (started, app, "is not empty: it has categories."),
        (app, started, "A service was started on the database"),
    ):
        before = rows_of(target)
        done = invoke(target, "db", "copy", url_of(source))
        assert done.exit_code == 1
        assert message in done.stderr
        assert rows_of(target) == before


@pytest.mark.parametrize(("statement", "schema"), TABLES["other_schemas"])
def test_source_must_have_the_same_schema(
    app: Flask, make_app: MakeApp, tmp_path: Path, statement: str, schema: str
) -> None:
    with get_services(app).database.begin_migration() as connection:
        connection.exec_driver_sql(statement)
    new = tmp_path / "new.db"
    target = make_app(database_url=f"sqlite:///{new}", migrate=False)
    done = invoke(target, "db", "copy", url_of(app))
    assert done.exit_code == 1
    assert re.fullmatch(
        f"Error: The database to copy must have schema 0.*; it has {schema}.\n",
        done.stderr,
    )
    assert not new.exists()


@pytest.mark.parametrize(("url", "status", "message"), TABLES["no_sources"])
def test_source_must_exist(
    app: Flask, tmp_path: Path, url: str, status: int, message: str
) -> None:
    done = invoke(app, "db", "copy", url.format(tmp_path))
    assert done.exit_code == status
    assert done.stderr.splitlines()[-1].startswith(f"Error: {message}")
    assert not (tmp_path / "none.db").exists()
