"""`make run` pings hubs by the one `deliver` beside the server, which ends with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.server import Service
from tests.waiting import wait_until
from tests.websub.fake_hub import FakeHub, run_hub


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with run_hub() as running:
        yield running


@pytest.fixture
def running(database_url: str, hub: FakeHub) -> Iterator[Service]:
    service = Service(database_url, FEEDSVC_HUBS=hub.url)
    service.is_forked = False
    service.start(settings="server.dev_conf")
    service.make_token(*SCOPES)
    yield service
    if service.process and service.process.poll() is None:
        service.stop()


def deliver_processes(service: Service) -> list[int]:
    """Return the processes that ping hubs for a service, of any parent."""
    setting = f"PORT={service.port}".encode()
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            arguments = (path / "cmdline").read_bytes().split(b"\0")
            environ = (path / "environ").read_bytes().split(b"\0")
            if b"deliver" in arguments and setting in environ:
                pids.append(int(path.name))
    return pids


@pytest.mark.bar
def test_make_run_pings_within_a_second_and_stops_both(
    running: Service,
    hub: FakeHub,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    # Hubs are told of nothing that was written before `deliver` has started.
    while not hub.pings:
        put(running)
        time.sleep(0.5)
    delays = [delay_of_ping(running, hub) for _ in range(5)]
    record_measurement(
        "from a write to the hub, of `make run`", f"{max(delays):.2f} s", "1 s"
    )
    assert max(delays) <= time_factor, delays
    assert len(deliver_processes(running)) == 1
    running.stop()
    assert deliver_processes(running) == []


def put(service: Service) -> None:
    article = {"title": f"Tin lúc {time.monotonic()}"}
    assert service.request("PUT", "/api/v1/articles/a", article).ok


def delay_of_ping(service: Service, hub: FakeHub) -> float:
    """Return the seconds from the answer to a write to the arrival of its ping."""
    time.sleep(1.5)  # after the pings of earlier writes
    count = len(hub.pings)
    put(service)
    answered = time.monotonic()
    return hub.wait_for(count + 1)[count].at - answered


def test_deliver_ends_when_the_server_is_killed(running: Service) -> None:
    assert running.process
    wait_until(lambda: len(deliver_processes(running)) == 1)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    wait_until(lambda: deliver_processes(running) == [])


def test_make_serve_starts_no_deliver(service: Service) -> None:
    assert deliver_processes(service) == []
