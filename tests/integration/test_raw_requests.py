"""Malformed requests as bytes: each has one response, and no second request in it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest

from tests.server import Service

SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
"""A second request, which is answered if a body is taken for a request."""

BODY = b"\r\n0\r\n\r\n" + SMUGGLED


def post(*headers: bytes) -> bytes:
    return (
        b"POST /api/v1/articles HTTP/1.1\r\n"
        + b"\r\n".join((b"Host: a", *headers))
        + b"\r\n\r\n"
    )


def get(
    *headers: bytes, target: bytes = b"/healthz", version: bytes = b"HTTP/1.1"
) -> bytes:
    return (
        b"\r\n".join((b"GET " + target + b" " + version, b"Host: a", *headers))
        + b"\r\n\r\n"
    )


def host(value: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET /healthz " + version + b"\r\nHost: " + value + b"\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked"
CASES: dict[str, tuple[bytes, int]] = {
    # Where does the body end?
    "two lengths": (post(b"Content-Length: 5", b"Content-Length: 6") + BODY, 400),
    "the same length twice": (post(b"Content-Length: 5", b"Content-Length: 5") + BODY, 400),
    "a list of lengths": (post(b"Content-Length: 5, 6") + BODY, 400),
    "a length with a sign": (post(b"Content-Length: +5") + BODY, 400),
    "a negative length": (post(b"Content-Length: -1") + BODY, 400),
    "a length in hexadecimal": (post(b"Content-Length: 0x5") + BODY, 400),
    "a length with an underscore": (post(b"Content-Length: 1_0") + BODY, 400),
    "a length in other digits": (post("Content-Length: ٥".encode()) + BODY, 400),
    "no length in its header": (post(b"Content-Length:") + BODY, 400),
    "a length beyond all": (post(b"Content-Length: " + b"9" * 400) + BODY, 401),
    "a length and chunks": (post(b"Content-Length: 5", CHUNKED) + BODY, 400),
    "chunks and a length": (post(CHUNKED, b"Content-Length: 5") + BODY, 400),
    "chunks in HTTP/1.0": (post(CHUNKED).replace(b"/1.1", b"/1.0") + BODY, 400),
    "chunked twice": (post(CHUNKED, CHUNKED) + BODY, 400),
    "chunked, not last": (post(b"Transfer-Encoding: chunked, identity") + BODY, 400),
    "an unknown coding": (post(b"Transfer-Encoding: xchunked") + BODY, 501),
    "chunked with a quirk": (post(b"Transfer-Encoding: \x0bchunked") + BODY, 400),
    "chunked in quotes": (post(b'Transfer-Encoding: "chunked"') + BODY, 501),
    "space before the colon": (post(b"Transfer-Encoding : chunked") + BODY, 400),
    "underscore in the name": (post(b"Content_Length: 5"), 401),
    "a bad size of a chunk": (post(CHUNKED) + b"5g\r\nhello\r\n" + BODY, 401),
    "a chunk's size with a sign": (post(CHUNKED) + b"+5\r\nhello\r\n" + BODY, 401),
    "a chunk without an end": (post(CHUNKED) + b"5\r\nhelloXX" + BODY, 401),
    "a length in the trailer": (post(CHUNKED) + b"0\r\nContent-Length: 9\r\n\r\n", 401),
    "chunks that nobody sends": (post(CHUNKED), 401),
    "chunks behind a GET": (get(CHUNKED) + b"0\r\n\r\n" + SMUGGLED, 411),
    "chunks behind a GET of a feed": (get(CHUNKED, target=b"/feeds/news.rss") + b"0\r\n\r\n" + SMUGGLED, 411),
    "chunks behind a DELETE": (get(CHUNKED).replace(b"GET", b"DELETE") + BODY, 411),
    "chunks to the hub": (post(CHUNKED).replace(b"/api/v1/articles", b"/hub") + BODY, 410),
    "chunks to no address": (post(CHUNKED).replace(b"/api/v1", b"") + BODY, 404),
    # Where does a line end?
    "bare LF": (get().replace(b"\r\n", b"\n") + SMUGGLED, 400),
    "bare LF after a header": (get(b"A: b\nContent-Length: 5") + SMUGGLED, 400),
    "bare CR in a header": (get(b"A: b\rX: y"), 400),
    "a folded header": (get(b"A: b\r\n c"), 400),
    "a folded first header": (b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "NUL in a header": (get(b"A: b\0c"), 400),
    "NUL in the target": (get(target=b"/health\0z"), 400),
    "NUL in a name": (get(b"A\0: b"), 400),
    # What is asked for, and how?
    "no version": (b"GET /healthz\r\n\r\n", 400),
    "a version to come": (get(version=b"HTTP/3.0"), 400),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a bad method": (get().replace(b"GET", b"G(T"), 400),
    "a method in small letters": (get().replace(b"GET", b"get"), 400),
    "an unknown method": (get().replace(b"GET", b"BREW"), 405),
    "TRACE": (get().replace(b"GET", b"TRACE"), 405),
    "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 404),
    "asterisk form": (get(target=b"*"), 400),
    "a space in the target": (get(target=b"/health z"), 400),
    "no ASCII in the target": (get(target="/thời".encode()), 400),
    "a bad escape": (get(target=b"/%zz%"), 404),
    "a bad authority": (get(target=b"http://[::1/healthz"), 400),
    "two hosts": (get(b"Host: b"), 400),
    "two hosts that are equal": (get(b"Host: a"), 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "no host for an absolute form": (b"GET http://a/healthz HTTP/1.1\r\nA: b\r\n\r\n", 400),
    "an empty host": (host(b""), 400),
    "a host with a space": (host(b"a b"), 400),
    "a host with a path": (host(b"a/b"), 400),
    "a host with a user": (host(b"user@a"), 400),
    "a list of hosts": (host(b"a, b"), 400),
    "a host with a bad escape": (host(b"a%zz"), 400),
    "a host with a port that is none": (host(b"a:b"), 400),
    "a host with two ports": (host(b"a:1:2"), 400),
    "a port alone": (host(b":80"), 400),
    "half an IPv6 address": (host(b"[::1"), 400),
    "an IPv6 address without brackets": (host(b"::1"), 400),
    "a host beyond ASCII": (host("hà-nội.example".encode()), 400),
    "a bad host in HTTP/1.0": (host(b"a b", b"HTTP/1.0"), 400),
    "a bad name": (get(b"A b: c"), 400),
    "no name": (get(b": c"), 400),
    "no colon": (get(b"nothing"), 400),
    "another expectation": (post(b"Expect: tea", b"Content-Length: 0"), 417),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(400) + b"\n\n", 400),
    # How much of it?
    "a long target": (get(target=b"/" + b"a" * 8200), 414),
    "an endless target": (b"GET /" + b"a" * 100_000, 414),
    "a long header": (get(b"A: " + b"b" * 8200), 431),
    "an endless header": (b"GET /healthz HTTP/1.1\r\nA: " + b"b" * 1_000_000, 431),
    "many headers": (get(*(b"A%d: b" % number for number in range(64))), 431),
    "empty lines before it": (b"\r\n" * 1000 + get(), 400),
    # What is fine.
    "absolute form": (get(target=b"http://other.example/healthz"), 200),
    "a host with a port": (host(b"feeds.example:8000"), 200),
    "a host with an empty port": (host(b"feeds.example:"), 200),
    "an IPv6 address": (host(b"[::1]:8000"), 200),
    "an escaped host": (host(b"h%C3%A0_n.example"), 200),
    "no host in HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "many headers, not too many": (get(*(b"A%d: b" % number for number in range(60))), 200),
    "HTTP/1.0": (get(version=b"HTTP/1.0"), 200),
    "another path for gunicorn": (get(b"SCRIPT_NAME: /a"), 200),
    "contradicting schemes": (get(b"X-Forwarded-Proto: http", b"X-Forwarded-Ssl: on"), 200),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(f"sqlite:///{tmp_path_factory.mktemp('raw')}/feedsvc.db")
    service.start()
    yield service
    service.stop()


def send(service: Service, data: bytes) -> list[int]:
    """Send bytes, and return the status of each response."""
    with socket.create_connection(("127.0.0.1", service.port), 12) as connection:
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionError:
            pass
    return [
        int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) [A-Z]", received)
    ]


@pytest.mark.parametrize("name", CASES)
def test_malformed_request_has_one_response(service: Service, name: str) -> None:
    data, expected = CASES[name]
    assert send(service, data) == [expected]


def test_two_requests_have_two_responses(service: Service) -> None:
    assert send(service, SMUGGLED + SMUGGLED) == [200, 200]


def read_statuses(connection: socket.socket) -> list[int]:
    """Read until the service ends the connection, and return the statuses of its responses."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return [
        int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) [A-Z]", received)
    ]


