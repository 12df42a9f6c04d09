"""Backup and restore: what is copied, and what is refused with a sentence."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pysqlite3 import dbapi2 as sqlite
from werkzeug.test import TestResponse

from feedsvc.cli.commands import commands
from feedsvc.models import SCOPES, Entry, utcnow
from feedsvc.services import get_services
from feedsvc.storage import Storage
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import HANOI, Clock
from tests.server import Service

pytestmark = pytest.mark.both_databases

Run = Callable[..., Result]
"""Runs a command."""


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FEEDSVC_DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(
        commands, [str(argument) for argument in arguments]
    )


def told(result: Result) -> str:
    """The one sentence of a command that has failed."""
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    (line,) = result.output.splitlines()
    return line


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "a b?.db"


@pytest.fixture
def stored(storage: Storage, file: Path) -> Storage:
    file.parent.mkdir()
    with storage.writer("test") as writer:
        writer.entries.put(Entry("a", "news", "Một", "vi"))
    return storage


@pytest.mark.sqlite
def test_restored_backup_has_the_same_entries(
    stored: Storage,
    run: Run,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with stored.writer("test") as writer:  # which does not disturb it
        writer.entries.put(Entry("b", "news", "Hai", "vi"))
        assert run("backup", file).exit_code == 0
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    url = f"sqlite:///{tmp_path}/new/feedsvc.db"
    monkeypatch.setenv("FEEDSVC_DATABASE_URL", url)
    assert run("restore", file).exit_code == 0
    restored = Storage(url, utcnow, HANOI)
    assert restored.is_ready()
    with restored.reader() as reader:
        assert {
            line.id for line in reader.audit_log(id=None, token=None, since=None)
        } == {"a"}
    restored.close()
    assert "is there already" in told(run("restore", file))


@pytest.mark.sqlite
def test_restore_changes_last_modified(
    make_app: MakeApp,
    clock: Clock,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Last-Modified does not go back to what it was when the backup was made."""
    paths = (
        "/feeds/news.rss",
        "/feeds/news/a.atom",
        "/feeds/news.json?archive=2026-01",
        "/entries/x",
        "/",
    )
    clock.now = utcnow() - timedelta(days=1)
    app = make_app()
    editor = ApiClient(
        app.test_client(), get_services(app).storage.tokens.create("editor", SCOPES)
    )
    editor.put("/categories/a", {"title": "A"})
    document = {"categories": ["a"], "date_published": "2026-01-02T08:00:00"}
    editor.put("/articles/x", {**document, "title": "Còn"})
    assert run("backup", tmp_path / "copy.db").exit_code == 0
    clock.forward(minutes=1)
    editor.put("/articles/x", {**document, "title": "Mất"})
    clock.forward(minutes=1)
    seen = {path: editor.client.get(path) for path in paths}
    url = f"sqlite:///{tmp_path}/new/feedsvc.db"
    monkeypatch.setenv("FEEDSVC_DATABASE_URL", url)
    assert run("restore", tmp_path / "copy.db").exit_code == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["feedsvc.db"]
    clock.now = utcnow()
    restored = make_app(database_url=url).test_client()
    for path, lost in seen.items():
        answer = restored.get(
            path, headers={"If-Modified-Since": lost.headers["Last-Modified"]}
        )
        assert answer.status_code == 200, path
        assert "Mất" not in answer.text


@pytest.mark.sqlite
def test_refused_backups_and_restores(
    stored: Storage, run: Run, file: Path, database_url: str
) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    assert run("backup", file).exit_code == 0
    before = file.read_bytes()
    assert "is there already" in told(run("backup", file))
    assert file.read_bytes() == before
    assert "cannot be copied" in told(run("backup", file.with_name("nowhere") / "a"))
    stored.close()
    path.unlink(missing_ok=True)
    Path(f"{path}-wal").touch()
    assert "belongs to another database" in told(run("restore", file))
    for rest in path.parent.glob("feedsvc.db-*"):
        rest.unlink()
    assert "There is no database" in told(run("backup", file.with_name("other"))), (
        "none is made to be copied"
    )
    damaged = bytearray(before)
    damaged[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    file.write_bytes(damaged)
    told(run("restore", file))
    file.write_bytes(before)
    with sqlite.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "has schema 9999" in told(run("restore", file))
    assert not path.exists()
    assert [found.name for found in file.parent.iterdir()] == [file.name], (
        "nothing unfinished is left"
    )


@pytest.mark.postgresql
def test_backup_refuses_postgresql(storage: Storage, run: Run, file: Path) -> None:
    assert "pg_dump" in told(run("backup", file))
    assert "pg_dump" in told(run("restore", file))


@pytest.mark.sqlite
def test_lost_version_does_not_match_after_a_restore(
    make_app: MakeApp, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(editor: ApiClient, title: str, etag: str = "") -> TestResponse:
        headers = {"If-Match": etag} if etag else {}
        return editor.send("PUT", "/articles/a", {"title": title}, headers=headers)

    app = make_app()
    editor = ApiClient(
        app.test_client(), get_services(app).storage.tokens.create("editor", SCOPES)
    )
    put(editor, "Một")
    assert run("backup", tmp_path / "backup.db").exit_code == 0
    lost = put(editor, "Hai").headers["ETag"]
    url = f"sqlite:///{tmp_path}/new.db"
    monkeypatch.setenv("FEEDSVC_DATABASE_URL", url)
    assert run("restore", tmp_path / "backup.db").exit_code == 0
    editor.client = make_app(database_url=url).test_client()
    current = put(editor, "Ba")
    assert current.status_code == 200
    assert put(editor, "Bốn", lost).status_code == 412
    assert put(editor, "Bốn", current.headers["ETag"]).status_code == 200


@pytest.mark.sqlite
def test_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask: they hold drafts, hashes of tokens and secrets of subscriptions."""
    made = tmp_path / "var" / "feedsvc.db"
    service = Service(f"sqlite:///{made}")
    service.within = ("sh", "-c", 'umask 000; exec "$@"', "sh")
    service.make_token(*SCOPES)
    service.start()
    try:
        assert (
            service.request("PUT", "/api/v1/articles/a", {"title": "Một"}).status_code
            == 201
        )
        service.command("backup", str(tmp_path / "backup.db"))
        service.command("export", str(tmp_path / "export.ndjson"))
        service.command("export", "--redirects", str(tmp_path / "redirects.map"))
        names = sorted(path.name for path in made.parent.iterdir())
        assert names == ["feedsvc.db", "feedsvc.db-shm", "feedsvc.db-wal"]
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) == 6
        assert {
            path.name: stat.filemode(path.stat().st_mode) for path in files
        } == dict.fromkeys((path.name for path in files), "-rw-------")
    finally:
        service.stop()
    service.environ["FEEDSVC_DATABASE_URL"] = f"sqlite:///{tmp_path}/restored.db"
    service.command("restore", str(tmp_path / "backup.db"))
    assert stat.filemode((tmp_path / "restored.db").stat().st_mode) == "-rw-------"
