"""Acknowledged writes are stored: by concurrent writers, and after kills."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import requests
from pysqlite3 import dbapi2 as sqlite

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.postgres import Cluster
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases

WRITERS = 4


def check_integrity(database_url: str) -> None:
    """Let SQLite check its file; PostgreSQL has no such command."""
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with closing(sqlite.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
def service_of_four_workers(database_url: str) -> Iterator[Service]:
    """Start a worker process for each writer."""
    running = Service(database_url, WEB_CONCURRENCY=str(WRITERS))
    running.make_token(*SCOPES)
    with running:
        yield running


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.soak)])
def test_concurrent_writers_lose_no_write(
    service_of_four_workers: Service,
    database_url: str,
    count: int,
    record_measurement: RecordMeasurement,
) -> None:
    service = service_of_four_workers

    def revise(number: int) -> int:
        document = {"title": f"Bản {number}"}
        return service.request("PUT", "/api/v1/articles/a", document).status_code

    with ThreadPoolExecutor(WRITERS) as pool:
        statuses = Counter(pool.map(revise, range(count)))
    assert statuses == {201: 1, 200: count - 1}
    version = service.request("GET", "/api/v1/articles/a").json()["version"]
    assert version == count, "each revision is counted, so none was lost"
    check_integrity(database_url)
    record_measurement(
        "revisions of one article by 4 processes", f"{version} of {count}", "all"
    )


class Writer(threading.Thread):
    """Puts newer versions of an entry, and records the last acknowledged one."""

    def __init__(self, service: Service, name: str) -> None:
        super().__init__()
        self.service = service
        self.path = f"/api/v1/articles/{name}"
        self.sent = 0
        self.acknowledged = 0
        self.failures: set[int] = set()
        self.is_stopping = False

    def run(self) -> None:
        while not self.is_stopping:
            self.sent += 1
            try:
                document = {"title": str(self.sent)}
                response = self.service.request("PUT", self.path, document)
            except requests.RequestException:
                # The connection ended with its worker: nothing was promised.
                time.sleep(0.02)
                continue
            if response.ok:
                self.acknowledged = self.sent
            else:
                self.failures.add(response.status_code)
            # The workers that start meanwhile need the processor too.
            time.sleep(0.01)

    def check(self) -> None:
        stored = int(self.service.request("GET", self.path).json()["title"])
        assert self.acknowledged <= stored <= self.sent


@pytest.fixture
def writers(service: Service) -> Iterator[list[Writer]]:
    """Start writers that have each had an answer."""
    service.make_token(*SCOPES)
    threads = [Writer(service, f"w{number}") for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(thread.acknowledged for thread in threads))
    yield threads
    stop(threads)


def stop(writers: list[Writer]) -> None:
    for writer in writers:
        writer.is_stopping = True
    for writer in writers:
        writer.join()


@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=pytest.mark.soak)])
def test_kills_lose_no_acknowledged_write(
    service: Service,
    writers: list[Writer],
    database_url: str,
    rounds: int,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    chance = random.Random(7)
    restarts = []
    for _ in range(rounds):
        for _ in range(3):
            time.sleep(chance.uniform(0.1, 0.5))
            if workers := service.workers():
                os.kill(chance.choice(workers), signal.SIGKILL)
        service.kill()
        restarts.append(service.start())
    stop(writers)
    assert not [writer.failures for writer in writers if writer.failures]
    service.kill()
    restarts.append(service.start())
    check_integrity(database_url)
    for writer in writers:
        writer.check()
    record_measurement("slowest restart", f"{max(restarts):.1f} s", "3 s")
    assert max(restarts) < 3 * time_factor


@pytest.mark.postgresql
def test_crash_of_postgresql_loses_no_write(
    cluster: Cluster, writers: list[Writer], time_factor: int
) -> None:
    with cluster.stopped(signal.SIGQUIT):
        wait_until(lambda: all(writer.failures for writer in writers))
        before = [writer.acknowledged for writer in writers]
    wait_until(
        lambda: all(
            writer.acknowledged > old
            for writer, old in zip(writers, before, strict=True)
        ),
        5 * time_factor,
    )
    stop(writers)
    for writer in writers:
        assert writer.failures == {503}
        writer.check()
