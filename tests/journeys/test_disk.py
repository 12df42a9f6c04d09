"""The disk is full, or another process holds SQLite's lock: writes are 503 in time, reads go on, nothing is lost."""

from __future__ import annotations

import resource
import statistics
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from feedsvc.model import SCOPES
from tests.conftest import Figure
from tests.journeys.test_kill import WRITERS, check_integrity
from tests.service import Service

pytestmark = pytest.mark.sqlite


def limit_files(service: Service, size: int) -> None:
    """Let the workers' files grow to `size` bytes at most, as a disk that has no more room."""
    for pid in service.workers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk(service: Service, database_url: str) -> None:
    service.make_token(*SCOPES)
    stored: set[str] = set()
    statuses: Counter[int] = Counter()
    text = "Nội dung dài. " * 500

    def write(writer: int) -> None:
        for number in range(40):
            id = f"{writer}-{number}"
            answer = service.request("PUT", f"/api/v1/articles/{id}", {"title": id, "content_text": text})
            statuses[answer.status_code] += 1
            if answer.ok:
                stored.add(id)
            else:
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0

    def write_all() -> None:
        threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    log = Path(f"{database_url.removeprefix('sqlite:///')}-wal")
    limit_files(service, log.stat().st_size + 300_000)
    write_all()
    assert statuses[201] > 0
    assert statuses[503] > 0, "the disk did not fill up"
    assert service.request("GET", "/feeds/news.rss").status_code == 200
    assert service.request("GET", "/readyz").status_code == 200
    limit_files(service, resource.RLIM_INFINITY)
    kept = set(stored)
    write_all()
    assert len(stored) == WRITERS * 40, "it goes on without a restart"
    service.kill()
    service.start()
    for id in kept:
        assert service.request("GET", f"/api/v1/articles/{id}").json()["title"] == id
    check_integrity(database_url)


@pytest.mark.parametrize("seconds", [6, pytest.param(30, marks=pytest.mark.soak)])
def test_a_foreign_lock(service: Service, database_url: str, seconds: float, figure: Figure) -> None:
    service.make_token(*SCOPES)
    path = database_url.removeprefix("sqlite:///")
    waits: list[float] = []
    reads: list[float] = []

    def write() -> None:
        while not freed.is_set():
            begun = time.monotonic()
            answer = service.request("PUT", "/api/v1/articles/a", {"title": "A"})
            if answer.status_code == 503:
                assert int(answer.headers["Retry-After"]) > 0
                waits.append(time.monotonic() - begun)

    freed = threading.Event()
    with closing(sqlite.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.monotonic()
            assert service.request("GET", "/feeds/news.rss").status_code == 200
            reads.append(time.monotonic() - begun)
            time.sleep(0.01)
        freed.set()
        other.execute("ROLLBACK")
    for thread in threads:
        thread.join()
    p99 = statistics.quantiles(reads, n=100)[-1]
    figure("writes refused while another holds the lock", f"{max(waits):.2f} s", "6 s")
    figure("reads meanwhile, p99", f"{p99 * 1000:.0f} ms", "100 ms")
    assert len(waits) >= 4
    assert max(waits) < 6
    assert p99 <= (0.1 if seconds > 10 else 0.5)
    assert service.request("PUT", "/api/v1/articles/a", {"title": "A"}).ok
