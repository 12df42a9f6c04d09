"""Clients that send or read slowly, without a proxy: others do not wait for them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from errno import ECONNRESET
from shutil import which

import pytest
import requests

from feedsvc.models import SCOPES
from feedsvc.server import worker
from feedsvc.server.worker import BufferedSocket
from tests.conftest import RecordMeasurement
from tests.server import Service

HEAD = b"GET /feeds/news.rss HTTP/1.1\r\nHost: a\r\n"


def post(length: int) -> bytes:
    return (
        b"POST /api/v1/articles HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % length
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start one service for all tests of this module."""
    service = Service(f"sqlite:///{tmp_path_factory.mktemp('slow')}/feedsvc.db")
    service.start()
    service.make_token(*SCOPES)
    yield service
    service.stop()


def put_long_article(service: Service) -> None:
    html = "<p>" + "Dài. " * 50_000 + "</p>"
    assert service.request(
        "PUT", "/api/v1/articles/a", {"title": "Dài", "content_html": html}
    ).ok


@pytest.fixture
def slow(service: Service) -> Iterator[Callable[..., socket.socket]]:
    """Return a function that opens a connection, sends some bytes and leaves it open."""
    with ExitStack() as stack:

        def opened(data: bytes, buffer: int = 0) -> socket.socket:
            made = stack.enter_context(socket.socket())
            if buffer:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            made.settimeout(30)
            made.connect(("127.0.0.1", service.port))
            made.sendall(data)
            return made

        yield opened


Slow = Callable[..., socket.socket]


def response_seconds(service: Service, timeout: float = 20) -> float:
    begun = time.monotonic()
    try:
        assert requests.get(f"{service.url}/feeds/news.rss", timeout=timeout).ok
    except requests.RequestException:
        return timeout
    return time.monotonic() - begun


