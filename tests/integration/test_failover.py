"""A primary that dies under load, its standby in its place: nothing that was answered 2xx is lost."""

from __future__ import annotations

import signal
import threading
import time

import pytest
import requests

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.integration.test_kill import WRITERS, Writer
from tests.postgres import standby_of, throw_away
from tests.server import Service
from tests.waiting import wait_until


class Readers(threading.Thread):
    """Asks for a feed that no write moves again and again, and notes what is no 200."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service, self.stopping, self.seen = service, False, 0
        self.failures: list[str] = []

    def run(self) -> None:
        with requests.Session() as session:
            while not self.stopping:
                answer = session.get(f"{self.service.url}/feeds/events.rss", timeout=10)
                self.seen += 1
                self.failures += [] if answer.status_code == 200 else [answer.text]
                time.sleep(0.005)


@pytest.mark.parametrize(
    ("before", "between"),
    [(0.7, 0.3), pytest.param(10, 5, marks=pytest.mark.soak)],
    ids=["short", "long"],
)
def test_failover_loses_no_write(
    before: float,
    between: float,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    with throw_away() as primary, standby_of(primary) as standby:
        primary.run("CREATE DATABASE failover TEMPLATE template")
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        url = (
            primary.url("failover").replace(f"127.0.0.1:{primary.port}", hosts)
            + "?target_session_attrs=read-write"
        )
        service = Service(url, WEB_CONCURRENCY="2")
        service.start()
        try:
            service.make_token(*SCOPES)
            writers = [Writer(service, f"w{number}") for number in range(WRITERS)]
            reader = Readers(service)
            threads: list[Writer | Readers] = [*writers, reader]
            for thread in threads:
                thread.start()
            time.sleep(before)
            wait_until(lambda: all(writer.acknowledged for writer in writers), 60)
            primary.stop(signal.SIGQUIT)
            time.sleep(between)
            assert standby.run("SELECT pg_promote()") == [(True,)]
            begun = time.monotonic()
            after = [writer.acknowledged for writer in writers]
            while not all(
                writer.acknowledged > old
                for writer, old in zip(writers, after, strict=True)
            ):
                end = begun + 5 * time_factor
                assert time.monotonic() < end, "writes are not answered again"
                time.sleep(0.01)
            record_measurement(
                "seconds from the promotion to writes",
                f"{time.monotonic() - begun:.2f}",
                "< 5",
            )
            for thread in threads:
                thread.stopping = True
                thread.join()
            assert reader.seen > 0
            assert reader.failures == []
            for writer in writers:
                assert set(writer.failures) <= {503}
                stored = int(
                    service.request("GET", f"/api/v1/articles/{writer.id}").json()[
                        "title"
                    ]
                )
                assert writer.acknowledged <= stored <= writer.sent
        finally:
            service.stop()
