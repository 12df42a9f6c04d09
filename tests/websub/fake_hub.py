"""A hub on 127.0.0.1 that records pings and answers as a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from tests.waiting import wait_until


@dataclass(frozen=True)
class Ping:
    """A request to the hub."""

    form: dict[str, list[str]]
    """The values of each parameter."""
    at: float
    """The monotonic time at which it arrived."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.pings.append(Ping(parse_qs(body.decode()), time.monotonic()))
        if self.server.is_hanging:
            self.server.ended.wait(60)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


class FakeHub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/secret-path"
        self.status = 204
        """The status of its answers."""
        self.is_hanging = False
        """It does not answer."""
        self.pings: list[Ping] = []
        self.ended = threading.Event()

    def wait_for(self, count: int) -> list[Ping]:
        """Wait for a number of pings, and return all."""
        wait_until(lambda: len(self.pings) >= count)
        return self.pings


@contextmanager
def run_hub() -> Iterator[FakeHub]:
    """Run a hub in a thread."""
    with FakeHub() as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.ended.set()
            hub.shutdown()
            thread.join()
