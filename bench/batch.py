"""A batch, against the least work that it needs; and the memory of a large one."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import requests

from bench.dataset import open_app, write_database
from bench.table import Effort, Row, make_row
from feedsvc.models import SCOPES, Category, Entry, utcnow
from feedsvc.services import Services, get_services
from tests.server import Service


def rows(effort: Effort) -> Iterator[Row]:
    """Compare a batch with the least work, and the memory after a large one with idle."""
    count = effort.batch_lines
    what = (
        f"a batch of {count:,} entries, against parsing, the schema and one executemany"
        " a table"
    )
    pairs = [time_ratio(count) for _ in range(min(3, effort.rounds))]
    yield make_row("writes", what, pairs, "≤ 1.5", unit="s")
    idle, peak = memory(effort.batch_bytes)
    size = effort.batch_bytes >> 20
    what = f"peak memory of a worker after a batch of {size} MiB, against idle"
    yield make_row("memory", what, [(float(peak), float(idle))], unit="MiB")


def lines(count: int, size: int = 2000) -> list[bytes]:
    """Return lines of a batch with bodies of about `size` bytes."""
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


def time_ratio(count: int) -> tuple[float, float]:
    """Return the seconds of a batch and of the least work, in one process."""
    body = b"\n".join(lines(count))
    with tempfile.TemporaryDirectory() as folder:
        with open_app(f"sqlite:///{folder}/ours.db") as app:
            services = get_services(app)
            token = services.storage.tokens.create("bench", SCOPES)
            with services.storage.writer("bench") as writer:
                writer.categories.put(Category("a", "A"))
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/x-ndjson",
            }
            begin = time.perf_counter()
            response = app.test_client().post(
                "/api/v1/batch", data=body, headers=headers
            )
            ours = time.perf_counter() - begin
            assert response.status_code == 200
        url = f"sqlite:///{folder}/reference.db"
        with open_app(url):
            begin = time.perf_counter()
            entries = ((entry, [1]) for entry in _load_entries(services, body))
            write_database(url, ["a"], entries, utcnow())
            return ours, time.perf_counter() - begin


def _load_entries(services: Services, body: bytes) -> Iterator[Entry]:
    for line in body.split(b"\n"):
        document = json.loads(line)
        del document["action"], document["kind"]
        entry: Entry = services.schemas["news"].load(document)
        now = utcnow()
        guid = uuid.uuid4().urn
        yield replace(entry, guid=guid, updated=now, published=now, version=1)


def memory(batch_bytes: int) -> tuple[int, int]:
    """Return the MiB of the largest worker at its peak: idle, and after a batch."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(f"sqlite:///{folder}/bench.db", WEB_CONCURRENCY="1")
        service.make_token(*SCOPES)
        service.start()
        try:
            assert service.request("PUT", "/api/v1/categories/a", {"title": "A"}).ok
            idle = _peak_memory(service)
            line_bytes = len(lines(1)[0]) + 8
            body = b"\n".join(lines(batch_bytes // line_bytes))
            headers = {
                "Authorization": f"Bearer {service.token}",
                "Content-Type": "application/x-ndjson",
            }
            response = requests.post(
                f"{service.url}/api/v1/batch", data=body, headers=headers, timeout=600
            )
            assert response.status_code == 200
            return idle, _peak_memory(service)
        finally:
            service.stop()


def _peak_memory(service: Service) -> int:
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in service.workers()]
    peaks = [
        int(line.split()[1])
        for status in statuses
        for line in status.splitlines()
        if line.startswith("VmHWM")
    ]
    return max(peaks) // 1024
