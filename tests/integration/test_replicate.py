"""docs/replicate.py, the partner's script: its copy is the portal's in the end."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from feedsvc.models import SCOPES
from tests.server import ROOT, Service

KINDS: dict[str, dict[str, str]] = {"articles": {}, "events": {"start": "2040-01-01"}}


def replicate(service: Service, file: Path) -> subprocess.Popen[bytes]:
    script = ROOT / "docs/replicate.py"
    return subprocess.Popen([sys.executable, script, service.url, file])


def copied(file: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(file)) as copy:
        rows = copy.execute("SELECT id, document FROM entries").fetchall()
    return {id: json.loads(document)["title"] for id, document in rows}


def published(service: Service) -> dict[str, Any]:
    """Return the titles of the published entries in the API's lists, by id."""
    titles: dict[str, Any] = {}
    for name in KINDS:
        query = {"status": "published", "limit": "200"}
        page = service.request("GET", f"/api/v1/{name}", params=query).json()
        assert page["next_page"] is None
        titles |= {item["id"]: item["title"] for item in page["items"]}
    return titles


def write(service: Service, seed: int, until: threading.Event) -> None:
    """Put, take back and delete entries of one writer's own."""
    chance = random.Random(seed)
    while not until.is_set():
        number = chance.randrange(40)
        name = tuple(KINDS)[number % 2]
        path = f"/api/v1/{name}/{seed}-{number}"
        if chance.random() < 0.2:
            assert service.request("DELETE", path).status_code in (204, 404, 410)
            continue
        document = {
            "title": f"Tin {chance.random()}",
            "content_html": "<p>Nội dung</p>" * chance.randrange(1, 2000),
            "status": chance.choice(("published", "published", "published", "draft")),
            **KINDS[name],
        }
        assert service.request("PUT", path, document).ok


def test_killed_replica_continues_without_loss(
    service: Service, tmp_path: Path
) -> None:
    service.make_token(*SCOPES)
    is_written = threading.Event()
    writers = [
        threading.Thread(target=write, args=(service, seed, is_written))
        for seed in range(3)
    ]
    for writer in writers:
        writer.start()
    file = tmp_path / "copy.db"
    chance = random.Random(7)
    kills = 0
    for _ in range(8):
        run = replicate(service, file)
        time.sleep(chance.uniform(0, 0.2))
        run.kill()
        kills += run.wait() < 0
    is_written.set()
    for writer in writers:
        writer.join()
    assert kills
    assert replicate(service, file).wait(30) == 0
    assert copied(file) == published(service)
    assert len(copied(file)) > 5


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
