"""The disk is full, or another process holds the writers' lock: writes are 503 in time, reads go on, nothing is lost."""

from __future__ import annotations

import resource
import shutil
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import psycopg
import pytest
from pysqlite3 import dbapi2 as sqlite

from feedsvc.models import SCOPES
from feedsvc.storage.database import BUSY_SECONDS
from tests.conftest import RecordMeasurement
from tests.integration.test_kill import WRITERS, check_integrity
from tests.integration.tmpfs import Disk, small_disk
from tests.server import Service

pytestmark = pytest.mark.both_databases


class Limit:
    """A limit to a file's size, which stands for the disk's where none can be made."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.seen, self._service = folder, service

    def fill(self, room: int) -> None:
        """Let the log grow so much more at most."""
        self._set((self.seen / "feedsvc.db-wal").stat().st_size + room)

    def free(self) -> None:
        """Let files grow again."""
        self._set(resource.RLIM_INFINITY)

    def _set(self, size: int) -> None:
        for pid in self._service.workers():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture(params=["tmpfs", "limit"])
def tight(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Service, Disk | Limit]]:
    """A service whose database is on a disk that can be filled."""
    with (
        small_disk(tmp_path / "disk")
        if request.param == "tmpfs"
        else nullcontext() as disk
    ):
        folder = disk.path if disk else tmp_path
        service = Service(f"sqlite:///{folder}/feedsvc.db")
        service.within = disk.within if disk else ()
        service.make_token(*SCOPES)
        service.start()
        yield service, disk or Limit(service, folder)
        service.stop()


@pytest.mark.bar
def test_full_disk_refuses_writes_and_loses_none(
    tight: tuple[Service, Disk | Limit],
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
            answer = service.request(
                "PUT", f"/api/v1/articles/{id}", {"title": id, "content_text": text}
            )
            statuses[answer.status_code] += 1
            if answer.ok:
                stored.add(id)
            else:
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0

    def write_all() -> None:
        threads = [
            threading.Thread(target=write, args=(number,)) for number in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    disk.fill(2_000_000)
    write_all()
    assert statuses[201] > 0
    assert statuses[503] > 0, "the disk did not fill up"
    disk.fill(0)
    for path in ("/feeds/news.rss", "/feeds/news.atom?limit=3", "/", "/readyz"):
        assert service.request("GET", path).status_code == 200, path
    assert (
        service.request("PUT", "/api/v1/articles/a", {"title": "A"}).status_code == 503
    )
    disk.free()
    kept = set(stored)
    write_all()
    assert len(stored) == WRITERS * 40, "it goes on without a restart"
    service.kill()
    service.start()
    for id in kept:
        assert service.request("GET", f"/api/v1/articles/{id}").json()["title"] == id
    record_measurement(
        "writes lost of those before the disk was full", f"0 of {len(kept)}", "0"
    )
    service.stop()
    (tmp_path / "after").mkdir()
    for file in disk.seen.glob("feedsvc.db*"):
        shutil.copy(file, tmp_path / "after")
    check_integrity(f"sqlite:///{tmp_path}/after/feedsvc.db")


@contextmanager
def foreign_lock(database_url: str) -> Iterator[None]:
    """Hold the lock that every write needs."""
    if database_url.startswith("sqlite"):
        with closing(
            sqlite.connect(
                database_url.removeprefix("sqlite:///"), isolation_level=None
            )
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(database_url.replace("+psycopg", "")) as other:
            other.execute("SELECT seq FROM change_sequence FOR UPDATE")
            yield


@pytest.mark.parametrize("seconds", [6, pytest.param(30, marks=pytest.mark.soak)])
def test_foreign_lock_refuses_writes_and_delays_no_read(
    service: Service,
    database_url: str,
    seconds: float,
    record_measurement: RecordMeasurement,
) -> None:
    service.make_token(*SCOPES)
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
    with foreign_lock(database_url):
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
    for thread in threads:
        thread.join()
    p99 = statistics.quantiles(reads, n=100)[-1]
    record_measurement(
        "writes refused while another holds the lock", f"{max(waits):.2f} s", "6 s"
    )
    record_measurement("reads meanwhile, p99", f"{p99 * 1000:.0f} ms", "100 ms")
    assert len(waits) >= 4
    if seconds > 10:
        assert max(waits) < 6
        assert p99 <= 0.1
    assert max(waits) < 2 * BUSY_SECONDS, "nobody waits twice"
    assert p99 < BUSY_SECONDS / 2, "no read waits for a write"
    assert service.request("PUT", "/api/v1/articles/a", {"title": "A"}).ok
