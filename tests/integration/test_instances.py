"""Two instances on one PostgreSQL give the same feeds, also after an outage."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from feedsvc.models import SCOPES
from tests.postgres import Cluster, throw_away
from tests.server import Service
from tests.waiting import wait_until

PATHS = (
    "/feeds/news.rss",
    "/feeds/news.atom",
    "/feeds/news.json",
    "/feeds/events.ics",
    "/feeds/news/giao-thong.rss",
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Start a cluster of the test's own, as the test stops it."""
    with throw_away() as running:
        yield running


@pytest.fixture
def instances(cluster: Cluster) -> Iterator[list[Service]]:
    with cluster.database() as url:
        public = {"FEEDSVC_PUBLIC_URL": "https://feeds.example", "WEB_CONCURRENCY": "1"}
        found = [Service(url, **public), Service(url, **public)]
        found[0].command("demo")
        token = found[0].make_token(*SCOPES)
        for service in found:
            service.token = token
            service.start()
        yield found
        for service in found:
            service.stop()


def responses(service: Service) -> list[tuple[str, bytes]]:
    found = [service.request("GET", path) for path in PATHS]
    assert all(answer.ok for answer in found)
    return [(answer.headers["ETag"], answer.content) for answer in found]


def test_two_instances_give_the_same_feeds(
    cluster: Cluster, instances: list[Service]
) -> None:
    one, two = instances
    assert responses(one) == responses(two)
    for number in range(4):
        writer, reader = (one, two) if number % 2 else (two, one)
        title = f"Tin số {number}"
        assert writer.request("PUT", f"/api/v1/articles/n{number}", {"title": title}).ok
        started_at = time.monotonic()
        while title not in reader.request("GET", "/feeds/news.rss").text:
            assert time.monotonic() < started_at + 10, "within a second when idle"
            time.sleep(0.01)
    wait_until(lambda: responses(one) == responses(two), 30)
    cluster.stop()
    for service in instances:
        assert all(service.request("GET", path).ok for path in PATHS * 2), (
            "cached feeds are still served"
        )
        refused = service.request("PUT", "/api/v1/articles/n0", {"title": "Sau"})
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
    cluster.start()
    wait_until(lambda: all(can_write(service) for service in instances), 60)
    wait_until(lambda: responses(one) == responses(two), 30)


def can_write(service: Service) -> bool:
    try:
        return service.request("PUT", "/api/v1/articles/n0", {"title": "Sau"}).ok
    except requests.RequestException:
        return False
