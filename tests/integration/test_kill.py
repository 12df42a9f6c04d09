"""Acknowledged writes are stored: by concurrent writers, and after kills."""

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.conftest import CheckLimit, RecordMeasurement
from tests.integration.writers import WRITERS, wait_until_acknowledged, writing
from tests.postgres import Cluster
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases


def check_integrity(database_url: str) -> None:
    """Let SQLite check its file; PostgreSQL has no such command."""
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.soak)])
def test_concurrent_writers_lose_no_write(
    database_url: str, count: int, record_measurement: RecordMeasurement
) -> None:
    service = Service(database_url, WEB_CONCURRENCY=str(WRITERS))

    path = "/api/v1/articles/a"

    def revise(number: int) -> int:
        document = {"title": f"Bản {number}"}
        return service.request("PUT", path, document).status_code

    with service:
        with ThreadPoolExecutor(WRITERS) as pool:
            statuses = Counter(pool.map(revise, range(count)))
        assert statuses == {201: 1, 200: count - 1}
        version = service.request("GET", path).json()["version"]
    assert version == count, "each revision is counted, so none was lost"
    check_integrity(database_url)
    record_measurement(
        "revisions of one article by 4 processes",
        f"{version} of {count}",
        "all",
    )


@pytest.mark.parametrize("rounds", [1, pytest.param(40, marks=pytest.mark.soak)])
def test_kills_lose_no_acknowledged_write(
    service: Service,
    database_url: str,
    rounds: int,
    check_limit: CheckLimit,
) -> None:
    chance = random.Random(7)
    restarts = []
    with writing(service) as writers:
        for _ in range(rounds):
            for _ in range(3):
                time.sleep(chance.uniform(0.1, 0.5))
                if workers := service.workers():
                    os.kill(chance.choice(workers), signal.SIGKILL)
            service.kill()
            restarts.append(service.start())
    assert not any(writer.refusals for writer in writers)
    check_integrity(database_url)
    for writer in writers:
        writer.check()
    check_limit("slowest restart", max(restarts), 3)


@pytest.mark.postgresql
def test_crash_of_postgresql_loses_no_write(
    service: Service, cluster: Cluster, time_factor: int
) -> None:
    with writing(service) as writers:
        with cluster.stopped(signal.SIGQUIT):
            wait_until(lambda: all(writer.refusals for writer in writers))
        wait_until_acknowledged(writers, 5 * time_factor)
    for writer in writers:
        assert writer.refusals == {503}
        writer.check()
