"""A real service: gunicorn with the settings of `make serve`, on 127.0.0.1."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Self

import requests

from feedsvc.models import SCOPES, utcnow
from feedsvc.storage.database import Database
from feedsvc.storage.migrations.runner import upgrade
from feedsvc.storage.tokens import create_token
from tests.fork_server import END_WITH_PARENT, ForkedProcess, run_module
from tests.fork_server import ROOT as ROOT
from tests.programs import answers
from tests.settings import read_settings
from tests.waiting import wait_until


def read_project_file(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


_SETTINGS = ("FEEDSVC_", "GUNICORN_", "HOST", "PORT", "WEB_CONCURRENCY")
"""Beginnings of the variables that the service itself reads."""

_WORKER_PORTS = 2_000
"""Ports for each process that runs tests."""

_port_numbers = itertools.count(os.getpid())


def free_port() -> int:
    """Return a port that is free, and that no other process will be given meanwhile.

    Linux gives those from 32,768 on to clients and to servers that ask for any port:
    one of them could take a port before the process that is to listen on it does.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    first = 12_000 + int(worker[2:]) % 10 * _WORKER_PORTS
    while True:
        port = first + next(_port_numbers) % _WORKER_PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Service:
    """One gunicorn and its database; `start`, `kill` and `start` again.

    As a context, it has a token of all scopes unless it has one, is started, and is
    killed at the end: a stop would take a second.
    """

    root = ROOT
    """The directory of its code."""

    python = sys.executable
    """The interpreter that runs it."""

    is_forked = True
    """True if its processes are forked, for speed, instead of started anew."""

    def __init__(self, database_url: str, **environ: str) -> None:
        self.port = free_port()
        host = environ.get("HOST", "127.0.0.1")
        self.url = f"http://{host}:{self.port}"
        others = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("FEEDSVC_")
        }
        self.environ = {
            **others,
            "PORT": str(self.port),
            "FEEDSVC_DATABASE_URL": database_url,
            "FEEDSVC_PUBLIC_URL": self.url,
            "FEEDSVC_RATE_WRITES": "1000000/minute",
            **environ,
        }
        self.within: tuple[str, ...] = ()
        """The words before each command, such as those of `nsenter`."""
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self.token = ""

    def __enter__(self) -> Self:
        if not self.token:
            self.make_token()
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def command(self, *arguments: str) -> str:
        """Run `python -m feedsvc …` and return what it prints."""
        module = ["feedsvc", *arguments]
        if self._can_fork():
            done = run_module(module, self.root, self.environ)
        else:
            done = subprocess.run(
                [*self.within, self.python, "-m", *module],
                cwd=self.root,
                env=self.environ,
                capture_output=True,
                text=True,
            )
        done.check_returncode()
        return done.stdout

    def _can_fork(self) -> bool:
        changed = self.environ.items() - os.environ.items()
        # Python reads others, such as PYTHONPATH and TZ, before they could be set.
        are_settings = all(name.startswith(_SETTINGS) for name, _ in changed)
        is_here = self.root == ROOT and not self.within
        return self.is_forked and are_settings and is_here

    def begin_body(
        self,
        stack: ExitStack,
        length: int,
        start: str = "PUT /api/v1/articles/x",
    ) -> socket.socket:
        """Send the head of a request whose body has a length; return the connection."""
        authorization = f"Authorization: Bearer {self.token}\r\n"
        head = (
            f"{start} HTTP/1.1\r\nHost: a\r\n{authorization if self.token else ''}"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        connection = socket.create_connection(("127.0.0.1", self.port))
        stack.enter_context(connection)
        connection.sendall(head.encode())
        return connection

    def make_token(self, *scopes: str) -> str:
        """Migrate the database and create a token, used by `request` from now on.

        :param scopes: all if there is none.
        """
        scopes = scopes or SCOPES
        if self.within:
            options = [f"--scope={scope}" for scope in scopes]
            self.command("db", "upgrade")
            created = self.command("token", "create", "test", *options)
            self.token = created.strip()
            return self.token
        with closing(self._upgraded_database()) as database:
            self.token = create_token(database, "test", scopes)
        return self.token

    def _upgraded_database(self) -> Database:
        """Migrate the database in this process, which is faster than a command."""
        database = Database(read_settings(self.environ).database_url, utcnow)
        upgrade(database)
        return database

    def start(self, log: Path = Path(os.devnull), *options: str) -> float:
        """Start it, its output to a file; return the seconds until it was ready.

        :param options: of gunicorn, or another application; without them it is started
            by `feedsvc serve`, or as that does.
        """
        begun = time.monotonic()
        gunicorn = ["gunicorn", "-c", "python:feedsvc.gunicorn_conf", *options]
        if self._can_fork():
            self._upgraded_database().close()
            self.process = ForkedProcess(gunicorn, self.root, self.environ, log, log)
        else:
            module = gunicorn if options else ["feedsvc", "serve"]
            words = (*END_WITH_PARENT, *self.within, self.python, "-m")
            with log.open("ab") as output:
                self.process = subprocess.Popen(
                    [*words, *module],
                    cwd=self.root,
                    env=self.environ,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        process = self.process

        def is_ready() -> bool:
            assert process.poll() is None, "gunicorn has ended"
            return answers(f"{self.url}/readyz")

        wait_until(is_ready, 30)
        seconds = time.monotonic() - begun
        self._wait_for_workers()
        return seconds

    def stop(self) -> None:
        """End it as an operator does."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def kill(self) -> None:
        """End the master and all workers at once, with no chance to tidy up."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _wait_for_workers(self) -> None:
        # The service is ready as soon as one of them is; tests signal or limit each.
        # A signal before a worker's event loop runs is lost, so that it would end only
        # when gunicorn kills it. Its other threads start just before.
        number = int(self.environ.get("WEB_CONCURRENCY", "2"))
        while not self.within and number > sum(
            len(os.listdir(f"/proc/{pid}/task")) > 1 for pid in self.workers()
        ):
            time.sleep(0.01)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        assert self.process
        pid = self.process.pid
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def request(
        self, method: str, path: str, document: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Send a request with the token, on a connection of its own."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Connection": "close",
            **kwargs.pop("headers", {}),
        }
        return requests.request(
            method,
            self.url + path,
            json=document,
            headers=headers,
            **{"timeout": 60, **kwargs},
        )

    def put(self, path: str, document: Any) -> requests.Response:
        """PUT a document to a path below /api/v1, which must succeed."""
        response = self.request("PUT", f"/api/v1{path}", document)
        assert response.ok, response.text
        return response
