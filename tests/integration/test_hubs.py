"""WebSub hubs are told which feeds have changed, once by all workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from feedsvc.models import SCOPES
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases


class Hub(HTTPServer):
    """A hub that records the URLs that it is told, and fails at first if asked to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.topics: list[str] = []
        self.failures = 0


class HubHandler(BaseHTTPRequestHandler):
    """Answers a publisher."""

    server: Hub

    def do_POST(self) -> None:
        """Record a topic."""
        length = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(length).decode())
        assert form["hub.mode"] == ["publish"]
        if self.server.failures:
            self.server.failures -= 1
            self.send_error(500)
            return
        self.server.topics += form["hub.url"]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def publisher(database_url: str, hub: Hub) -> Iterator[Service]:
    service = Service(database_url, FEEDSVC_HUBS=hub.url)
    service.make_token(*SCOPES)
    service.start()
    parent = {"title": "Văn hóa"}
    assert service.request("PUT", "/api/v1/categories/van-hoa", parent).ok
    child = {"title": "Âm nhạc", "parent": "van-hoa"}
    assert service.request("PUT", "/api/v1/categories/am-nhac", child).ok
    yield service
    service.stop()


def topics(service: Service, *stems: str) -> list[str]:
    """Return the URLs of feeds in each format with hubs."""
    formats = ("rss", "atom", "json")
    return sorted(
        f"{service.url}/feeds/{stem}.{name}" for stem in stems for name in formats
    )


def test_hub_is_told_the_section_and_the_categories_once(
    publisher: Service, hub: Hub
) -> None:
    entry = {"title": "Hòa nhạc", "categories": ["am-nhac"]}
    assert publisher.request("PUT", "/api/v1/articles/a", entry).ok
    expected = topics(publisher, "news", "news/am-nhac", "news/van-hoa")
    wait_until(lambda: len(hub.topics) >= len(expected))
    assert sorted(hub.topics) == expected
    # The next change ends the wait for a second announcement of the first one.
    hub.topics.clear()
    event = {"title": "Hội", "start": "2040-01-01"}
    assert publisher.request("PUT", "/api/v1/events/e", event).ok
    wait_until(lambda: len(hub.topics) >= 3)
    assert sorted(hub.topics) == topics(publisher, "events")


def test_hub_is_told_when_a_scheduled_entry_appears(
    publisher: Service, hub: Hub
) -> None:
    published = datetime.now(UTC) + timedelta(seconds=2)
    entry = {"title": "Sau", "date_published": published.isoformat()}
    assert publisher.request("PUT", "/api/v1/articles/a", entry).ok
    wait_until(lambda: hub.topics)
    assert datetime.now(UTC) >= published


def test_failed_ping_is_repeated(publisher: Service, hub: Hub) -> None:
    hub.failures = 1
    assert publisher.request("PUT", "/api/v1/articles/a", {"title": "A"}).ok
    wait_until(lambda: set(topics(publisher, "news")) <= set(hub.topics))
    assert hub.failures == 0
