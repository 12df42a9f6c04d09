"""Backup and restore: what is copied, and what is refused with a sentence."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pysqlite3 import dbapi2 as sqlite
from werkzeug.test import TestResponse

from feedsvc.cli.commands import commands
from feedsvc.errors import Gone
from feedsvc.models import SCOPES, Entry, utcnow
from feedsvc.services import get_services
from feedsvc.storage import Storage
from feedsvc.storage.backup import backup, restore
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import HANOI, Clock
from tests.postgres import Cluster
from tests.server import ROOT, Service

pytestmark = pytest.mark.both_databases

OPERATING = (ROOT / "docs/operating.md").read_text("utf-8")
RESTORE_COMMANDS = re.findall(
    r"^(?: {4}|.*`)((?:pg_restore|psql) [^`\n]+)", OPERATING, re.MULTILINE
)
"""The commands with which a dump of PostgreSQL is restored."""

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
def test_backup_leaves_no_file_open(stored: Storage, run: Run, file: Path) -> None:
    assert run("backup", file).exit_code == 0
    links = Path("/proc/self/fd").iterdir()
    names = [os.path.realpath(link) for link in links]
    assert [name for name in names if name.startswith(str(file.parent))] == []


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
        } == {"a", "backup"}
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
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").touch()
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


def put(storage: Storage, *ids: str) -> None:
    with storage.writer("test") as writer:
        for id in ids:
            writer.entries.put(Entry(id, "news", id, "vi"))


def follow(storage: Storage, after: int) -> tuple[set[str], int]:
    """Return the ids of the changes after a sequence number, and the next number."""
    with storage.reader() as reader:
        page = reader.list_changes(after=after, limit=1000)
        return {change.entry.id for change in page}, page.next_after


Lose = Callable[[Storage, Callable[[], object]], Storage]
"""Lose a write to a storage by a restore; return the restored storage."""


@pytest.fixture
def lose(database_url: str, request: pytest.FixtureRequest) -> Iterator[Lose]:
    """Return a function that restores a database as docs/operating.md says."""
    with ExitStack() as stack:

        def opened(url: str) -> Storage:
            return stack.enter_context(closing(Storage(url, utcnow, HANOI)))

        def lose_sqlite(storage: Storage, write: Callable[[], object]) -> Storage:
            number = next(numbers)
            file = directory / f"{number}.backup"
            backup(str(storage.database.engine.url), file)
            write()
            url = f"sqlite:///{directory}/{number}.db"
            restore(url, file)
            return opened(url)

        def lose_postgresql(storage: Storage, write: Callable[[], object]) -> Storage:
            folder = directory / str(next(numbers))
            folder.mkdir()
            engine_url = storage.database.engine.url
            old_url = engine_url.render_as_string(hide_password=False)
            _run_tools(cluster, old_url, f"deploy/backup.sh {folder}")
            write()
            url = stack.enter_context(cluster.database("template0"))
            (file,) = folder.iterdir()
            commands = "\n".join(RESTORE_COMMANDS).replace(" FILE", f" {file}")
            _run_tools(cluster, url, commands)
            return opened(url)

        numbers = count()
        directory: Path = request.getfixturevalue("tmp_path")
        if database_url.startswith("sqlite"):
            yield lose_sqlite
            return
        cluster: Cluster = request.getfixturevalue("cluster")
        for program in ("pg_dump", "pg_restore", "psql"):
            if not (cluster.binaries / program).exists():
                pytest.skip(f"this PostgreSQL has no {program}")
        yield lose_postgresql


def _run_tools(cluster: Cluster, url: str, commands: str) -> None:
    """Run commands with the programs of a server's version."""
    environ = {
        "PATH": f"{cluster.binaries}:{os.environ['PATH']}",
        "FEEDSVC_DATABASE_URL": url,
        "URL": url.replace("+psycopg", ""),
    }
    done = subprocess.run(
        ["sh", "-ec", commands],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_follower_that_saw_lost_changes_gets_410_after_a_restore(
    storage: Storage, lose: Lose
) -> None:
    put(storage, "a")
    _, backed_up = follow(storage, 0)
    restored = lose(storage, lambda: put(storage, "lost-1", "lost-2"))
    lost = follow(storage, 0)[1]
    assert lost == backed_up + 2
    # More changes than were lost, so that one has each lost number otherwise.
    put(restored, "b", "c", "d", "e")
    for cursor in (backed_up + 1, lost, lost + 1):
        with pytest.raises(Gone, match="Begin again with after=0"):
            follow(restored, cursor)
    everything, last = follow(restored, 0)
    assert everything == {"a", "b", "c", "d", "e"}
    assert follow(restored, backed_up)[0] == {"b", "c", "d", "e"}
    assert follow(restored, last) == (set(), last)
    with pytest.raises(Gone):
        follow(restored, last + 1)
    now = utcnow().timestamp() * 1000
    assert now - 60_000 < last <= now + 5
    with restored.reader() as reader:
        records = list(reader.audit_log(id=None, token="restore", since=None))
        assert [record.action for record in records] == ["restore"]
        # A worker's cache finds the last change by its number and time.
        revision = reader.last_change()
        assert reader.changed_feeds(revision) == (revision, {})
    again = lose(restored, lambda: put(restored, "lost-3"))
    put(again, "f", "g")
    for cursor in (lost, last + 1):
        with pytest.raises(Gone):
            follow(again, cursor)
    assert follow(again, last)[0] == {"f", "g"}
    assert follow(again, backed_up)[0] == {"b", "c", "d", "e", "f", "g"}


@pytest.mark.sqlite
def test_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask: they hold drafts, hashes of tokens and secrets of subscriptions."""
    made = tmp_path / "var" / "feedsvc.db"
    service = Service(f"sqlite:///{made}", WEB_CONCURRENCY="1")
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
        names = sorted(path.name for path in made.parent.iterdir())
        assert names == ["feedsvc.db", "feedsvc.db-shm", "feedsvc.db-wal"]
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) == 5
        assert {
            path.name: stat.filemode(path.stat().st_mode) for path in files
        } == dict.fromkeys((path.name for path in files), "-rw-------")
    finally:
        service.stop()
    service.environ["FEEDSVC_DATABASE_URL"] = f"sqlite:///{tmp_path}/restored.db"
    service.command("restore", str(tmp_path / "backup.db"))
    assert stat.filemode((tmp_path / "restored.db").stat().st_mode) == "-rw-------"
