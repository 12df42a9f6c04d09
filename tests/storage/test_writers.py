"""Concurrent writers of one entry."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import RecordMeasurement
from tests.server import Service

pytestmark = pytest.mark.both_databases

WRITERS = 4


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    """Start a worker process for each writer."""
    running = Service(database_url, WEB_CONCURRENCY=str(WRITERS))
    running.make_token("news:write")
    running.start()
    yield running
    running.stop()


def revise(service: Service, count: int) -> None:
    """Revise one article from several connections; count its versions."""

    def run(writer: int) -> set[int]:
        return {
            service.request(
                "PUT", "/api/v1/articles/a", {"title": f"{writer}.{number}"}
            ).status_code
            for number in range(count // WRITERS)
        }

    with ThreadPoolExecutor(WRITERS) as pool:
        statuses = set().union(*pool.map(run, range(WRITERS)))
    assert statuses <= {200, 201}
    article = service.request("GET", "/api/v1/articles/a").json()
    assert article["version"] == count


def test_every_revision_is_counted(service: Service) -> None:
    revise(service, 100)


@pytest.mark.soak
def test_every_one_of_2000_revisions_is_counted(
    service: Service, record_measurement: RecordMeasurement
) -> None:
    revise(service, 2000)
    record_measurement("revisions of one article by 4 processes", "2,000", "2,000")
