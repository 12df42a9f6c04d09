"""Two instances on one database give the same responses, also during an outage."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import permutations

import pytest
import requests

from tests.conftest import CheckLimit
from tests.postgres import Cluster
from tests.server import Service
from tests.waiting import wait_until

FEEDS = """
/feeds/news.rss /feeds/news.atom /feeds/news.json?limit=5&page=2
/feeds/news/giao-thong,-van-hoa.html /feeds/events.ics /feeds.opml /
""".split()


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
    token = services[0].make_token()
    services[1].token = token
    with services[0], services[1]:
        yield services


def responses(service: Service) -> list[tuple[str, bytes]]:
    answers = [service.request("GET", path) for path in (*FEEDS, "/api/v1/changes")]
    assert all(answer.ok for answer in answers)
    return [(answer.headers["ETag"], answer.content) for answer in answers]


def write(service: Service) -> requests.Response:
    return service.request("PUT", "/api/v1/articles/n0", {"title": "Sau"})


@pytest.mark.both_databases
@pytest.mark.bar
def test_instances_give_the_same_bytes_within_a_second(
    instances: list[Service], check_limit: CheckLimit
) -> None:
    assert responses(instances[0]) == responses(instances[1])
    for number, (writer, reader) in enumerate(permutations(instances)):
        entry = {"title": f"Tin số {number}"}
        writer.put(f"/articles/n{number}", entry)
        written = time.monotonic()

        def has_entry(service: Service, title: str = entry["title"]) -> bool:
            return title in service.request("GET", "/feeds/news.rss").text

        assert has_entry(writer), "at once where it was written"
        wait_until(partial(has_entry, reader))
        seconds = time.monotonic() - written
        check_limit("from a write to another instance", seconds, 1)
    wait_until(lambda: responses(instances[0]) == responses(instances[1]))


@pytest.mark.postgresql
@pytest.mark.bar
def test_cached_feeds_are_served_while_postgresql_is_away(
    cluster: Cluster, instances: list[Service], check_limit: CheckLimit
) -> None:
    for service in instances:
        assert responses(service)
    with cluster.stopped():
        for service in instances:
            assert all(service.request("GET", path).ok for path in FEEDS)
            assert service.request("GET", "/healthz").ok
            for response in (
                write(service),
                service.request("GET", "/feeds/news.atom?limit=3"),
                service.request("GET", "/readyz"),
            ):
                assert response.status_code == 503
                assert int(response.headers["Retry-After"]) > 0
    started = time.monotonic()
    wait_until(lambda: all(write(service).ok for service in instances))
    seconds = time.monotonic() - started
    check_limit("from PostgreSQL's restart to writes", seconds, 5)
    wait_until(lambda: responses(instances[0]) == responses(instances[1]))
