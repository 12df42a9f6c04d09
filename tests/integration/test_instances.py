"""Two instances on one PostgreSQL, as on two machines: the same feeds within a second, through an outage too."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from feedsvc.models import SCOPES
from tests.postgres import Cluster, throw_away
from tests.server import Service

PATHS = (
    "/feeds/news.rss",
    "/feeds/news.atom",
    "/feeds/news.json",
    "/feeds/events.ics",
    "/feeds/news/giao-thong.rss",
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster that no other test works with."""
    with throw_away() as running:
        yield running


@pytest.fixture
def instances(cluster: Cluster) -> Iterator[list[Service]]:
    with cluster.database() as url:
        public = {"FEEDSVC_PUBLIC_URL": "https://feeds.example", "WEB_CONCURRENCY": "1"}
        found = [Service(url, **public), Service(url, **public)]
        found[0].command("init-demo")
        token = found[0].make_token(*SCOPES)
        for service in found:
            service.token = token
            service.start()
        yield found
        for service in found:
            service.stop()


def answers(service: Service) -> list[tuple[str, bytes]]:
    found = [service.request("GET", path) for path in PATHS]
    assert all(answer.ok for answer in found)
    return [(answer.headers["ETag"], answer.content) for answer in found]


def test_two_instances_give_the_same_feeds(
    cluster: Cluster, instances: list[Service]
) -> None:
    one, two = instances
    assert answers(one) == answers(two)
    for number in range(5):
        writer, reader = (one, two) if number % 2 else (two, one)
        title = f"Tin số {number}"
        assert writer.request("PUT", f"/api/v1/articles/n{number}", {"title": title}).ok
        begun = time.monotonic()
        while title not in reader.request("GET", "/feeds/news.rss").text:
            assert time.monotonic() < begun + 1
            time.sleep(0.01)
    time.sleep(1.2)
    assert answers(one) == answers(two)
    cluster.stop()
    for service in instances:
        assert all(service.request("GET", path).ok for path in PATHS * 2), (
            "what is kept is answered"
        )
        refused = service.request("PUT", "/api/v1/articles/n0", {"title": "Sau"})
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
    cluster.start()
    begun = time.monotonic()
    while not all(written(service) for service in instances):
        assert time.monotonic() < begun + 5, "writes are not answered again"
    time.sleep(1.2)
    assert answers(one) == answers(two)


def written(service: Service) -> bool:
    try:
        return service.request("PUT", "/api/v1/articles/n0", {"title": "Sau"}).ok
    except requests.RequestException:
        return False
