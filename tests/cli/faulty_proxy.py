"""A proxy that passes on requests and breaks one thing, for the tests of `check`."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Exchange:
    """A request and its response, which a fault changes; names are in lower case.

    `number` counts the requests of a proxy. A fault that sets `path` gets another
    response of the service.
    """

    method: str
    path: str
    sent: dict[str, str]
    number: int
    status: int = 0
    headers: dict[str, str] | None = None
    body: bytes = b""

    @property
    def response(self) -> dict[str, str]:
        """The headers of the response."""
        assert self.headers is not None
        return self.headers

    def replace(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Take another response, without what belonged to the first."""
        self.status = status
        self.headers = {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.body = body


NO_RESPONSE = -1
"""The status for closing the connection."""

Fault = Callable[[Exchange], None]
"""Called with the request, and again with the response: `status` is then not 0."""


@contextmanager
def faulty_proxy(
    port: int, fault: Fault, context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Pass on requests to a port; yield the URL of the proxy."""
    numbers = iter(range(1, 1 << 30))

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            sent = {name.lower(): value for name, value in self.headers.items()}
            exchange = Exchange(self.command, self.path, sent, next(numbers))
            fault(exchange)
            if not exchange.status:
                _forward(port, exchange)
                fault(exchange)
            if exchange.status == NO_RESPONSE:
                return
            self.send_response_only(exchange.status)
            body = exchange.body
            headers = {
                **exchange.response,
                "content-length": str(len(body)),
                "connection": "close",
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer()

        def do_HEAD(self) -> None:
            self.answer()

        def log_message(self, *arguments: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        scheme, host = ("https", "localhost") if context else ("http", "127.0.0.1")
        yield f"{scheme}://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _forward(port: int, exchange: Exchange) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(exchange.method, exchange.path, headers=exchange.sent)
        response = connection.getresponse()
        exchange.body = response.read()
        exchange.status = response.status
        exchange.headers = {
            name.lower(): value
            for name, value in response.getheaders()
            if name.lower() not in ("connection", "content-length")
        }
    finally:
        connection.close()
