"""The commands for backups in docs/operating.md keep every entry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from feedsvc.errors import NotFound
from feedsvc.models import Entry, utcnow
from feedsvc.storage import Storage
from tests.fake_clock import HANOI
from tests.postgres import Cluster
from tests.server import ROOT

pytestmark = pytest.mark.both_databases


def documented(program: str) -> str:
    """Return the documented command line of a program."""
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    (line,) = re.findall(rf"^ +({program} .*)$", text, re.MULTILINE)
    return str(line)


def run(command: str, folder: Path, **environ: str) -> None:
    """Run a documented command, with backups in another folder."""
    done = subprocess.run(
        ["sh", "-ec", command.replace("/var/backups", str(folder))],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def put(storage: Storage, id: str) -> None:
    with storage.writer("test") as writer:
        writer.entries.put(Entry(id, "news", id, "vi"))


def assert_has_first_entry_only(url: str) -> None:
    with closing(Storage(url, utcnow, HANOI)) as restored, restored.reader() as reader:
        assert reader.entries.get("first").title == "first"
        with pytest.raises(NotFound):
            reader.entries.get("second")


@pytest.mark.sqlite
@pytest.mark.skipif(not shutil.which("sqlite3"), reason="sqlite3 is not installed")
def test_documented_backup_of_sqlite_is_made_during_a_write(
    storage: Storage, database_url: str, tmp_path: Path
) -> None:
    put(storage, "first")
    command = documented("sqlite3").replace(
        "/var/lib/feedsvc/feedsvc.db", database_url.removeprefix("sqlite:///")
    )
    folder = tmp_path / "backups"
    folder.mkdir()
    with storage.writer("test") as writer:
        writer.entries.put(Entry("second", "news", "second", "vi"))
        run(command, folder)
    (file,) = folder.iterdir()
    assert_has_first_entry_only(f"sqlite:///{file}")


@pytest.mark.postgresql
def test_documented_backup_of_postgresql_is_restored(
    storage: Storage, cluster: Cluster, tmp_path: Path
) -> None:
    if not (cluster.binaries / "pg_restore").exists():
        pytest.skip("this PostgreSQL has no pg_restore")
    path = f"{cluster.binaries}:{os.environ['PATH']}"

    def run_with(command: str, url: str) -> None:
        run(command, tmp_path, PATH=path, URL=url.replace("+psycopg", ""))

    engine_url = storage.database.engine.url
    put(storage, "first")
    run_with(documented("pg_dump"), engine_url.render_as_string(hide_password=False))
    put(storage, "second")
    with ExitStack() as stack:
        url = stack.enter_context(cluster.database("template0"))
        (file,) = tmp_path.iterdir()
        run_with(documented("pg_restore").replace("FILE", str(file)), url)
        assert_has_first_entry_only(url)
