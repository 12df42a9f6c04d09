"""Malformed requests as bytes: each has one response, and no second request in it."""

import re
import socket
from contextlib import suppress

import pytest

from tests.data import read
from tests.server import Service

HEAD = "GET /healthz HTTP/1.1\r\nHost: a\r\n"
CASES: dict[str, str] = {
    # Some have a second request, which is answered if a body is taken for a request.
    **read("raw_requests"),
    "a long header": f"{HEAD}A: {'b' * 8200}\r\n\r\n",
    "a long target": f"GET /{'a' * 8200} HTTP/1.1\r\nHost: a\r\n\r\n",
    "a length of 5,000 digits": (
        "POST /api/v1/articles HTTP/1.1\r\nHost: a\r\n"
        f"Content-Length: {'1' * 5_000}\r\n\r\n"
    ),
    "many headers": HEAD + "A: b\r\n" * 80 + "\r\n",
}


def send(service: Service, data: str) -> list[int]:
    """Send a text, and return the status of each response within two seconds."""
    address = ("127.0.0.1", service.port)
    with socket.create_connection(address, 2) as connection:
        received = b""
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(data.encode("latin-1"))
            while chunk := connection.recv(65536):
                received += chunk
    statuses = re.findall(rb"HTTP/1\.[01] (\d{3}) [A-Z]", received)
    return list(map(int, statuses))


@pytest.mark.parametrize("name", CASES)
def test_malformed_request_has_one_response(shared_service: Service, name: str) -> None:
    (status,) = send(shared_service, CASES[name])
    assert 400 <= status < 500 or status == 501


def test_body_of_a_get_is_no_request(shared_service: Service) -> None:
    inner = f"{HEAD}\r\n"
    chunks = f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n"
    outer = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n"
    assert send(shared_service, outer + chunks) == [200]
