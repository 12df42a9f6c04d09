"""docs/replicate.py, the partner's script: its copy is the portal's in the end."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Cluster
from tests.server import ROOT, Service
from tests.waiting import wait_until

PAGE = 1000
"""The number of changes that the script requests at once."""

HANG_AT_LAST = """
CREATE VIEW endless AS WITH RECURSIVE numbers(number) AS
    (SELECT 1 UNION ALL SELECT 1 FROM numbers) SELECT number FROM numbers;
CREATE TRIGGER hang BEFORE INSERT ON entries WHEN new.id = 'last'
    BEGIN SELECT count(*) FROM endless; END;
"""
"""A trigger whose statement never ends, in the middle of a page's transaction."""


def start_copy(service: Service, file: Path) -> subprocess.Popen[bytes]:
    script = ROOT / "docs/replicate.py"
    return subprocess.Popen([sys.executable, script, service.url, file])


def replicate(service: Service, file: Path) -> dict[str, Any]:
    """Run the script; return the titles in its copy by id."""
    assert start_copy(service, file).wait(30) == 0
    return copied(file)


def copied(file: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(file)) as copy:
        rows = copy.execute("SELECT id, document FROM entries").fetchall()
    return {id: json.loads(document)["title"] for id, document in rows}


def execute(file: Path, statements: str) -> None:
    with closing(sqlite3.connect(file)) as copy:
        copy.executescript(statements)


def test_killed_replica_continues_without_loss(
    service: Service, tmp_path: Path
) -> None:
    event = {"title": "A", "start": "2040-01-01"}
    service.put("/events/a", event)
    file = tmp_path / "copy.db"
    assert replicate(service, file) == {"a": "A"}
    first = {str(number): "B" for number in range(PAGE + 1)}
    last = {"next-to-last": "C", "last": "D"}

    def put(titles: dict[str, str]) -> None:
        items = [
            {"action": "put", "kind": "news", "id": id, "title": title}
            for id, title in titles.items()
        ]
        response = service.request("POST", "/api/v1/batch", items)
        assert response.status_code == 200

    # More than a page.
    put(first)
    service.request("DELETE", "/api/v1/events/a")
    assert replicate(service, file) == first

    put(last)
    execute(file, HANG_AT_LAST)
    journal = Path(f"{file}-journal")
    run = start_copy(service, file)
    try:
        # SQLite has a journal while a transaction has changes.
        wait_until(journal.exists)
    finally:
        run.kill()
        run.wait()
    assert copied(file) == first

    execute(file, "DROP TRIGGER hang")
    assert replicate(service, file) == first | last


@contextmanager
def backup(request: pytest.FixtureRequest, database_url: str) -> Iterator[str]:
    """Copy a database that nobody uses; yield the URL of the copy."""
    if database_url.startswith("sqlite"):
        file = database_url.removeprefix("sqlite:///")
        yield f"sqlite:///{shutil.copy(file, f'{file}.backup')}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database(database_url.rpartition("/")[2]) as url:
        yield url


@pytest.mark.both_databases
def test_copy_is_exact_after_a_restore_and_a_write(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> None:
    service = Service(database_url)
    service.make_token()
    service.start()
    file = tmp_path / "copy.db"
    for id in "abc":
        service.put(f"/articles/{id}", {"title": "Cũ"})
    assert service.request("DELETE", "/api/v1/articles/c").ok
    service.stop()
    with backup(request, database_url) as restored:
        service.start()
        service.put("/articles/a", {"title": "Mới"})
        service.put("/articles/lost", {"title": "Mới"})
        assert service.request("DELETE", "/api/v1/articles/b").ok
        assert replicate(service, file) == {"a": "Mới", "lost": "Mới"}
        service.stop()

        service.environ["FEEDSVC_DATABASE_URL"] = restored
        service.command("db", "restored")
        with service:
            service.put("/articles/d", {"title": "Sau"})
            expected = {"a": "Cũ", "b": "Cũ", "d": "Sau"}
            assert replicate(service, file) == expected
            service.put("/articles/e", {"title": "Sau"})
            assert replicate(service, file) == expected | {"e": "Sau"}
