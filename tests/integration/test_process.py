"""Workers are reloaded and stopped under load, and no request fails."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from feedsvc import __version__
from tests.conftest import RecordMeasurement
from tests.integration.writers import wait_until_acknowledged, writing
from tests.server import ROOT, Service
from tests.waiting import wait_until


@pytest.mark.parametrize("count", [1, pytest.param(11, marks=pytest.mark.soak)])
def test_reload_loads_new_code_and_fails_no_request(
    database_url: str,
    tmp_path: Path,
    count: int,
    record_measurement: RecordMeasurement,
) -> None:
    shutil.copytree(ROOT / "feedsvc", tmp_path / "feedsvc")
    service = Service(database_url, PYTHONPATH=str(tmp_path))
    service.root = tmp_path

    def version() -> str:
        document = service.request("GET", "/api/openapi.json").json()
        return str(document["info"]["version"])

    with service:
        assert service.process
        first = set(service.workers())
        assert version() == __version__
        with writing(service) as writers:
            for number in range(count):
                module = tmp_path / "feedsvc/__init__.py"
                module.write_text(f'__version__ = "99.{number}"\n')
                service.process.send_signal(signal.SIGHUP)
                wait_until(lambda: version() == f"99.{number}")  # noqa: B023
            wait_until(lambda: not first & set(service.workers()))
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
    service: Service, record_measurement: RecordMeasurement
) -> None:
    assert service.process
    for number in range(20):  # so that what follows takes its time
        document = {"title": "Dài", "content_html": "Dài. " * 20_000}
        service.put(f"/articles/{number}", document)

    def ask(number: int) -> int:
        item = {"action": "put", "kind": "news", "title": "A"}
        items = [{**item, "id": f"{number}-{each}"} for each in range(300)]
        try:
            # A worker runs four batches at once.
            if number % 3:
                return service.request("GET", "/feeds/news.rss").status_code
            return service.request("POST", "/api/v1/batch", items).status_code
        except requests.ConnectionError as error:
            # A connection that is opened after the signal may be refused.
            return 0 if "refused" in str(error) else -1

    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(ask, range(12))
        # The first hundred of its 300 items are stored.
        wait_until(lambda: service.request("GET", "/api/v1/articles/0-0").ok)
        service.process.send_signal(signal.SIGTERM)
    statuses = list(answers)
    assert service.process.wait(30) == 0
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
    service: Service, tmp_path: Path
) -> None:
    service.put("/articles/a", {"title": "Một"})
    service.stop()
    assert count_in_copy(tmp_path, "entries") == 1
    service.command("token", "create", "lan")
    assert count_in_copy(tmp_path, "tokens") == 2


@pytest.mark.sqlite
def test_stop_while_workers_import_the_package_is_soon(
    database_url: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "feedsvc", tmp_path / "feedsvc")
    begun = tmp_path / "begun"
    with (tmp_path / "feedsvc/wsgi.py").open("a") as module:
        module.write(
            f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
            "time.sleep(2)\n"
        )
    service = Service(database_url, PYTHONPATH=str(tmp_path), WEB_CONCURRENCY="1")
    service.root = tmp_path
    service.command("db", "upgrade")
    command = [service.python, "-m", "feedsvc", "serve"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=service.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(begun.exists)
        process.send_signal(signal.SIGTERM)
        # gunicorn would kill the worker after 25 s.
        assert process.wait(15) == 0


def count_in_copy(folder: Path, table: str) -> int:
    copy = shutil.copy(folder / "feedsvc.db", folder / "copy.db")
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    return len(rows)


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
                stack.enter_context(socket.create_connection(address, 0.9))
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
