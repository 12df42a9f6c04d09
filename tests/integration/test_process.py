"""Workers are reloaded and stopped under load, and no request fails."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.integration.writers import wait_until_acknowledged, writing
from tests.server import Service
from tests.waiting import wait_until


@pytest.fixture
def started(database_url: str) -> Iterator[Service]:
    service = Service(database_url)
    service.is_forked = False  # so that new workers import the code
    service.make_token(*SCOPES)
    with service:
        yield service


@pytest.mark.parametrize(
    "count", [2, pytest.param(11, marks=pytest.mark.soak)]
)
def test_reload_fails_no_request(
    started: Service, count: int, record_measurement: RecordMeasurement
) -> None:
    assert started.process
    first = set(started.workers())
    with writing(started) as writers:
        for _ in range(count):
            time.sleep(1)
            started.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not first & set(started.workers()))
        wait_until_acknowledged(writers)
    broken = sum(writer.broken_connections for writer in writers)
    sent = sum(writer.sent for writer in writers)
    record_measurement(
        "failed requests while workers are reloaded",
        f"{broken} of {2 * sent}",
        "0",
    )
    assert not broken
    assert not [writer.refusals for writer in writers if writer.refusals]


@pytest.mark.bar
def test_requests_in_flight_at_sigterm_are_answered(
    started: Service, record_measurement: RecordMeasurement
) -> None:
    assert started.process
    for number in range(20):  # so that what follows takes its time
        document = {
            "title": "Dài",
            "content_html": "<p>" + "Dài. " * 20_000 + "</p>",
        }
        started.put(f"/articles/{number}", document)

    def ask(number: int) -> int:
        items = [
            {
                "action": "put",
                "kind": "news",
                "id": f"{number}-{item}",
                "title": "A",
            }
            for item in range(300)
        ]
        try:
            # A worker runs four batches at once.
            if number % 3:
                return started.request("GET", "/feeds/news.rss").status_code
            return started.request("POST", "/api/v1/batch", items).status_code
        except requests.ConnectionError as error:
            # A connection that is opened after the signal may be refused.
            return 0 if "refused" in str(error) else -1

    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(ask, range(12))
        # The first hundred of its 300 items are stored.
        wait_until(lambda: started.request("GET", "/api/v1/articles/0-0").ok)
        started.process.send_signal(signal.SIGTERM)
    statuses = list(answers)
    assert started.process.wait(30) == 0
    failed = len(statuses) - statuses.count(200) - statuses.count(0)
    record_measurement(
        "requests in flight at SIGTERM that failed",
        f"{failed} of {statuses.count(200) + failed}",
        "0",
    )
    assert failed == 0
    assert statuses.count(200) > 0


@pytest.mark.sqlite
def test_clean_stop_leaves_all_data_in_one_file(
    started: Service, tmp_path: Path
) -> None:
    started.put("/articles/a", {"title": "Một"})
    started.stop()
    copy = shutil.copy(tmp_path / "feedsvc.db", tmp_path / "copy.db")
    assert count_rows(copy, "entries") == 1
    started.command("token", "create", "lan")
    copy = shutil.copy(tmp_path / "feedsvc.db", tmp_path / "copy.db")
    assert count_rows(copy, "tokens") == 2


def count_rows(path: Path | str, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}")
    return int(count[0])


@pytest.mark.sqlite
def test_burst_of_connections_waits_for_no_retransmission(
    service: Service,
) -> None:
    workers = service.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    address = ("127.0.0.1", service.port)
    try:
        # They wait in the queue of the socket; TCP drops those that find no room.
        with ExitStack() as stack:
            for _ in range(300):
                connection = socket.create_connection(address, timeout=0.9)
                stack.enter_context(connection)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
