"""Workers are reloaded and stopped under load, and no request fails."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.sqlite

LENGTHS = pytest.mark.parametrize(
    "seconds", [2, pytest.param(20, marks=pytest.mark.soak)]
)


class Load:
    """Clients that read and write, each request on a connection of its own."""

    def __init__(self, service: Service, clients: int = 6) -> None:
        self.service, self.outcomes, self.stopping = service, Counter[str](), False
        self.threads = [
            threading.Thread(target=self._run, args=(number,))
            for number in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping = True
        for thread in self.threads:
            thread.join()

    def _run(self, number: int) -> None:
        while not self.stopping:
            try:
                if number % 2:
                    answer = self.service.request("GET", "/feeds/news.rss")
                else:
                    answer = self.service.request(
                        "PUT", f"/api/v1/articles/{number}", {"title": "Một"}
                    )
                outcome = str(answer.status_code)
            except requests.RequestException as error:
                outcome = type(error).__name__
            self.outcomes[outcome] += 1
            # The workers that start meanwhile need the processor too.
            time.sleep(0.05)

    def check(self, record_measurement: RecordMeasurement, what: str) -> None:
        """Assert that no request has failed."""
        failed = sum(
            count
            for outcome, count in self.outcomes.items()
            if outcome not in ("200", "201")
        )
        record_measurement(
            f"failed requests {what}", f"{failed} of {self.outcomes.total()}", "0"
        )
        assert not failed, self.outcomes


@pytest.fixture
def started(database_url: str) -> Iterator[Service]:
    """Return a service with a token, which its test starts."""
    made = Service(database_url)
    made.make_token(*SCOPES)
    yield made
    made.kill()


@LENGTHS
def test_reload_fails_no_request(
    started: Service, seconds: int, record_measurement: RecordMeasurement
) -> None:
    started.is_forked = False  # so that new workers import the code
    started.start()
    first = started.workers()
    assert started.process
    with Load(started) as load:
        for _ in range(seconds // 2 + 1):
            time.sleep(1)
            started.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(first) & set(started.workers()), 60)
        wait_until(lambda: load.outcomes["200"] > 20, 60)
    load.check(record_measurement, "while workers are reloaded")


@pytest.mark.bar
def test_requests_in_flight_at_sigterm_are_answered(
    started: Service, record_measurement: RecordMeasurement
) -> None:
    started.start()
    assert started.process
    for number in range(20):  # so that what follows takes its time
        document = {"title": "Dài", "content_html": "<p>" + "Dài. " * 20_000 + "</p>"}
        assert started.request("PUT", f"/api/v1/articles/{number}", document).ok

    def ask(number: int) -> int:
        lines = [
            {"action": "put", "kind": "news", "id": f"{number}-{line}", "title": "A"}
            for line in range(300)
        ]
        try:
            if number % 2:
                return started.request("GET", "/feeds/news.rss").status_code
            return started.request("POST", "/api/v1/batch", lines).status_code
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
