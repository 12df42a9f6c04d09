"""The disk is full, or another process holds the writers' lock: writes are 503 in time, reads go on, nothing is lost."""

import shutil
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.conftest import CheckLimit, RecordMeasurement
from tests.integration.test_kill import check_integrity
from tests.integration.tmpfs import Disk, small_disk
from tests.integration.writers import WRITERS, foreign_lock
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases


@pytest.fixture
def tight(tmp_path: Path) -> Iterator[tuple[Service, Disk]]:
    """Start a service whose database is on a disk that can be filled."""
    with small_disk(tmp_path / "disk") as disk:
        service = Service(f"sqlite:///{disk.path}/feedsvc.db")
        service.within = disk.within
        with service:
            yield service, disk


@pytest.mark.sqlite
@pytest.mark.bar
def test_full_disk_refuses_writes_and_loses_none(
    tight: tuple[Service, Disk],
    tmp_path: Path,
    record_measurement: RecordMeasurement,
) -> None:
    service, disk = tight
    stored: set[str] = set()
    statuses: Counter[int] = Counter()
    text = "Nội dung dài. " * 500

    def write(writer: int) -> None:
        for number in range(40):
            id = f"{writer}-{number}"
            document = {"title": id, "content_text": text}
            path = f"/api/v1/articles/{id}"
            answer = service.request("PUT", path, document)
            statuses[answer.status_code] += 1
            if answer.ok:
                stored.add(id)
            else:
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0

    def write_all() -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))

    disk.fill(1_000_000)
    write_all()
    assert statuses[201] > 0
    assert statuses[503] > 0, "the disk did not fill up"
    disk.fill(0)
    for path in ("/feeds/news.rss", "/feeds/news.atom?limit=3", "/readyz"):
        assert service.request("GET", path).status_code == 200, path
    disk.free()
    kept = set(stored)
    write_all()
    assert len(stored) == WRITERS * 40, "it goes on without a restart"
    service.kill()
    service.start()
    for id in kept:
        path = f"/api/v1/articles/{id}"
        assert service.request("GET", path).json()["title"] == id
    record_measurement(
        "writes lost of those before the disk was full",
        f"0 of {len(kept)}",
        "0",
    )
    service.kill()
    (tmp_path / "after").mkdir()
    for file in disk.seen.glob("feedsvc.db*"):
        shutil.copy(file, tmp_path / "after")
    check_integrity(f"sqlite:///{tmp_path}/after/feedsvc.db")


@pytest.mark.bar
def test_outside_lock_refuses_writes_and_delays_no_read(
    service: Service, database_url: str, check_limit: CheckLimit
) -> None:
    assert service.request("GET", "/feeds/news.rss").ok
    reads: list[float] = []

    def write(_: int = 0) -> requests.Response:
        return service.request("PUT", "/api/v1/articles/a", {"title": "A"})

    with foreign_lock(database_url), ThreadPoolExecutor(WRITERS) as pool:
        refused = [pool.submit(write) for _ in range(WRITERS)]
        while not all(future.done() for future in refused):
            read = service.request("GET", "/feeds/news.rss")
            assert read.status_code == 200
            reads.append(read.elapsed.total_seconds())
            time.sleep(0.01)
    for future in refused:
        response = future.result()
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        seconds = response.elapsed.total_seconds()
        check_limit("write refused after", seconds, 6)
    p99 = statistics.quantiles(reads, n=100)[-1]
    check_limit("reads meanwhile, p99", p99, 0.1)
    wait_until(lambda: write().ok, 10)
