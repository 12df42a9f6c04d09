"""docs/replicate.py, the partner's script: its copy is the portal's in the end."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from feedsvc.models import SCOPES
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


def replicate(service: Service, file: Path) -> subprocess.Popen[bytes]:
    script = ROOT / "docs/replicate.py"
    return subprocess.Popen([sys.executable, script, service.url, file])


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
    service.make_token(*SCOPES)
    event = {"title": "A", "start": "2040-01-01"}
    assert service.request("PUT", "/api/v1/events/a", event).ok
    file = tmp_path / "copy.db"
    assert replicate(service, file).wait(30) == 0
    assert copied(file) == {"a": "A"}
    first_page = {str(number): "B" for number in range(PAGE - 1)}
    second_page = {"next-to-last": "C", "last": "D"}
    items = [
        {"action": "delete", "kind": "events", "id": "a"},
        *(
            {"action": "put", "kind": "news", "id": id, "title": title}
            for id, title in (first_page | second_page).items()
        ),
    ]
    assert service.request("POST", "/api/v1/batch", items).status_code == 200

    execute(file, HANG_AT_LAST)
    journal = Path(f"{file}-journal")
    run = replicate(service, file)
    try:
        # SQLite has a journal while a transaction has changes.
        wait_until(lambda: copied(file) == first_page and journal.exists())
    finally:
        run.kill()
        run.wait()
    assert copied(file) == first_page

    execute(file, "DROP TRIGGER hang")
    assert replicate(service, file).wait(30) == 0
    assert copied(file) == first_page | second_page


def test_copy_begins_anew_after_410(service: Service, tmp_path: Path) -> None:
    service.make_token(*SCOPES)
    assert service.request("PUT", "/api/v1/articles/a", {"title": "A"}).ok
    file = tmp_path / "copy.db"
    assert replicate(service, file).wait(30) == 0
    with closing(sqlite3.connect(file)) as copy, copy:
        copy.execute("INSERT INTO entries VALUES ('lost', '{\"title\": \"lost\"}')")
        # As after the restore of an older backup.
        copy.execute("UPDATE state SET next = next + 1000000000000")
    assert replicate(service, file).wait(30) == 0
    assert copied(file) == {"a": "A"}
