"""The worker's event loop: it answers cached responses exactly as a thread does."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.models import SCOPES
from tests.integration.nginx import NGINX, nginx
from tests.integration.test_raw_requests import CASES
from tests.server import Service
from tests.waiting import wait_until

FEED = "/feeds/news.rss"
TARGETS = (FEED, "/feeds/news/a.json?limit=5", "/entries/one", "/", "/feeds/news.rs%73")
CODINGS = ("identity", "gzip", "br", "zstd")
LONG = "<p>" + "Dài. " * 20_000 + "</p>"

MARKING_APP = '''
from wsgi import app

def mark(environ, start_response, wsgi_app=app.wsgi_app):
    """Add a header to each response that a thread makes, and break off one."""
    if environ["PATH_INFO"] == "/broken":
        start_response("200 OK", [("Content-Length", "2")])
        return (bytes([49 // part]) for part in (1, 0))
    def start(status, headers, *rest):
        return start_response(status, [*headers, ("X-Thread", "1")], *rest)
    return wsgi_app(environ, start)

app.wsgi_app = mark
'''


class RawResponse(NamedTuple):
    """All bytes that a connection sent back, without what differs each time."""

    text: bytes
    headers: list[bytes]
    is_from_loop: bool


StartService = Callable[..., Service]


@pytest.fixture(scope="module")
def start_service(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartService]:
    """Start services whose responses tell by a header that a thread made them."""
    folder = tmp_path_factory.mktemp("event-loop")
    (folder / "marking.py").write_text(MARKING_APP)
    database = folder / "feedsvc.db"
    database.write_bytes(sqlite_template.read_bytes())
    started: list[Service] = []

    def start(log: Path = Path(os.devnull), **environ: str) -> Service:
        service = Service(
            f"sqlite:///{database}",
            WEB_CONCURRENCY="1",
            PYTHONPATH=str(folder),
            PYTHONHASHSEED="0",  # Werkzeug writes Allow in the order of a set
            FEEDSVC_PUBLIC_URL="https://feeds.example",
            **environ,
        )
        service.url += environ.get("SCRIPT_NAME", "")
        started.append(service)
        service.start(log, app="marking:app")
        return service

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="module")
def services(start_service: StartService) -> tuple[Service, Service]:
    """Start a service with the event loop's answers, and one without, and fill them."""
    fast = start_service()
    slow = start_service(FEEDSVC_EVENT_LOOP="false")
    fast.make_token(*SCOPES)
    assert fast.request("PUT", "/api/v1/categories/a", {"title": "A"}).ok
    document = {"title": "Một", "categories": ["a"], "content_html": LONG}
    assert fast.request("PUT", "/api/v1/articles/one", document).ok
    for service in (fast, slow):
        warm(service)
    return fast, slow


def warm(service: Service) -> None:
    """Fill the cache, and wait until the feed states its last change."""
    wait_until(lambda: "Last-Modified" in requests.get(service.url + FEED).headers)
    for target in TARGETS:
        for coding in CODINGS:
            headers = {"Accept-Encoding": coding}
            assert requests.get(service.url + target, headers=headers).ok


def exchange(service: Service, data: bytes) -> RawResponse:
    """Send bytes on a connection, and return all that comes back."""
    received = b""
    with socket.create_connection(("127.0.0.1", service.port), 12) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(1 << 20):
                received += chunk
        except ConnectionError:
            pass
    head, separator, rest = received.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Date: ")]
    marked = b"X-Thread: 1"
    status = lines[0] if lines else b""
    rest = re.sub(rb"Date: [^\r]*\r\n|X-Thread: 1\r\n", b"", rest)
    headers = sorted(line for line in lines[1:] if line != marked)
    is_answer = b" 200 " in status or b" 304 " in status
    return RawResponse(
        status + separator + rest, headers, is_answer and marked not in lines
    )


def same_but_for_ids(one: RawResponse, other: RawResponse) -> bool:
    """Return whether two exchanges differ in nothing but request ids of our own."""
    own_id = re.compile(rb"X-Request-ID: [0-9a-f]{16}")

    def comparable(response: RawResponse) -> object:
        headers = [own_id.sub(b"X-Request-ID", line) for line in response.headers]
        return own_id.sub(b"", response.text), headers

    return comparable(one) == comparable(other)


@pytest.mark.parametrize("name", CASES)
def test_raw_request_gets_the_answer_of_a_thread(
    services: tuple[Service, Service], name: str
) -> None:
    data = CASES[name][0].replace(b"/healthz", FEED.encode())
    fast, slow = (exchange(service, data) for service in services)
    assert same_but_for_ids(fast, slow)
    assert not slow.is_from_loop


