"""Connections to workers of which it is known which one: a kept connection stays with the one that took it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.server import Service


class Answer(NamedTuple):
    """What was answered; headers by their names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """A connection to one worker."""

    def __init__(self, service: Service, pid: int) -> None:
        self._service, self._pid = service, pid
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str, document: Any = None, **headers: str
    ) -> Answer:
        """A request that this worker answers; names of headers have underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if document is not None:
            sent |= {
                "Authorization": f"Bearer {self._service.token}",
                "Content-Type": "application/json",
            }
        body = json.dumps(document).encode() if document is not None else None
        for _ in range(2):
            connection = self._connection = self._connection or self._find()
            try:
                connection.request(method, path, body, sent)
                found = connection.getresponse()
                content = found.read()
            except (http.client.RemoteDisconnected, ConnectionError):  # kept too long
                self.close()
                continue
            names = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, names, content)
        raise AssertionError("the worker answers no more")

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _find(self) -> http.client.HTTPConnection:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            connection = http.client.HTTPConnection(
                "127.0.0.1", self._service.port, timeout=30
            )
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            if self._is_mine(connection.sock.getsockname()[1]):
                return connection
            connection.close()
        raise AssertionError("the worker takes no connection")

    def _is_mine(self, port: int) -> bool:
        """Whether the worker holds the other end of a connection from a port."""
        rows = [
            line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        ]
        ends = (f":{self._service.port:04X}", f":{port:04X}")
        inodes = {row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends}
        held = set()
        for file in Path(f"/proc/{self._pid}/fd").iterdir():
            try:
                held.add(str(file.readlink()))
            except OSError:
                continue
        return any(f"socket:[{inode}]" in held for inode in inodes)


@contextmanager
def lines(service: Service) -> Iterator[list[Line]]:
    """One to each worker."""
    made = [Line(service, pid) for pid in service.workers()]
    try:
        yield made
    finally:
        for line in made:
            line.close()
