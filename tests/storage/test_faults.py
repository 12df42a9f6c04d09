"""Faults of SQLite's file: removed, replaced, damaged, read-only, newer."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pysqlite3 import dbapi2 as sqlite
from werkzeug.test import TestResponse

from feedsvc.errors import Unavailable
from feedsvc.models import Entry, utcnow
from feedsvc.storage import Storage
from feedsvc.storage.tables import REVISION
from tests.conftest import ApiClient
from tests.fake_clock import HANOI
from tests.fork_server import run_module
from tests.server import ROOT

pytestmark = pytest.mark.sqlite

ARTICLE = {"title": "Một", "content_text": "Nội dung"}


@pytest.fixture
def file(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


def refused(answer: TestResponse) -> bool:
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("replaced", [False, True])
def test_missing_database_file_returns_503(
    editor: ApiClient, client: FlaskClient, storage: Storage, file: Path, replaced: bool
) -> None:
    editor.put("/articles/a", ARTICLE)
    away = file.rename(file.with_name("away.db"))
    if replaced:
        shutil.copy(away, file)
    before = file.exists()
    for _ in range(3):
        assert refused(editor.send("PUT", "/articles/b", ARTICLE))
        assert refused(client.get("/readyz"))
    storage.close()  # so that the next one needs a new connection
    assert refused(editor.send("PUT", "/articles/b", ARTICLE))
    assert client.get("/healthz").status_code == 200
    assert file.exists() == before, "no empty database is created in its place"
    away.rename(file)
    assert client.get("/readyz").status_code == 200
    assert client.get("/entries/b").status_code == 404
    assert editor.put("/articles/b", ARTICLE).status_code == 201


def test_file_removed_during_a_write_is_an_error(storage: Storage, file: Path) -> None:
    def put() -> None:
        with storage.writer("test") as writer:
            writer.entries.put(Entry("a", "news", "Một", "vi"))
            file.unlink()

    with pytest.raises(Unavailable):
        put()


def test_start_beside_an_orphaned_log_creates_no_database(
    storage: Storage, file: Path
) -> None:
    with storage.reader() as reader:
        reader.categories.all()
    file.unlink()
    with pytest.raises(Unavailable):
        Storage(f"sqlite:///{file}", utcnow, HANOI).upgrade()
    assert not file.exists()


def test_damaged_page_returns_503_with_the_cause(
    editor: ApiClient, client: FlaskClient, storage: Storage, file: Path
) -> None:
    with storage.writer("test") as writer:
        for number in range(200):
            text = "Nội dung " * 100
            writer.entries.put(
                Entry(f"{number}", "news", "Một", "vi", content_text=text)
            )
    storage.close()  # the last connection empties the log into the file
    with closing(sqlite.connect(file)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'entries'"
        ).fetchone()
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\xff" * size)
    answers = [
        client.get("/feeds/news.rss"),
        editor.send("PUT", "/articles/a", ARTICLE),
    ]
    for answer in answers:
        assert refused(answer)
        assert "damaged" in answer.get_json()["detail"]


def test_read_only_database_serves_reads(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    editor.put("/articles/a", ARTICLE)
    with storage.database.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    assert refused(editor.send("PUT", "/articles/b", ARTICLE))
    assert client.get("/feeds/news.rss").status_code == 200


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["gunicorn", "-c", "python:feedsvc.server.gunicorn_conf", "wsgi:app"], 4),
        (["feedsvc", "db", "upgrade"], 1),
    ],
)
def test_newer_schema_prevents_the_start(
    storage: Storage, file: Path, command: list[str], status: int
) -> None:
    with storage.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    environ = {
        **os.environ,
        "FEEDSVC_DATABASE_URL": f"sqlite:///{file}",
        "PORT": "0",
        "WEB_CONCURRENCY": "1",
    }
    environ |= {"GUNICORN_CMD_ARGS": "--bind=127.0.0.1:0", "PORT": "8000"}
    done = run_module(command, ROOT, environ)
    assert done.returncode == status
    sentence = f"Error: The database is too new: it has schema 9999, but this version knows {REVISION} at most.\n"
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
