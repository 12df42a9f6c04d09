"""HTTP connections to known workers of a service."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.server import Service
from tests.waiting import wait_until


class WorkerResponse(NamedTuple):
    """A response, with header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class WorkerConnection:
    """A connection to one worker; a persistent connection stays with its worker."""

    def __init__(self, service: Service, pid: int) -> None:
        self._service = service
        self._pid = pid
        self._connection: http.client.HTTPConnection | None = None

    def request(
        self, method: str, path: str, document: Any = None, **headers: str
    ) -> WorkerResponse:
        """Send a request to the worker, with the token if there is a document.

        :param headers: header names with underscores instead of hyphens.
        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None
        if document is not None:
            sent["Authorization"] = f"Bearer {self._service.token}"
            sent["Content-Type"] = "application/json"
            body = json.dumps(document).encode()
        for _ in range(2):
            connection = self._connection = self._connection or self._connect()
            try:
                connection.request(method, path, body, sent)
                response = connection.getresponse()
                content = response.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                self.close()  # the worker has ended the idle connection
                continue
            names = {name.lower(): value for name, value in response.getheaders()}
            return WorkerResponse(response.status, names, content)
        raise AssertionError("the worker does not respond any more")

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        """Connect until the kernel gives a connection to the worker."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            connection = http.client.HTTPConnection(
                "127.0.0.1", self._service.port, timeout=30
            )
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            if self._has_other_end(connection.sock.getsockname()[1]):
                return connection
            connection.close()
        raise AssertionError("the worker accepts no connection")

    def _has_other_end(self, port: int) -> bool:
        """Return whether the worker has the other end of a connection from a port."""
        table = Path("/proc/net/tcp").read_text().splitlines()[1:]
        rows = [line.split() for line in table]
        ends = (f":{self._service.port:04X}", f":{port:04X}")
        inodes = {row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends}
        open_files = set()
        for file in Path(f"/proc/{self._pid}/fd").iterdir():
            with suppress(OSError):
                open_files.add(str(file.readlink()))
        return any(f"socket:[{inode}]" in open_files for inode in inodes)


@contextmanager
def connect_workers(service: Service) -> Iterator[list[WorkerConnection]]:
    """Yield a connection to each worker."""
    # The service is ready as soon as one of them is.
    number = int(service.environ.get("WEB_CONCURRENCY", "2"))
    wait_until(lambda: len(service.workers()) == number)
    connections = [WorkerConnection(service, pid) for pid in service.workers()]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()