HUB = b"POST /hub HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
EXPECT = b"Expect: 100-Continue \r\n"


def test_expect_gets_100_and_then_the_response(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 12) as connection:
        connection.sendall(
            HUB + EXPECT + b"Content-Length: 10\r\nConnection: close\r\n\r\n"
        )
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hub.mode=x")
        assert read_statuses(connection) == [410]


@pytest.mark.parametrize(
    "expect",
    [
        (HUB + EXPECT).replace(b"/1.1", b"/1.0")
        + b"Content-Length: 10\r\n\r\nhub.mode=x",
        HUB + EXPECT + b"Content-Length: 10\r\nConnection: close\r\n\r\nhub.mode=x",
    ],
    ids=["HTTP/1.0", "a body that is there"],
)
def test_expect_gets_no_100_if_the_client_does_not_wait(
    service: Service, expect: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 12) as connection:
        connection.sendall(expect)
        assert read_statuses(connection) == [410]


@pytest.mark.parametrize("expect", [b"", EXPECT], ids=["", "expect"])
def test_unread_chunked_body_ends_the_connection(
    service: Service, expect: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 12) as connection:
        connection.settimeout(
            4
        )  # less than the deadline of a body, and than what a drain of it takes
        connection.sendall(HUB + expect + CHUNKED + b"\r\n\r\n")
        assert read_statuses(connection) == [410]


def test_expect_gets_100_for_each_request_of_a_connection(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 12) as connection:
        for _ in range(2):
            connection.sendall(HUB + EXPECT + b"Content-Length: 10\r\n\r\n")
            assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"hub.mode=x")
            response = HTTPResponse(connection)
            response.begin()
            assert response.status == 410
            assert response.read()