PLAIN_HEADERS = {
    "If-None-Match": ["*", '"x"', "W/", "TAG", "W/TAG", '"x", TAG', "tag", ""],
    "If-Modified-Since": ["DATE", "Thu, 26 Nov 2026 05:00:00 GMT", "yesterday", ""],
    "Accept-Encoding": [*CODINGS, "gzip;q=0, br", "*;q=0.5, gzip; q=0.1", "x;q=y", ""],
    "User-Agent": ["reader/1.0", 'say "one"', "a\\b%66sv_"],
    "Connection": ["close", "Keep-Alive", ""],
    "X-Request-ID": ["one", "a b", "", "x" * 65],
    "X-Forwarded-For": ["192.0.2.7, 192.0.2.8", "::1", "unknown", ""],
    "X-Forwarded-Proto": ["https", "http"],
    "Range": ["bytes=0-9"],
    "Cache-Control": ["no-cache"],
    "Cookie": ["a=b; c=d"],
}
ODD_HEADERS = {
    "Connection": ["close, TE", "upgrade", "x"],
    "Content-Length": ["0", "1", "-1", ""],
    "Expect": ["100-continue", "tea"],
    "Host": ["b"],
    "TE": ["trailers"],
    "Trailer": ["x"],
    "Transfer-Encoding": ["chunked", "identity"],
    "Upgrade": ["h2c", "websocket"],
    "User-Agent": ["đọc tin".encode().decode("latin-1"), "\xff", "a\0b", "a\rb"],
    "X-Forwarded-Ssl": ["on", "off"],
    "X_Request_ID": ["one"],
    "A b": ["c"],
    "": ["c"],
}
PLAIN_HOSTS = ["a", "feeds.example:80", "[::1]"]
ODD_HOSTS = ["", "a b", "a, b", "user@a", "a:b"]
ODD_TARGETS = ["//", f"{FEED}?x", f"{FEED}#x", "/unknown", "http://a/", "*", "/%zz", ""]
ODDITIES = ("method", "version", "end", "host", "target", "header", "repeated header")


