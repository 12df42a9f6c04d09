"""docs/replicate.py begins anew where it must, and mixes no two copies."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from feedsvc.models import Category, Entry
from feedsvc.storage import Storage
from tests.server import ROOT


@pytest.fixture
def portal(app: Flask, storage: Storage) -> Iterator[str]:
    """Serve two articles, one of them in a category, and an event; return the URL."""
    with storage.writer("test") as writer:
        writer.categories.put(Category("van-hoa", "Văn hoá"))
        for id, slugs in (("a", ["van-hoa"]), ("b", [])):
            categories = tuple(Category(slug, "") for slug in slugs)
            writer.entries.put(Entry(id, "news", id, "vi", categories=categories))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def replicate(*arguments: object) -> subprocess.CompletedProcess[str]:
    script = str(ROOT / "docs/replicate.py")
    command = [sys.executable, script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def run(*arguments: object) -> str:
    """Run the script and return what it says."""
    done = replicate(*arguments)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def copied(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as copy:
        rows = copy.execute("SELECT id, document FROM entries").fetchall()
    assert all(json.loads(document)["id"] == id for id, document in rows)
    return {id for id, _ in rows}


def test_help_says_how_it_is_called() -> None:
    done = replicate("--help")
    assert done.returncode == 0
    for text in ("--kind", "category", "begins anew"):
        assert text in done.stdout


def test_another_choice_begins_anew(portal: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    assert run(portal, file) == ""
    assert run(portal, file) == ""
    assert copied(file) == {"a", "b"}
    expected = f"{file} begins anew: another choice of entries\n"
    assert run(portal, file, "van-hoa") == expected
    assert copied(file) == {"a"}
    assert run(portal, file, "van-hoa", "--kind", "events") == expected
    assert copied(file) == set()


def test_410_begins_anew(portal: str, storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    run(portal, file)
    with sqlite3.connect(file) as copy:
        copy.execute("INSERT INTO entries VALUES ('lost', '{\"id\": \"lost\"}')")
        copy.execute("UPDATE state SET next = next + 1000000")
    copy.close()
    (line,) = run(portal, file).splitlines()
    assert line.startswith(f"{file} begins anew: ")
    assert copied(file) == {"a", "b"}
    run(portal, file, "van-hoa")
    with storage.writer("test") as writer:
        writer.categories.retire("van-hoa")
    done = replicate(portal, file, "van-hoa")
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1] == f"{portal}: The category “van-hoa” was retired."
    )
    assert copied(file) == {"a"}, "the old copy stays until there is a new one"


def test_file_of_another_portal_or_run_is_refused(portal: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    run(portal, file)
    done = replicate("http://other.example", file)
    assert done.returncode == 1
    assert done.stderr == f"{file} is a copy of {portal}; use another file.\n"
    with closing(sqlite3.connect(f"{file}.lock", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        done = replicate(portal, file)
    assert done.returncode == 1
    assert "in use by another run" in done.stderr
    assert copied(file) == {"a", "b"}


def test_copy_of_an_earlier_version_begins_anew(portal: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with sqlite3.connect(file) as copy:
        copy.execute(
            "CREATE TABLE entries (id TEXT PRIMARY KEY, document TEXT NOT NULL)"
        )
        copy.execute("CREATE TABLE position (key INTEGER PRIMARY KEY, next INTEGER)")
        copy.execute("INSERT INTO entries VALUES ('old', '{}')")
        copy.execute("INSERT INTO position VALUES (1, 1)")
    copy.close()
    assert "begins anew: its choice of entries is unknown" in run(portal, file)
    assert copied(file) == {"a", "b"}


def test_unreachable_portal_is_one_line(tmp_path: Path) -> None:
    done = replicate("http://127.0.0.1:9", tmp_path / "copy.db")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
