"""A subscriber on 127.0.0.1 that records requests and responds as a test wants."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FOREVER = 30.0


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    target: str
    headers: Message
    body: bytes
    at: float

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters in the query or the form."""
        query = (
            self.body.decode() if self.method == "POST" else urlsplit(self.target).query
        )
        return {name: values[-1] for name, values in parse_qs(query).items()}


Behaviour = Callable[["Handler", Received], None]
"""Respond to a request."""


def echo(handler: Handler, got: Received) -> None:
    """Confirm, and accept deliveries."""
    handler.reply(
        200,
        got.parameters.get("hub.challenge", "").encode()
        if got.method == "GET"
        else b"",
    )


def status(code: int, **headers: str) -> Behaviour:
    """Confirm, and respond to deliveries with a status."""

    def answer(handler: Handler, got: Received) -> None:
        if got.method == "GET":
            echo(handler, got)
        else:
            handler.reply(code, b"", **headers)

    return answer


def hang(handler: Handler, got: Received) -> None:
    """Confirm, and never respond to a delivery."""
    if got.method == "GET":
        echo(handler, got)
    else:
        handler.server.ended.wait(FOREVER)


class Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = FOREVER

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        got = Received(self.command, self.path, self.headers, body, time.monotonic())
        callback = urlsplit(self.path).path
        with self.server.changed:
            self.server.received[callback].append(got)
            self.server.changed.notify_all()
        self.server.behaviours.get(callback, echo)(self, got)

    def do_POST(self) -> None:
        self.do_GET()

    def reply(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("0.0.0.0", 0), Handler)
        self.received: dict[str, list[Received]] = defaultdict(list)
        self.behaviours: dict[str, Behaviour] = {}
        self.changed = threading.Condition()
        self.ended = threading.Event()

    def handle_error(self, *args: Any) -> None:
        pass  # clients go away


class Subscriber:
    """Callbacks by path, on any host of 127.0.0.0/8."""

    def __init__(self, server: _Server) -> None:
        self._server, self.port = server, server.server_address[1]

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a callback."""
        return f"http://{host}:{self.port}{path}"

    def behave(self, path: str, behaviour: Behaviour) -> None:
        """Set how a callback responds from now on."""
        self._server.behaviours[path] = behaviour

    def got(
        self, path: str, method: str = "POST", count: int = 1, within: float = 10
    ) -> list[Received]:
        """Wait for a number of requests to a callback, and return them."""

        def requests() -> list[Received]:
            return [
                request
                for request in self._server.received[path]
                if request.method == method
            ]

        with self._server.changed:
            is_complete = self._server.changed.wait_for(
                lambda: len(requests()) >= count, within
            )
            assert is_complete, (
                f"{path} got {len(requests())} of {count}: {self._server.received[path]}"
            )
            return requests()

    def wait_for(self, path: str, content: str | bytes, within: float = 10) -> Received:
        """Wait for a delivery that contains some text or bytes, and return it."""
        wanted = content.encode() if isinstance(content, str) else content

        def find() -> Received | None:
            for request in self._server.received[path]:
                if request.method == "POST" and wanted in request.body:
                    return request
            return None

        with self._server.changed:
            request = self._server.changed.wait_for(find, within)
            assert request, f"{path} got no {content!r}: {self._server.received[path]}"
            return request

    def count(self, path: str, method: str = "POST") -> int:
        """Return the number of requests to a callback until now."""
        with self._server.changed:
            return sum(
                request.method == method for request in self._server.received[path]
            )


@contextmanager
def run_subscriber() -> Iterator[Subscriber]:
    """Run a subscriber."""
    server = _Server()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    try:
        yield Subscriber(server)
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
