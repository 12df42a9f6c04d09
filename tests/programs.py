"""Programs and servers beside the service, such as nginx."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.fork_server import END_WITH_PARENT, ROOT
from tests.waiting import wait_until


@contextmanager
def running(
    command: list[Any],
    log: Path,
    is_ready: Callable[[], bool],
    cwd: Path = ROOT,
    **environ: str,
) -> Iterator[None]:
    """Run a command, with its output in a file, from when it is ready."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*END_WITH_PARENT, *command],
            cwd=cwd,
            env={**os.environ, **environ},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def check() -> bool:
        assert process.poll() is None, log.read_text()
        return is_ready()

    try:
        wait_until(check)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def answers(url: str) -> bool:
    """Tell if a server answers."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Run a server in a thread, and yield its URL."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


Response = tuple[int, list[tuple[str, str]], bytes]
"""The status, the sorted headers and the body."""


def send_raw(
    url: str,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes = b"",
) -> Response:
    """Send a target as it is, and exactly these headers; `requests` changes both."""
    host = url.removeprefix("http://")
    with closing(HTTPConnection(host, timeout=20)) as connection:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
    sent = [(name.lower(), value) for name, value in response.getheaders()]
    return response.status, sorted(sent), content