def probe(service: Service, seconds: float) -> list[float]:
    """Return the response times of a request every 50 ms."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found.append(response_seconds(service))
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.soak)])
def test_slow_clients_delay_nobody(
    service: Service,
    slow: Slow,
    seconds: float,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    put_long_article(service)
    authorization = f"Authorization: Bearer {service.token}\r\n".encode()
    for _ in range(15):
        slow(HEAD)
        slow(post(1000) + authorization + b"Content-Type: application/json\r\n\r\n{")
    for _ in range(10):
        slow(b"GET /feeds/news.rss HTTP/1.1\r\nHost: a\r\n\r\n" * 30, buffer=2048)
    taken = sorted(probe(service, seconds))
    within = sum(one <= time_factor for one in taken) / len(taken)
    record_measurement(
        "probes within 1 s beside 40 slow clients",
        f"{within:.1%} of {len(taken)}",
        "95 %",
    )
    assert within >= 0.95


FORM = b"POST /hub HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
STALLED = {
    "no body": FORM + b"Content-Length: 100\r\n\r\n",
    "a body whose length has leading zeros": FORM
    + b"Content-Length: 0000000000000000000100\r\n\r\n",
    "a body after 100 Continue": FORM
    + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
    "a chunked body": FORM + b"Transfer-Encoding: chunked\r\n\r\n",
    "a chunked body after 100 Continue": FORM
    + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    "a chunked body of a GET": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "a head that ends with LF": HEAD + b"\n",
    "a head whose last lines end with LF": HEAD[:-2] + b"\n\n",
}


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", STALLED)
def test_stalled_clients_hold_no_thread(
    service: Service,
    slow: Slow,
    name: str,
    rounds: int,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    seconds = []
    for _ in range(rounds):
        clients = [slow(STALLED[name]) for _ in range(200)]
        for _ in range(20):
            started = time.monotonic()
            assert requests.get(f"{service.url}/healthz", timeout=20).ok
            seconds.append(time.monotonic() - started)
        for client in clients:
            client.close()
    within = sum(one <= time_factor for one in seconds) / len(seconds)
    record_measurement(
        f"probes within 1 s beside 200 clients that do not send {name}",
        f"{within:.1%} of {len(seconds)}",
        "99 %",
    )
    assert within >= 0.99


def test_slow_readers_of_many_responses_hold_no_thread(
    service: Service, slow: Slow
) -> None:
    put_long_article(service)
    for _ in range(10):
        response_seconds(service)  # so that each worker has cached the feed
    for _ in range(100):
        slow((HEAD + b"\r\n") * 30, buffer=2048)
    for _ in range(20):
        assert requests.get(f"{service.url}/healthz", timeout=5).ok


@pytest.mark.bar
def test_half_requests_are_closed_in_time(
    service: Service,
    slow: Slow,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    authorization = b"Authorization: Bearer fsv_x\r\n"
    halves = (
        b"G",
        HEAD,
        post(1000) + b"\r\n{",
        post(200_000) + authorization + b"\r\n" + b" " * 70_000,
        b"POST /api/v1/articles HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        post(1000) + b"Expect: 100-continue\r\n\r\n",
    )
    for number in range(300):
        slow(halves[number % len(halves)])
    last = time.monotonic()
    answers = [
        threading.Thread(target=response_seconds, args=(service,)) for _ in range(8)
    ]
    for thread in answers:
        thread.start()
    for thread in answers:
        thread.join()
    taken = time.monotonic() - last
    record_measurement(
        "answered again after 300 half requests", f"{taken:.1f} s", "10 s"
    )
    assert taken < 10 * time_factor


@pytest.mark.skipif(not which("prlimit"), reason="prlimit is not installed")
def test_connections_above_the_soft_limit_of_files_are_accepted(
    sqlite_url: str,
) -> None:
    service = Service(sqlite_url, WEB_CONCURRENCY="1")
    service.within = ("prlimit", "--nofile=100:1000")
    service.command("db", "upgrade")
    service.start()
    workers = service.workers()
    with ExitStack() as stack:
        for _ in range(150):
            address = ("127.0.0.1", service.port)
            client = stack.enter_context(socket.create_connection(address))
            client.sendall(HEAD)
        assert requests.get(f"{service.url}/readyz", timeout=5).ok
        assert service.workers() == workers
    service.stop()


@pytest.mark.bar
def test_trickling_request_is_closed(
    service: Service,
    slow: Slow,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    """One that never ends its head, and one that never ends its body, a byte at a time."""

    def trickle(start: bytes, drip: bytes) -> float:
        connection, begun = slow(start), time.monotonic()
        connection.settimeout(0.2)
        while time.monotonic() - begun < 60:
            try:
                connection.sendall(drip)
                if not connection.recv(100):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return time.monotonic() - begun

    with ThreadPoolExecutor(2) as pool:
        head, body = pool.map(trickle, (HEAD, post(1000) + b"\r\n"), (b"A", b" "))
    record_measurement("trickling head is closed after", f"{head:.1f} s", "7 s")
    record_measurement("trickling body is closed after", f"{body:.1f} s", "10 s")
    assert 4.9 < head < 5 + 2 * time_factor
    assert 7.9 < body < 8 + 2 * time_factor


@pytest.fixture
def pair() -> Iterator[tuple[BufferedSocket, socket.socket]]:
    """The service's end of a connection, and the client's."""
    ours, theirs = socket.socketpair()
    client = BufferedSocket(ours)
    client.setblocking(True)
    yield client, theirs
    client.close()
    theirs.close()


def test_long_body_has_time_by_its_length(
    pair: tuple[BufferedSocket, socket.socket],
) -> None:
    client, _ = pair
    client.received = worker.FREE_BYTES + 2 * worker.BODY_RATE
    client.elapsed[ECONNRESET] = worker.BODY_TIMEOUT + 1.8
    begun = time.monotonic()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert 0.15 < time.monotonic() - begun < worker.BODY_TIMEOUT


def test_response_that_is_not_read_is_aborted(
    pair: tuple[BufferedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BODY_TIMEOUT", 0.2)
    monkeypatch.setattr(worker, "RESPONSE_RATE", 100 << 20)
    begun = time.monotonic()
    with pytest.raises(BrokenPipeError):
        pair[0].sendall(bytes(10 << 20))
    assert 0.25 < time.monotonic() - begun < 5, "far off: it may be busy"


def test_requests_that_are_sent_at_once_take_one_buffer(
    pair: tuple[BufferedSocket, socket.socket],
) -> None:
    """However often the event loop looks for the rest of a request."""
    client, theirs = pair
    theirs.setblocking(False)
    for _ in range(10):
        with suppress(BlockingIOError):
            theirs.send(bytes(100_000))
        client.fill_buffer()
    assert len(client.buffer) == worker._BUFFER_BYTES
    assert not client.eof
