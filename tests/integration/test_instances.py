"""Two instances on one database give the same responses, also during an outage."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.postgres import Cluster
from tests.server import Service
from tests.waiting import wait_until

PATHS = (
    "/feeds/news.rss",
    "/feeds/news.atom",
    "/feeds/news.json?limit=5&page=2",
    "/feeds/news/giao-thong,-van-hoa.html",
    "/feeds/events.ics",
    "/feeds.opml",
    "/",
    "/api/v1/changes",
)


@pytest.fixture
def instances(database_url: str) -> Iterator[list[Service]]:
    public = {
        "FEEDSVC_PUBLIC_URL": "https://feeds.example",
        "WEB_CONCURRENCY": "1",
    }
    # What differs between machines must not matter.
    elsewhere = {"PYTHONHASHSEED": "7", "TZ": "America/New_York"}
    services = [
        Service(database_url, **public),
        Service(database_url, **public, **elsewhere),
    ]
    services[0].command("demo")
    token = services[0].make_token(*SCOPES)
    services[1].token = token
    with services[0], services[1]:
        yield services


def responses(service: Service) -> list[tuple[str, bytes]]:
    answers = [service.request("GET", path) for path in PATHS]
    assert all(answer.ok for answer in answers)
    return [(answer.headers["ETag"], answer.content) for answer in answers]


def can_write(service: Service) -> bool:
    try:
        return service.request(
            "PUT", "/api/v1/articles/n0", {"title": "Sau"}
        ).ok
    except requests.RequestException:
        return False


@pytest.mark.both_databases
@pytest.mark.bar
def test_instances_give_the_same_bytes_within_a_second(
    instances: list[Service],
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    assert responses(instances[0]) == responses(instances[1])
    seconds = []
    for number in range(4):
        writer, reader = instances if number % 2 else reversed(instances)
        entry = {"title": f"Tin số {number}"}
        writer.put(f"/articles/n{number}", entry)
        written = time.monotonic()
        feed = writer.request("GET", "/feeds/news.rss")
        assert entry["title"] in feed.text, "at once where it was written"
        while (
            entry["title"] not in reader.request("GET", "/feeds/news.rss").text
        ):
            assert time.monotonic() < written + time_factor
        seconds.append(time.monotonic() - written)
    record_measurement(
        "from a write to another instance", f"{max(seconds):.2f} s", "1 s"
    )
    wait_until(lambda: responses(instances[0]) == responses(instances[1]))


@pytest.mark.postgresql
@pytest.mark.bar
def test_cached_feeds_are_served_while_postgresql_is_away(
    cluster: Cluster,
    instances: list[Service],
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    feeds = PATHS[:-1]
    for service in instances:
        assert all(service.request("GET", path).ok for path in feeds)
    with cluster.stopped():
        for service in instances:
            assert all(service.request("GET", path).ok for path in feeds)
            assert service.request("GET", "/healthz").ok
            refused = [
                service.request(
                    "PUT", "/api/v1/articles/n0", {"title": "Sau"}
                ),
                service.request("GET", "/feeds/news.atom?limit=3"),
                service.request("GET", "/readyz"),
            ]
            for response in refused:
                assert response.status_code == 503
                assert int(response.headers["Retry-After"]) > 0
    started = time.monotonic()
    wait_until(lambda: all(map(can_write, instances)), 5 * time_factor)
    record_measurement(
        "from PostgreSQL's restart to writes",
        f"{time.monotonic() - started:.2f} s",
        "5 s",
    )
    wait_until(lambda: responses(instances[0]) == responses(instances[1]))
