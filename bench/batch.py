"""A batch of 10,000 entries, against the least that must be done for it; and the memory of a large one."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import requests

from config import Config
from feedsvc.app import create_app
from feedsvc.models import EPOCH, SCOPES, Category, Entry, utcnow
from feedsvc.services import Services, get_services
from feedsvc.storage.entry_rows import entry_columns
from feedsvc.storage.tables import changes, entries, entry_categories
from tests.server import Service

LINES = 10_000
LARGE = 64 * 1024 * 1024


def lines(count: int, size: int = 2000) -> list[bytes]:
    """Lines of a batch with bodies of about `size` bytes."""
    body = "<p>" + "Nội dung tin tức. " * (size // 23) + "</p>"
    document = {
        "action": "put",
        "kind": "news",
        "title": "Tin",
        "content_html": body,
        "categories": ["a"],
    }
    return [
        json.dumps({**document, "id": f"n{number}"}, ensure_ascii=False).encode()
        for number in range(count)
    ]


def time_ratio() -> tuple[float, float]:
    """Seconds of the batch, and of parsing, the schema and one executemany a table, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ours.db"
        app = create_app(Config.from_env({"FEEDSVC_DATABASE_URL": url}))
        services = get_services(app)
        services.storage.upgrade()
        token = {
            "Authorization": f"Bearer {services.storage.tokens.create('bench', SCOPES)}"
        }
        with services.storage.writer("bench") as writer:
            writer.categories.put(Category("a", "A"))
        body = b"\n".join(lines(LINES))
        begun = time.perf_counter()
        headers = {**token, "Content-Type": "application/x-ndjson"}
        answer = app.test_client().post("/api/v1/batch", data=body, headers=headers)
        ours = time.perf_counter() - begun
        assert answer.status_code == 200
        begun = time.perf_counter()
        _reference(services, body, folder)
        return ours, time.perf_counter() - begun


def _reference(services: Services, body: bytes, folder: str) -> None:
    other = get_services(
        create_app(
            Config.from_env({"FEEDSVC_DATABASE_URL": f"sqlite:///{folder}/least.db"})
        )
    ).storage
    other.upgrade()
    with other.writer("bench") as writer:
        writer.categories.put(Category("a", "A"))
    made = list(enumerate(_loaded(services, body), start=2))
    shown = {
        "is_visible": True,
        "was_visible": True,
        "next_change_at": None,
        "changed_at": EPOCH,
    }
    rows = [{**entry_columns(entry), **shown, "pk": n, "seq": n} for n, entry in made]
    shared = ("kind", "is_visible", "published", "guid", "lang", "ends")
    with other.database.write() as connection:
        connection.execute(entries.insert(), rows)
        connection.execute(
            entry_categories.insert(),
            [
                {
                    "entry_pk": row["pk"],
                    "category_id": 1,
                    "position": 0,
                    **{name: row[name] for name in shared},
                }
                for row in rows
            ],
        )
        connection.execute(
            changes.insert(),
            [
                {
                    "seq": row["pk"],
                    "time": row["updated"],
                    "action": "put",
                    "version": 1,
                    "token": "bench",
                }
                | {name: row[name] for name in ("kind", "id")}
                for row in rows
            ],
        )


def _loaded(services: Services, body: bytes) -> Iterator[Entry]:
    for line in body.split(b"\n"):
        document = json.loads(line)
        del document["action"], document["kind"]
        entry: Entry = services.schemas["news"].load(document)
        now = utcnow()
        yield replace(
            entry, guid=uuid.uuid4().urn, updated=now, published=now, version=1
        )


def memory() -> tuple[int, int]:
    """MiB of the largest worker at its peak: idle, and after a batch of 64 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(f"sqlite:///{folder}/bench.db", WEB_CONCURRENCY="1")
        service.make_token(*SCOPES)
        service.start()
        try:
            assert service.request("PUT", "/api/v1/categories/a", {"title": "A"}).ok
            idle = _peak(service)
            size = len(lines(1)[0]) + 8
            body = b"\n".join(lines(LARGE // size))
            headers = {
                "Authorization": f"Bearer {service.token}",
                "Content-Type": "application/x-ndjson",
            }
            answer = requests.post(
                f"{service.url}/api/v1/batch", data=body, headers=headers, timeout=600
            )
            assert answer.status_code == 200
            return idle, _peak(service)
        finally:
            service.stop()


def _peak(service: Service) -> int:
    status = "\n".join(
        Path(f"/proc/{pid}/status").read_text() for pid in service.workers()
    )
    return (
        max(
            int(line.split()[1])
            for line in status.splitlines()
            if line.startswith("VmHWM")
        )
        // 1024
    )