def header(
    headers: dict[str, list[str]], names: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    """Spell a header in one of the ways that mean the same."""

    def spell(name: str) -> st.SearchStrategy[str]:
        spelling = st.sampled_from([name, name.lower(), name.upper(), name.swapcase()])
        space = st.sampled_from(["", " ", "\t ", "  "])
        value = st.sampled_from(headers[name])
        parts = st.tuples(spelling, st.just(":"), space, value, space)
        return parts.map("".join)

    return names.flatmap(spell)


@st.composite
def request_bytes(draw: st.DrawFn) -> bytes:
    """Make a request as feed readers send it, or with one oddity."""
    oddity = draw(st.sampled_from([None] * 2 * len(ODDITIES) + [*ODDITIES]))

    def pick(aspect: str, plain: Sequence[str], odd: Sequence[str]) -> str:
        return draw(st.sampled_from(odd if oddity == aspect else plain))

    method = pick("method", ["GET", "HEAD"], ["POST", "OPTIONS", "get", "DELETE"])
    target = pick("target", TARGETS, ODD_TARGETS)
    version = pick("version", ["HTTP/1.1"], ["HTTP/1.0", "HTTP/1", "HTTP/2.0", ""])
    end = pick("end", ["\r\n\r\n"], ["\n\n", "\r\n\r\nx", "\r\n \r\n\r\n", "\r\n"])
    names = draw(
        st.lists(st.sampled_from(list(PLAIN_HEADERS)), unique=True, max_size=5)
    )
    lines = [draw(header(PLAIN_HEADERS, st.just(name))) for name in names]
    lines.append(f"Host: {pick('host', PLAIN_HOSTS, ODD_HOSTS)}")
    if oddity == "header":
        lines.append(draw(header(ODD_HEADERS, st.sampled_from(list(ODD_HEADERS)))))
    if oddity == "repeated header":
        lines.append(draw(st.sampled_from(lines)))
    request = [f"{method} {target} {version}", *draw(st.permutations(lines))]
    return ("\r\n".join(request) + end).encode("latin-1")


@settings(
    max_examples=int(os.environ.get("API_EXAMPLES", "30")) * 8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def check_requests(
    services: tuple[Service, Service],
    validators: tuple[str, str],
    counts: list[bool],
    data: st.DataObject,
) -> None:
    request = data.draw(request_bytes())
    etag, date = validators
    request = request.replace(b"TAG", etag.encode()).replace(b"DATE", date.encode())
    fast, slow = (exchange(service, request) for service in services)
    assert same_but_for_ids(fast, slow)
    counts.append(fast.is_from_loop)


def test_any_request_gets_the_answer_of_a_thread(
    services: tuple[Service, Service],
) -> None:
    headers = requests.head(services[0].url + FEED).headers
    counts: list[bool] = []
    check_requests(services, (headers["ETag"], headers["Last-Modified"]), counts)
    assert sum(counts) >= len(counts) / 2, "most requests must take the fast way"


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("target", TARGETS)
def test_usual_requests_are_answered_by_the_event_loop(
    services: tuple[Service, Service], target: str, coding: str
) -> None:
    fast, slow = services
    url = fast.url + target
    headers = {"Accept-Encoding": coding}
    response = requests.get(url, headers=headers)
    assert "X-Thread" not in response.headers
    assert requests.get(slow.url + target, headers=headers).headers["X-Thread"] == "1"
    headers["If-None-Match"] = response.headers["ETag"]
    known = requests.get(url, headers=headers)
    assert (known.status_code, "X-Thread" in known.headers) == (304, False)
    assert "X-Thread" not in requests.head(url).headers


@pytest.mark.parametrize(
    "name",
    [
        "Accept-Encoding",
        "Host",
        "If-None-Match",
        "If-Modified-Since",
        "X-Forwarded-For",
    ],
)
def test_header_that_takes_long_to_parse_is_parsed_by_a_thread(
    services: tuple[Service, Service], name: str
) -> None:
    url = services[0].url + FEED
    assert "X-Thread" not in requests.get(url, headers={name: "x," * 128}).headers
    assert "X-Thread" in requests.get(url, headers={name: "x," * 129}).headers


def test_connections_are_ended_when_few_are_left(start_service: StartService) -> None:
    """Of 40 connections, 32 are for requests that threads answer."""
    service = start_service(GUNICORN_CMD_ARGS="--worker-connections 40")
    requests.get(service.url + FEED)

    def kept() -> list[bool]:
        with ExitStack() as stack:
            sessions = [stack.enter_context(requests.Session()) for _ in range(10)]
            paths = [FEED] * 9 + ["/healthz"]
            responses = [
                session.get(service.url + path)
                for session, path in zip(sessions, paths, strict=True)
            ]
            return [r.headers["Connection"] == "keep-alive" for r in responses]

    # The worker may not have seen yet that earlier connections were closed.
    wait_until(lambda: kept() == [True] * 8 + [False] * 2)


@pytest.mark.parametrize(
    "environ",
    [
        {"SCRIPT_NAME": "/feeds"},
        {"GUNICORN_CMD_ARGS": "--access-logformat %(s)s"},
        {"GUNICORN_CMD_ARGS": "--proxy-protocol=v1"},
    ],
    ids=["prefix", "log format", "proxy protocol"],
)
def test_settings_that_the_event_loop_does_not_know_switch_it_off(
    start_service: StartService, environ: dict[str, str]
) -> None:
    service = start_service(**environ)
    for _ in range(2):
        assert "X-Thread" in requests.get(service.url + FEED).headers


def test_coding_that_is_not_ready_is_made_by_a_thread(
    services: tuple[Service, Service],
) -> None:
    fast = services[0]
    url = f"{fast.url}/feeds/news.atom"
    assert requests.get(url, headers={"Accept-Encoding": "gzip"}).ok
    made = [
        "X-Thread" in requests.get(url, headers={"Accept-Encoding": "br"}).headers
        for _ in range(2)
    ]
    assert made == [True, False]


def test_connection_serves_both_ways_in_turn(services: tuple[Service, Service]) -> None:
    fast = services[0]
    with requests.Session() as session:
        ways = []
        for path in (FEED, "/healthz", FEED, FEED, "/healthz"):
            response = session.get(fast.url + path)
            assert response.ok
            ways.append("X-Thread" in response.headers)
    assert ways == [False, True, False, False, True]


def test_response_that_breaks_off_does_not_end_the_worker(
    services: tuple[Service, Service],
) -> None:
    fast = services[0]
    workers = fast.workers()
    broken = exchange(fast, b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
    assert broken.text.endswith(b"\r\n\r\n1")
    assert requests.get(f"{fast.url}/healthz").ok
    assert fast.workers() == workers


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
def test_requests_of_nginx_are_answered_by_the_event_loop(
    services: tuple[Service, Service], tmp_path: Path
) -> None:
    with nginx(tmp_path, services[0].port) as (url, _):
        response = requests.get(url + FEED, headers={"Accept-Encoding": "gzip"})
        assert response.ok
        assert "X-Thread" not in response.headers


@pytest.fixture(scope="module")
def large_feed(services: tuple[Service, Service]) -> str:
    """Return the path of a feed of which a socket does not take all at once."""
    fast = services[0]
    long = "<p>" + "long " * 36_000 + "</p>"
    document = {"title": "Dài", "categories": ["b"], "content_html": long}
    assert fast.request("PUT", "/api/v1/categories/b", {"title": "B"}).ok
    for number in range(20):
        assert fast.request("PUT", f"/api/v1/articles/long-{number}", document).ok
    plain = {"Accept-Encoding": "identity"}
    path = "/feeds/news/b.rss"
    assert len(requests.get(fast.url + path, headers=plain).content) > 3_000_000
    return path


def test_slow_readers_get_whole_responses_and_hold_no_thread(
    services: tuple[Service, Service], large_feed: str
) -> None:
    """More of them than the worker has threads, and without a copy for each."""
    fast = services[0]
    plain = {"Accept-Encoding": "identity"}
    body = requests.get(fast.url + large_feed, headers=plain).content
    request = (
        f"GET {large_feed} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: identity\r\n\r\n"
    )
    memory = resident_bytes(fast)
    clients = []
    for _ in range(40):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.settimeout(30)
        client.connect(("127.0.0.1", fast.port))
        client.sendall(request.encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        clients.append(client)
    assert requests.get(f"{fast.url}/healthz", timeout=5).ok
    assert resident_bytes(fast) - memory < 5 * len(body)
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        received = b""
        while not received.endswith(body[-200:]):
            chunk = client.recv(1 << 20)
            assert chunk
            received += chunk
        assert received.partition(b"\r\n\r\n")[2] == body
        client.sendall(request.encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        client.close()


def resident_bytes(service: Service) -> int:
    """Return the memory of the one worker."""
    status = Path(f"/proc/{service.workers()[0]}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_log_lines_of_both_ways_are_alike_and_complete(
    services: tuple[Service, Service], start_service: StartService, tmp_path: Path
) -> None:
    """Behind a trusted proxy, whose last address counts."""
    environ = {"FEEDSVC_TRUSTED_PROXIES": "1", "FEEDSVC_LOG_FORMAT": "json"}
    logs = []
    for name, event_loop in (("fast", "true"), ("slow", "false")):
        path = tmp_path / name
        service = start_service(path, FEEDSVC_EVENT_LOOP=event_loop, **environ)
        with requests.Session() as session:
            for number in range(100):
                headers = {
                    "X-Request-ID": f"id-{number}",
                    "X-Forwarded-For": f"198.51.100.1, 192.0.2.{number % 9}",
                    "User-Agent": 'say "one"' if number % 2 else "x\\",
                }
                method = "HEAD" if number % 5 == 0 else "GET"
                assert session.request(method, service.url + FEED, headers=headers).ok
        service.stop()
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        lines = [line for line in lines if line.get("target") == FEED]
        lines.sort(key=lambda line: line["request_id"])
        logs.append([{**line, "time": "", "ms": 0} for line in lines])
    assert len(logs[0]) == 100
    assert logs[0] == logs[1]
    assert {line["address"] for line in logs[0]} == {f"192.0.2.{n}" for n in range(9)}


def test_slow_readers_are_logged_when_the_service_stops(
    large_feed: str, start_service: StartService, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    service = start_service(log, GUNICORN_CMD_ARGS="--graceful-timeout 4")
    plain = {"Accept-Encoding": "identity"}
    assert requests.get(service.url + large_feed, headers=plain).ok
    request = f"GET {large_feed} HTTP/1.1\r\nHost: a\r\nUser-Agent: slow\r\n\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", service.port))
        client.sendall(request.encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        assert service.process
        service.process.send_signal(signal.SIGTERM)
        # Meanwhile no other connection waits for it.
        wait_until(lambda: not is_open(service.port), 3)
        assert '"slow"' not in log.read_text()
        service.process.wait(30)
    assert '"slow"' in log.read_text()


def is_open(port: int) -> bool:
    """Return whether connections are accepted, if only by the kernel."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_log_that_nobody_reads_delays_nobody(
    services: tuple[Service, Service], start_service: StartService, tmp_path: Path
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    service = start_service(path)
    url = service.url + FEED
    with requests.Session() as session:
        for _ in range(200):  # lines of 100 bytes and more
            assert session.get(url, timeout=5).ok
    assert service.workers()
    os.set_blocking(reader, True)
    text = b""
    while text.count(b"GET /feeds/news.rss") < 200:
        text += os.read(reader, 1 << 20)
    service.stop()
    os.close(reader)


def test_cached_responses_do_not_recycle_the_worker(
    start_service: StartService,
) -> None:
    service = start_service(
        GUNICORN_CMD_ARGS="--max-requests 100 --max-requests-jitter 0"
    )
    workers = service.workers()
    with requests.Session() as session:
        for _ in range(200):
            assert session.get(service.url + FEED).ok
    assert service.workers() == workers
    for _ in range(101):
        assert requests.get(f"{service.url}/healthz").ok
    wait_until(lambda: service.workers() not in ([], workers))
