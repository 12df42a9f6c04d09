"""Acknowledged writes are stored: by concurrent writers, and after kills of the service."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import requests
from pysqlite3 import dbapi2 as sqlite

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases

WRITERS = 4


def check_integrity(database_url: str) -> None:
    """Let SQLite look through its file; PostgreSQL has no such command."""
    if database_url.startswith("sqlite"):
        with closing(
            sqlite.connect(database_url.removeprefix("sqlite:///"))
        ) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def put_many(url: str, token: str, writer: int, count: int) -> Counter[int]:
    """Send PUTs, two at a time: half of new entries, half of one that all writers share."""

    def put(number: int) -> int:
        id = f"{writer}-{number}" if number % 2 else "shared"
        document = {"title": f"{writer} {number}"}
        headers = {"Authorization": f"Bearer {token}"}
        return requests.put(
            f"{url}/api/v1/articles/{id}", json=document, headers=headers, timeout=60
        ).status_code

    with ThreadPoolExecutor(
        2
    ) as pool:  # more would queue for seconds on a busy machine, and be told so
        return Counter(pool.map(put, range(count)))


@pytest.mark.parametrize("each", [40, pytest.param(5000, marks=pytest.mark.soak)])
def test_concurrent_writers_lose_no_write(
    service: Service,
    database_url: str,
    each: int,
    record_measurement: RecordMeasurement,
) -> None:
    service.make_token(*SCOPES)
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [
            pool.submit(put_many, service.url, service.token, writer, each)
            for writer in range(WRITERS)
        ]
        statuses = sum((writer.result() for writer in writers), Counter[int]())
    assert set(statuses) == {200, 201}
    assert statuses[201] == WRITERS * each // 2 + 1
    shared = service.request("GET", "/api/v1/articles/shared").json()
    assert shared["version"] == WRITERS * each // 2, (
        "every update is counted, so none was lost"
    )
    found = 0
    cursor = ""
    while cursor is not None:
        page = service.request(
            "GET", f"/api/v1/articles?limit=200{cursor and '&cursor=' + cursor}"
        ).json()
        found += len(page["items"])
        cursor = page["next_cursor"]
    assert found == WRITERS * each // 2 + 1
    check_integrity(database_url)
    record_measurement(
        "revisions by 4 concurrent writers that are stored",
        f"{shared['version']} of {WRITERS * each // 2}",
        "all",
    )


class Writer(threading.Thread):
    """Puts ever newer versions of its own entry, and notes the last one that was acknowledged."""

    def __init__(self, service: Service, name: str) -> None:
        super().__init__()
        self.service, self.id = service, name
        self.sent = self.acknowledged = 0
        self.failures: list[int] = []
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            self.sent += 1
            try:
                answer = self.service.request(
                    "PUT", f"/api/v1/articles/{self.id}", {"title": str(self.sent)}
                )
            except requests.RequestException:
                time.sleep(
                    0.02
                )  # the connection ended with its worker: stored or not, nothing was promised
                continue
            if answer.ok:
                self.acknowledged = self.sent
            else:
                self.failures.append(answer.status_code)
            # The workers that start meanwhile need the processor too.
            time.sleep(0.01)


def kill_at_random(
    service: Service, database_url: str, seconds: float
) -> tuple[int, float]:
    """Kill workers at random while writers write, then all at once.

    Returns the number of kills, and the seconds that the slowest restart took.
    """
    service.make_token(*SCOPES)
    chance = random.Random(7)
    writers = [Writer(service, f"w{number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    kills = 0
    end = time.monotonic() + seconds
    restarts: list[float] = []
    while time.monotonic() < end:
        for _ in range(4):
            time.sleep(chance.uniform(0.15, 0.6))
            if workers := service.workers():
                os.kill(chance.choice(workers), signal.SIGKILL)
                kills += 1
        service.kill()
        kills += 1
        restarts.append(service.start())
    wait_until(lambda: all(writer.acknowledged for writer in writers), 60)
    for writer in writers:
        writer.stopping = True
    for writer in writers:
        writer.join()
    for writer in writers:
        assert writer.failures == [], (
            "a killed worker is a closed connection, never an error"
        )
        stored = int(
            service.request("GET", f"/api/v1/articles/{writer.id}").json()["title"]
        )
        assert writer.acknowledged <= stored <= writer.sent, (
            "an acknowledged write is lost"
        )
    service.kill()
    restarts.append(service.start())
    check_integrity(database_url)
    for writer in writers:
        assert (
            int(service.request("GET", f"/api/v1/articles/{writer.id}").json()["title"])
            >= writer.acknowledged
        )
    return kills, max(restarts)


def test_kills_lose_no_acknowledged_write(service: Service, database_url: str) -> None:
    kills, slowest = kill_at_random(service, database_url, 1.5)
    assert kills >= 4
    assert slowest < 30, "far off: the machine may be busy"


@pytest.mark.soak
def test_kills_lose_no_acknowledged_write_for_long(
    service: Service,
    database_url: str,
    record_measurement: RecordMeasurement,
) -> None:
    seconds = float(os.environ.get("SOAK_SECONDS", "120"))
    kills, slowest = kill_at_random(service, database_url, seconds)
    record_measurement(
        f"acknowledged writes lost in {seconds:.0f} s", f"0 in {kills} kills", "0"
    )
    record_measurement(
        "first 200 after a restart, the slowest", f"{slowest:.1f} s", "3 s"
    )
    assert slowest < 3
