"""Clients that write and read all the time, each request on a connection of its own."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import requests

from tests.server import Service
from tests.waiting import wait_until

WRITERS = 4


class Writer(threading.Thread):
    """Puts newer versions of an entry, and records the last acknowledged one."""

    def __init__(self, service: Service, name: str) -> None:
        super().__init__()
        self.service = service
        self.path = f"/api/v1/articles/{name}"
        self.sent = 0
        self.acknowledged = 0
        self.refusals: set[int] = set()
        self.broken_connections = 0
        self.is_stopping = False

    def run(self) -> None:
        while not self.is_stopping:
            self.sent += 1
            try:
                self._write_and_read()
            except requests.RequestException:
                # The connection ended with its worker: nothing was promised.
                self.broken_connections += 1
            # The workers that start meanwhile need the processor too.
            time.sleep(0.02)

    def _write_and_read(self) -> None:
        document = {"title": str(self.sent)}
        written = self.service.request("PUT", self.path, document)
        if written.ok:
            self.acknowledged = self.sent
        read = self.service.request("GET", "/feeds/news.rss")
        self.refusals |= {each.status_code for each in (written, read) if not each.ok}

    def check(self) -> None:
        """Assert that no acknowledged version is lost."""
        stored = int(self.service.request("GET", self.path).json()["title"])
        assert self.acknowledged <= stored <= self.sent


@contextmanager
def writing(service: Service, count: int = WRITERS) -> Iterator[list[Writer]]:
    """Run writers that have each had an answer, until the end of the context."""
    writers = [Writer(service, f"w{number}") for number in range(count)]
    for writer in writers:
        writer.start()
    try:
        wait_until_acknowledged(writers)
        yield writers
    finally:
        for writer in writers:
            writer.is_stopping = True
        for writer in writers:
            writer.join()


def wait_until_acknowledged(writers: list[Writer], timeout: float = 60) -> None:
    """Wait until each writer has had one answer more."""
    before = [(writer, writer.acknowledged) for writer in writers]
    wait_until(
        lambda: all(writer.acknowledged > count for writer, count in before),
        timeout,
    )


@contextmanager
def foreign_lock(database_url: str) -> Iterator[None]:
    """Hold the lock that every write needs."""
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(database_url.replace("+psycopg", "")) as other:
            other.execute("SELECT id FROM revisions FOR UPDATE")
            yield
