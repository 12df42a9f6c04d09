"""Memory: of the idle service, and of a worker after 10,000 different feeds; and the time to start."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import requests

from bench.batch import lines
from bench.table import Row, row
from config import Config
from feedsvc.models import SCOPES
from tests.server import Service

FEEDS = 10_000
MIB = 1 << 20


def rows() -> Iterator[Row]:
    """Against the bars themselves, which are no ratios."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(f"sqlite:///{folder}/bench.db", WEB_CONCURRENCY="1")
        service.make_token(*SCOPES)
        service.start()
        for number in range(10):
            assert service.request(
                "PUT", f"/api/v1/categories/c{number}", {"title": f"Mục {number}"}
            ).ok
        assert service.request("PUT", "/api/v1/categories/a", {"title": "A"}).ok
        body = b"\n".join(lines(200))
        headers = {
            "Authorization": f"Bearer {service.token}",
            "Content-Type": "application/x-ndjson",
        }
        assert requests.post(
            f"{service.url}/api/v1/batch", data=body, headers=headers, timeout=60
        ).ok
        before = _pss(service.workers())
        with requests.Session() as session:
            for path in itertools.islice(_paths(), FEEDS):
                assert session.get(service.url + path, timeout=10).status_code == 200
        grown = _pss(service.workers()) - before
        bound = Config.from_env({}).cache_bytes / MIB + 60
        what = f"what a worker grows by with {FEEDS:,} different feeds, against the setting and 60 MiB"
        yield row("memory", what, [(grown, bound)], "≤ 1", unit="MiB")
        service.stop()
        service = Service(f"sqlite:///{folder}/bench.db")
        took = []
        for _ in range(3):
            service.stop()
            took.append(service.start())
        requests.get(f"{service.url}/feeds/news.rss", timeout=10)
        assert service.process
        idle = _pss([service.process.pid, *service.workers()])
        yield row(
            "memory",
            "the idle service, all processes (PSS), against 160 MB",
            [(idle, 153)],
            "≤ 1",
            unit="MiB",
        )
        pairs = [(seconds, 3.0) for seconds in took]
        yield row(
            "memory",
            "from the start on a database to the first 200, against 3 s",
            pairs,
            "≤ 1",
            unit="s",
        )
        service.stop()


def _paths() -> Iterator[str]:
    limits = [f"limit={number}" for number in range(1, 200)]
    for slugs in itertools.combinations(
        ["a", *(f"c{number}" for number in range(10))], 2
    ):
        for limit in limits:
            yield f"/feeds/news/{','.join(slugs)}.rss?{limit}"


def _pss(pids: list[int]) -> float:
    """MiB, what several share counted once."""
    found = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(text.split("\nPss:")[1].split()[0]) for text in found) / 1024
