"""docs/replicate.py, the partner's script: killed at random moments, its copy is the portal's in the end."""

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
from tests.waiting import wait_until

CATEGORIES = ("am-nhac", "van-hoa")
KINDS = {"articles": {}, "events": {"start": "2040-01-01"}}


def replicate(service: Service, file: Path, *category: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, ROOT / "docs/replicate.py", service.url, file, *category]
    )


def copied(file: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(file)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {
            id: json.loads(text)
            for id, text in copy.execute("SELECT id, document FROM entries")
        }


def published(service: Service, *category: str) -> dict[str, Any]:
    """Return the published entries by id; lists have no bodies."""
    found: dict[str, Any] = {}
    for name in KINDS:
        query = {
            "status": "published",
            "limit": "200",
            **({"category": category[0]} if category else {}),
        }
        while query.get("cursor", "") is not None:
            page = service.request("GET", f"/api/v1/{name}", params=query).json()
            for item in page["items"]:
                path = f"/api/v1/{name}/{item['id']}"
                found[item["id"]] = service.request("GET", path).json()
            query["cursor"] = page["next_cursor"]
    return found


def write(service: Service, seed: int, until: threading.Event) -> None:
    """Put, move, take back and delete entries of one writer's own."""
    chance = random.Random(seed)
    while not until.is_set():
        number = chance.randrange(40)
        name = tuple(KINDS)[number % 2]
        path = f"/api/v1/{name}/{seed}-{number}"
        if chance.random() < 0.2:
            assert service.request("DELETE", path).status_code in (204, 404, 410)
        else:
            document = {
                "title": f"Tin {chance.random()}",
                "content_html": "<p>Nội dung</p>" * chance.randrange(1, 2000),
                "categories": chance.sample(CATEGORIES, chance.randrange(3)),
                "status": chance.choice(
                    ("published", "published", "published", "draft")
                ),
                **KINDS[name],
            }
            assert service.request("PUT", path, document).ok


def test_killed_replica_continues_without_loss(
    service: Service, tmp_path: Path
) -> None:
    service.make_token(*SCOPES)
    for slug in CATEGORIES:
        assert service.request("PUT", f"/api/v1/categories/{slug}", {"title": slug}).ok
    written = threading.Event()
    writers = [
        threading.Thread(target=write, args=(service, seed, written))
        for seed in range(3)
    ]
    for writer in writers:
        writer.start()
    copies = {(): tmp_path / "all.db", ("am-nhac",): tmp_path / "music.db"}
    chance = random.Random(7)
    killed = 0
    for _ in range(8):
        runs = [
            replicate(service, file, *category) for category, file in copies.items()
        ]
        for run in runs:
            time.sleep(chance.uniform(0.05, 0.15))
            run.kill()
            killed += run.wait() < 0
    wait_until(lambda: len(published(service, "am-nhac")) > 10, 30)
    written.set()
    for writer in writers:
        writer.join()
    assert killed >= 4
    for category, file in copies.items():
        assert replicate(service, file, *category).wait(30) == 0
        assert copied(file) == published(service, *category)
        assert len(copied(file)) > 5
