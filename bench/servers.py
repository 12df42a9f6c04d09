"""The servers that are compared, each with one worker and the same articles."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.by_hand import create_table, make_article
from bench.documents import (
    CATEGORIES,
    article,
    articles,
    event,
    events,
    words,
)
from tests.fork_server import END_WITH_PARENT
from tests.server import ROOT, Service, free_port
from tests.waiting import wait_until

RELEASE = "3.2.0"
"""The version before, with which this one is compared."""

CACHED = "/feeds/news/c0.rss"
"""The feed that is requested again and again."""

PLAIN = {"Accept-Encoding": "identity"}
GZIP = {"Accept-Encoding": "gzip"}

Response = tuple[int, str, bytes]
"""The status, the ETag and the body."""

TOKEN = "a-token"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
NGINX_CONF = """
daemon off; user root; worker_processes 1; pid {folder}/pid;
events {{ }}
http {{
    access_log off; keepalive_timeout 300; keepalive_requests 1000000; gzip_static on;
    server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


class Server:
    """A process that listens on a port, and a connection to it."""

    def __init__(self, pid: int, port: int, token: str = TOKEN) -> None:
        self.pid = pid
        self.token = token
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str, headers: dict[str, str]) -> Response:
        """Send a request of a feed reader."""
        return self._request("GET", path, headers)

    def send(self, method: str, path: str, document: object) -> Response:
        """Send JSON as an editor's program does."""
        headers = {"Authorization": f"Bearer {self.token}"}
        headers["Content-Type"] = "application/json"
        return self._request(method, path, headers, json.dumps(document))

    def make_cold(self, number: int) -> None:
        """Write an article in the last category, and an event behind all others."""
        documents = {
            "articles": article(CATEGORIES - 1),
            "events": event(10_000 + number),
        }
        for collection, document in documents.items():
            path = f"/api/v1/{collection}/cold-{collection}-{number}"
            status, _, _ = self.send("PUT", path, document)
            if status == 201:
                continue
            assert status in (404, 405), status
            # The server takes no writes, and may not have read the body.
            self.connection.close()

    def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: str | None = None,
    ) -> Response:
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return (
            response.status,
            response.headers.get("ETag", ""),
            response.read(),
        )


def cpu_ms(pid: int) -> float:
    """Return the processor time so far of all threads of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    nanoseconds = 0
    for process in (pid, *children):
        for path in Path(f"/proc/{process}/task").glob("*/schedstat"):
            # `stat` counts hundredths of a second, more than some rounds take.
            # A thread may end meanwhile.
            with suppress(FileNotFoundError):
                nanoseconds += int(path.read_text().split()[0])
    return nanoseconds / 1e6


def start_servers(folder: Path, stack: ExitStack) -> dict[str, Server]:
    """Start all servers with the same articles."""
    other = f"{folder}/other.db"
    os.environ |= {
        "BENCH_DATABASE": other,
        "BENCH_TOKEN": TOKEN,
        # A server waits for its next round longer than gunicorn keeps connections.
        "GUNICORN_CMD_ARGS": "--keep-alive 300 --log-level warning",
        "WEB_CONCURRENCY": "1",
    }
    old = start_feedsvc(stack, unpack_release(folder, RELEASE), folder / "old.db")
    fill(old)
    # This version migrates a copy, since the API would take a minute again.
    with closing(sqlite3.connect(folder / "old.db")) as connection:
        connection.execute("VACUUM INTO ?", (f"{folder}/new.db",))
    new = start_feedsvc(stack, ROOT, folder / "new.db", old.token)
    create_table(f"sqlite:///{other}", [make_article(*item) for item in articles()])
    servers = {
        "feedsvc": new,
        RELEASE: old,
        "Django": start_gunicorn(stack, "bench.django_portal:application"),
        "by hand": start_gunicorn(stack, "bench.by_hand:app"),
    }
    if NGINX:
        # With `gzip_static` it sends the file with this suffix to who accepts gzip.
        path = Path(f"{folder}{CACHED}")
        path.parent.mkdir(parents=True)
        for suffix, headers in (("", PLAIN), (".gz", GZIP)):
            Path(f"{path}{suffix}").write_bytes(new.get(CACHED, headers)[2])
        port = free_port()
        command = (NGINX, "-e", f"{folder}/log", "-c")
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX_CONF.format(folder=folder, port=port))
        servers["nginx"] = start(stack, port, [*command, str(configuration)])
    return servers


def unpack_release(folder: Path, release: str, *paths: str) -> Path:
    """Unpack the code of a release from the repository; return its directory.

    :param paths: those to unpack; all if there is none.
    """
    root = folder / "release"
    root.mkdir()
    commit = f"$(git log -1 --format=%H --grep '^Release {release}$')"
    script = f"git archive {commit} {' '.join(paths)} | tar -x -C {root}"
    subprocess.run(script, shell=True, cwd=ROOT, check=True)
    return root


def start_feedsvc(
    stack: ExitStack, root: Path, database: Path, token: str = ""
) -> Server:
    """Start a version of this service, whose code is in a directory."""
    service = Service(f"sqlite:///{database}", PYTHONPATH=str(root))
    service.root = root
    # A forked process has the modules of this version.
    service.is_forked = False
    service.command("db", "upgrade")
    token = token or service.command("token", "create", "bench").strip()
    service.start()
    stack.callback(service.stop)
    assert service.process
    return Server(service.process.pid, service.port, token)


def fill(server: Server) -> None:
    """Send all categories and entries to the API."""
    for number in range(CATEGORIES):
        category = {"title": words(number, 3)}
        server.send("PUT", f"/api/v1/categories/c{number}", category)
    items: list[dict[str, Any]] = [
        {"action": "put", "kind": kind, "id": id, **document}
        for kind, documents in (("news", articles()), ("events", events()))
        for id, document in documents
    ]
    for first in range(0, len(items), 500):
        batch = items[first : first + 500]
        status, _, answer = server.send("POST", "/api/v1/batch", batch)
        assert status == 200, answer[:500]


def start_gunicorn(stack: ExitStack, app: str) -> Server:
    """Start an application in threads of one worker."""
    port = free_port()
    options = f"-b 127.0.0.1:{port} -k gthread --threads 4 --no-control-socket {app}"
    return start(stack, port, [sys.executable, "-m", "gunicorn", *options.split()])


def start(stack: ExitStack, port: int, command: Iterable[str]) -> Server:
    """Run a command until it listens."""
    process = subprocess.Popen([*END_WITH_PARENT, *command], cwd=ROOT)
    # Callbacks run in reverse order.
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens)
    return Server(process.pid, port)
