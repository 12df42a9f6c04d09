"""A subscriber on 127.0.0.1 whose callbacks answer as they are told to, and remember what they were sent."""

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
    def said(self) -> dict[str, str]:
        """What stands in the query, or in a form."""
        query = (
            self.body.decode() if self.method == "POST" else urlsplit(self.target).query
        )
        return {name: values[-1] for name, values in parse_qs(query).items()}


Behaviour = Callable[["_Handler", Received], None]
"""Answers a request."""


def echo(handler: _Handler, got: Received) -> None:
    """As a subscriber should."""
    handler.reply(
        200, got.said.get("hub.challenge", "").encode() if got.method == "GET" else b""
    )


def status(code: int, **headers: str) -> Behaviour:
    """Confirm, and answer deliveries with a status."""

    def answer(handler: _Handler, got: Received) -> None:
        if got.method == "GET":
            echo(handler, got)
        else:
            handler.reply(code, b"", **headers)

    return answer


def hang(handler: _Handler, got: Received) -> None:
    """Confirm, and never answer a delivery."""
    if got.method == "GET":
        echo(handler, got)
    else:
        handler.server.ended.wait(FOREVER)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = FOREVER

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        got = Received(self.command, self.path, self.headers, body, time.monotonic())
        callback = urlsplit(self.path).path
        with self.server.news:
            self.server.received[callback].append(got)
            self.server.news.notify_all()
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
        super().__init__(("0.0.0.0", 0), _Handler)
        self.received: dict[str, list[Received]] = defaultdict(list)
        self.behaviours: dict[str, Behaviour] = {}
        self.news = threading.Condition()
        self.ended = threading.Event()

    def handle_error(self, *args: Any) -> None:
        pass  # clients go away


class Subscriber:
    """Callbacks by path; the host is 127.0.0.1, or any other of that network."""

    def __init__(self, server: _Server) -> None:
        self._server, self.port = server, server.server_address[1]

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The URL of a callback."""
        return f"http://{host}:{self.port}{path}"

    def behave(self, path: str, behaviour: Behaviour) -> None:
        """From now on answer so."""
        self._server.behaviours[path] = behaviour

    def got(
        self, path: str, method: str = "POST", count: int = 1, within: float = 5
    ) -> list[Received]:
        """What came to a callback, once that is as much as is expected."""

        def found() -> list[Received]:
            return [one for one in self._server.received[path] if one.method == method]

        with self._server.news:
            enough = self._server.news.wait_for(lambda: len(found()) >= count, within)
            assert enough, (
                f"{path} has got {len(found())} of {count}: {self._server.received[path]}"
            )
            return found()

    def count(self, path: str, method: str = "POST") -> int:
        """How much came to a callback until now."""
        with self._server.news:
            return sum(one.method == method for one in self._server.received[path])


@contextmanager
def subscribing() -> Iterator[Subscriber]:
    """A subscriber, for a time."""
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
