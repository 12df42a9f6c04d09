"""Clients that stop reading occupy no thread, whatever they ask for, and little memory."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from feedsvc.wsgi import app
from tests.conftest import CheckLimit
from tests.integration.nginx import NGINX, nginx
from tests.integration.test_cost import Meter
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.sqlite

CLIENTS = 17
"""One more than a worker has threads."""

READ = 60_000
"""Bytes that a client reads before it stops."""

VARIABLES = {
    "<category_filter>": "a,-b",
    "<id>": "a1",
    "<path:filename>": "style.css",
    "<path:path>": "swagger-ui-bundle.js",
    "<slug>": "b",
}
"""Values of the variables in routes."""

FEEDS = [
    ("news", "rss"),
    ("news", "atom"),
    ("events", "json"),
    ("events", "html"),
    ("events", "ics"),
]
BODY = f"<p>{'Nội dung. ' * 1_600}</p>"
REFUSED = json.dumps([{"title": "T"}] * 600)
"""The items of a batch whose answer is long."""


class Target(NamedTuple):
    """A request of the service."""

    method: str
    path: str
    body: str = ""


def targets() -> Iterator[Target]:
    """Yield a request of each kind whose answer has a body."""
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for variable, value in VARIABLES.items():
            path = path.replace(variable, value)
        paths = {
            path.replace("<kind>", kind).replace("<suffix>", suffix)
            for kind, suffix in FEEDS
        }
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            for each in sorted(paths):
                assert "<" not in each, f"VARIABLES lacks one of {each}"
                if method in ("GET", "DELETE"):
                    yield Target(method, each)
                elif each.endswith("/batch"):
                    yield Target(method, each, REFUSED)
                else:
                    yield Target(method, each, '{"title": "T"}')


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    service = Service(database_url, WEB_CONCURRENCY="1")
    # The variables of `feedsvc serve` count for a process that is started anew.
    service.is_forked = False
    with service:
        service.put("/categories/a", {"title": "A"})
        service.put("/categories/b", {"title": "B"})
        for number in range(60):
            document = {
                "title": "T",
                "content_html": BODY,
                "categories": ["a"],
            }
            service.put(f"/articles/a{number}", document)
            event = {**document, "start": "2030-12-24T19:00:00"}
            service.put(f"/events/e{number}", event)
        yield service


def send_slowly(
    stack: ExitStack, url: str, service: Service, target: Target
) -> socket.socket:
    """Send a request; return the connection, whose client takes little at a time."""
    method, path, body = target
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        "Accept-Encoding: identity\r\n"
        f"Authorization: Bearer {service.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, port = url.removeprefix("http://").split(":")
    client = stack.enter_context(socket.socket())
    # Without these the kernel takes long answers as a whole on loopback.
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1_400)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    client.settimeout(60)
    client.connect((host, int(port)))
    client.sendall(f"{head}{body}".encode())
    return client


def read_part(client: socket.socket) -> None:
    """Read an answer as far as `READ`."""
    left = READ
    while left > 0 and (received := client.recv(left)):
        left -= len(received)


NUMBERS = count(1)


def check_threads(service: Service, target: object) -> None:
    """Check that a feed that is not cached, and a write, need less than a second."""
    number = next(NUMBERS)
    title = {"title": f"Bài {number}"}
    for method, path, document in (
        ("PUT", "/api/v1/articles/other", title),
        ("GET", f"/feeds/news.rss?limit={number % 40 + 1}", None),
    ):
        try:
            answer = service.request(method, path, document, timeout=1)
        except requests.Timeout:
            pytest.fail(f"{method} {path} waits for clients of {target}")
        assert answer.ok, (answer.text, target)


@pytest.mark.parametrize(
    "proxy",
    [False, pytest.param(True, marks=pytest.mark.soak)],
    ids=["direct", "nginx"],
)
def test_no_thread_waits_for_clients_that_stop_reading_and_go(
    service: Service, proxy: bool, tmp_path: Path
) -> None:
    if proxy and not NGINX:
        pytest.skip("nginx is missing")
    with ExitStack() as stack:
        url = service.url
        if proxy:
            url = stack.enter_context(nginx(tmp_path, service.port))
        for target in targets():
            with ExitStack() as clients:
                connections = [
                    send_slowly(clients, url, service, target) for _ in range(CLIENTS)
                ]
                for connection in connections:
                    read_part(connection)
                check_threads(service, target)
    # gunicorn ends a request three seconds after its client has gone.
    end = time.monotonic() + 5
    while time.monotonic() < end:
        check_threads(service, "any")


@pytest.mark.soak
@pytest.mark.parametrize(
    "path",
    [
        "/api/docs/swagger-ui-bundle.js",
        "/feeds/news.html",
        "/feeds/news.rss",
        "/api/v1/changes?limit=1000",
    ],
)
def test_a_thousand_clients_that_read_nothing_occupy_little(
    service: Service, path: str, check_limit: CheckLimit
) -> None:
    for number in range(100):
        document = {"title": "T", "content_text": "x" * 40_000}
        service.put(f"/articles/b{number}", document)
    assert service.request("GET", "/feeds/events.rss").ok
    meter = Meter(service)
    with ExitStack() as clients:
        connections = [
            send_slowly(clients, service.url, service, Target("GET", path))
            for _ in range(1_000)
        ]
        for connection in connections:
            assert connection.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 503")
        assert service.request("GET", "/feeds/events.rss", timeout=1).ok
        service.request("PUT", "/api/v1/articles/x", {"title": "T"}, timeout=1)
        check_limit(f"1,000 clients, {path}", meter.mib(), 110, "MiB")
    # What they occupied is free again.
    wait_until(lambda: service.request("GET", "/feeds/news.atom").ok)


def count_files(service: Service) -> int:
    """Return how many files and connections the worker has open."""
    (pid,) = service.workers()
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.fixture
def long_feed(service: Service) -> str:
    """Return the path of a feed that is longer than what the kernel keeps of it."""
    for number in range(20):
        document = {"title": "T", "content_text": "x" * 250_000}
        service.put(f"/articles/long{number}", document)
    return "/feeds/news.rss?content=full"


@pytest.mark.soak
def test_client_that_takes_nothing_for_a_minute_is_cut_off(
    service: Service, long_feed: str, check_limit: CheckLimit
) -> None:
    target = Target("GET", long_feed)
    with ExitStack() as stack:
        _, slow = (send_slowly(stack, service.url, service, target) for _ in range(2))
        wait_until(lambda: slow.recv(1))
        files = count_files(service)
        begin = time.monotonic()
        length = 1
        while count_files(service) == files:
            length += len(slow.recv(2_000))
            time.sleep(1)
        check_limit("a client that takes nothing", time.monotonic() - begin, 75)
        assert time.monotonic() > begin + 50
        # The other one, which took a little each second, gets the whole response.
        while received := slow.recv(65_536):
            length += len(received)
        assert length > 5_000_000


@pytest.mark.soak
def test_clients_that_fill_the_queue_are_cut_off_sooner(
    service: Service, long_feed: str, check_limit: CheckLimit
) -> None:
    def read() -> bool:
        return service.request("GET", f"/feeds/events.json?limit={next(NUMBERS)}").ok

    with ExitStack() as stack:
        for number in range(12):
            target = Target("GET", f"{long_feed}&limit={number + 20}")
            send_slowly(stack, service.url, service, target)
        wait_until(lambda: not read())
        begin = time.monotonic()
        wait_until(read)
        check_limit("a full queue", time.monotonic() - begin, 45)
