"""WebSub hubs are told the feeds that changed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from feedsvc.hubs import tell_hubs
from feedsvc.services import get_services
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.server import Service
from tests.waiting import wait_until

FORMATS = ("rss", "atom", "json")
PUBLIC = "https://feeds.example"


class Hub(ThreadingHTTPServer):
    """A hub that counts the URLs that it is told, by their path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hub"
        self.status = 204
        self.told: Counter[str] = Counter()
        self.paths: set[str] = set()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        with self.server.lock:
            assert form["hub.mode"] == ["publish"]
            self.server.told.update(form["hub.url"])
            self.server.paths.add(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


Tell = Callable[[], None]


@pytest.fixture
def tell(make_app: MakeApp, hub: Hub) -> Tell:
    """Return the function that a worker calls once a second; nothing is to be told."""
    services = get_services(make_app(hubs=(hub.url,)))
    return lambda: tell_hubs(services.database, services.site)


def feeds(*paths: str, public_url: str = PUBLIC) -> Counter[str]:
    """Return the URLs of feeds, each once."""
    return Counter(
        f"{public_url}/feeds/{path}.{format}" for path in paths for format in FORMATS
    )


@pytest.mark.both_databases
def test_hub_is_told_once_by_two_workers(database_url: str, hub: Hub) -> None:
    service = Service(database_url, FEEDSVC_HUBS=hub.url)
    service.make_token("news:write", "events:write", "categories:write")
    with service:
        for slug, document in (("a", {}), ("b", {"parent": "a"}), ("other", {})):
            path = f"/api/v1/categories/{slug}"
            assert service.request("PUT", path, {"title": slug, **document}).ok
        article = {"title": "x", "categories": ["b"]}
        assert service.request("PUT", "/api/v1/articles/1", article).ok
        expected = feeds("news", "news/a", "news/b", public_url=service.url)
        wait_until(lambda: hub.told >= expected)
        event = {"title": "x", "start": "2032-01-01"}
        assert service.request("PUT", "/api/v1/events/2", event).ok
        expected |= feeds("events", public_url=service.url)
        wait_until(lambda: hub.told >= expected)
        assert hub.told == expected


def test_new_database_is_migrated_before_hubs_are_told(
    tmp_path: Path, hub: Hub
) -> None:
    service = Service(f"sqlite:///{tmp_path}/new.db", FEEDSVC_HUBS=hub.url)
    log = tmp_path / "log"
    service.start(log)
    service.make_token("news:write")
    assert service.request("PUT", "/api/v1/articles/1", {"title": "x"}).ok
    wait_until(lambda: hub.told)
    service.kill()
    assert "WARNING" not in log.read_text()


@pytest.mark.both_databases
def test_only_public_entries_are_told(
    tell: Tell, hub: Hub, editor: ApiClient, clock: Clock, tick: Callable[[], None]
) -> None:
    editor.put("/articles/1", {"title": "x", "status": "draft"})
    later = "2026-11-26T00:00:00Z"
    editor.put("/events/2", {"title": "x", "start": later, "date_published": later})
    tell()
    assert not hub.told
    clock.forward(days=2)
    tick()
    tell()
    assert hub.told == feeds("events")


def test_deletion_is_not_told(tell: Tell, hub: Hub, editor: ApiClient) -> None:
    editor.put("/articles/1", {"title": "x", "categories": ["van-hoa"]})
    tell()
    assert hub.told == feeds("news", "news/van-hoa")
    assert editor.send("DELETE", "/articles/1").status_code == 204
    tell()
    assert hub.told == feeds("news", "news/van-hoa")


@pytest.mark.parametrize("status", [503, 302, 307])
def test_failed_hub_is_told_again_later_and_not_redirected(
    tell: Tell, hub: Hub, editor: ApiClient, clock: Clock, status: int
) -> None:
    hub.status = status
    editor.put("/articles/1", {"title": "x"})
    tell()
    tell()
    assert hub.told.total() == 1, "the others wait for the next attempt"
    hub.status = 204
    hub.told.clear()
    clock.forward(seconds=5)
    tell()
    clock.forward(hours=1)
    tell()
    assert hub.told == feeds("news")
    assert hub.paths == {"/hub"}


def test_delay_grows_with_each_failure(
    tell: Tell, hub: Hub, editor: ApiClient, clock: Clock
) -> None:
    hub.status = 503
    editor.put("/articles/1", {"title": "x"})
    url = next(iter(feeds("news")))
    for _ in range(100):
        tell()
        clock.forward(seconds=5)
    # After 0, 5, 15, 35, 75, 155 and 315 seconds.
    assert hub.told[url] == 7
