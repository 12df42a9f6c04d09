"""Malformed requests as bytes: each has one response, and no second request in it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.server import Service

SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
"""A second request, which is answered if a body is taken for a request."""

BODY = b"\r\n0\r\n\r\n" + SMUGGLED
CHUNKED = b"Transfer-Encoding: chunked"


def post(*headers: bytes) -> bytes:
    lines = (b"POST /api/v1/articles HTTP/1.1", b"Host: a", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def get(*headers: bytes) -> bytes:
    lines = (b"GET /healthz HTTP/1.1", b"Host: a", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n"


CASES: dict[str, bytes] = {
    "two lengths": post(b"Content-Length: 5", b"Content-Length: 6") + BODY,
    "a list of lengths": post(b"Content-Length: 5, 6") + BODY,
    "a length with a sign": post(b"Content-Length: +5") + BODY,
    "a length and chunks": post(b"Content-Length: 5", CHUNKED) + BODY,
    "chunks in HTTP/1.0": post(CHUNKED).replace(b"/1.1", b"/1.0") + BODY,
    "chunked, not last": post(b"Transfer-Encoding: chunked, identity") + BODY,
    "a space before the colon": post(b"Transfer-Encoding : chunked") + BODY,
    "a folded header": get(b"A: b\r\n c"),
    "two hosts": get(b"Host: b"),
    "bare LF": get().replace(b"\r\n", b"\n"),
    "bare CR in a header": get(b"A: b\rX: y"),
    "NUL in a header": get(b"A: b\0c"),
    "a long header": get(b"A: " + b"b" * 8200),
    "a long target": get().replace(b"/healthz", b"/" + b"a" * 8200),
    "many headers": get(*(b"A%d: b" % number for number in range(80))),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("raw")
    with Service(f"sqlite:///{folder}/feedsvc.db") as service:
        yield service


def send(service: Service, data: bytes) -> list[int]:
    """Send bytes, and return the status of each response within two seconds."""
    with socket.create_connection(
        ("127.0.0.1", service.port), 2
    ) as connection:
        received = b""
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(data)
            while chunk := connection.recv(65536):
                received += chunk
    statuses = re.findall(rb"HTTP/1\.[01] (\d{3}) [A-Z]", received)
    return [int(status) for status in statuses]


@pytest.mark.parametrize("name", CASES)
def test_malformed_request_has_one_response(
    service: Service, name: str
) -> None:
    (status,) = send(service, CASES[name])
    assert 400 <= status < 500 or status == 501


def test_body_of_a_get_is_no_request(service: Service) -> None:
    inner = get()
    chunks = b"%x\r\n" % len(inner) + inner + b"\r\n0\r\n\r\n"
    assert send(service, get(CHUNKED) + chunks) == [200]
