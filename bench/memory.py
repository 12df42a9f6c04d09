"""Memory of the idle service and of a worker after many feeds; and the time to start."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import requests

from bench.batch import lines
from bench.table import Effort, Row, make_row
from config import Config
from feedsvc.models import SCOPES
from tests.server import Service

MIB = 1 << 20


def rows(effort: Effort) -> Iterator[Row]:
    """Compare with fixed limits; these ratios have no reference."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        growth = _growth(Service(url, WEB_CONCURRENCY="1"), effort.requested_feeds)
        limit = Config.from_env({}).cache_bytes / MIB + 60
        what = (
            f"growth of a worker by {effort.requested_feeds:,} different feeds, "
            "against FEEDSVC_CACHE_BYTES plus 60 MiB"
        )
        yield make_row("memory", what, [(growth, limit)], "≤ 1", unit="MiB")
        service = Service(url)
        seconds = []
        for _ in range(3):
            service.stop()
            seconds.append(service.start())
        requests.get(f"{service.url}/feeds/news.rss", timeout=10)
        assert service.process
        idle = _memory([service.process.pid, *service.workers()])
        service.stop()
    what = "the idle service, all processes (PSS), against 160 MB"
    yield make_row("memory", what, [(idle, 153)], "≤ 1", unit="MiB")
    what = "from the start to the first 200, against 3 s"
    pairs = [(duration, 3.0) for duration in seconds]
    yield make_row("memory", what, pairs, "≤ 1", unit="s")


def _growth(service: Service, feed_count: int) -> float:
    """Return the MiB by which a worker grows with so many feeds in its cache."""
    service.make_token(*SCOPES)
    service.start()
    try:
        for slug in ("a", *(f"c{number}" for number in range(10))):
            path = f"/api/v1/categories/{slug}"
            assert service.request("PUT", path, {"title": f"Mục {slug}"}).ok
        body = b"\n".join(lines(200))
        headers = {"Content-Type": "application/x-ndjson"}
        assert service.request("POST", "/api/v1/batch", data=body, headers=headers).ok
        before = _memory(service.workers())
        with requests.Session() as session:
            for path in itertools.islice(_paths(), feed_count):
                assert session.get(service.url + path, timeout=10).status_code == 200
        return _memory(service.workers()) - before
    finally:
        service.stop()


def _paths() -> Iterator[str]:
    slugs = ["a", *(f"c{number}" for number in range(10))]
    for pair in itertools.combinations(slugs, 2):
        for limit in range(1, 200):
            yield f"/feeds/news/{','.join(pair)}.rss?limit={limit}"


def _memory(pids: list[int]) -> float:
    """Return the MiB of processes; memory that several share counts once."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(text.split("\nPss:")[1].split()[0]) for text in texts) / 1024
