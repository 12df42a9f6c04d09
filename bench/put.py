"""A PUT, against an empty PUT view and the same statements in one transaction."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import requests
from pysqlite3 import dbapi2 as sqlite

from bench.dataset import BODY
from bench.environment import UNUSED, Environment
from bench.table import Effort, Row, compare
from feedsvc.storage.database import PRAGMAS
from tests.server import Service

REPETITIONS = 40


def rows(environment: Environment, effort: Effort) -> Iterator[Row]:
    """Compare the median of each round."""
    empty = Service(UNUSED)
    empty.start(app="bench.baseline_wsgi:empty_put")
    what = (
        "a PUT of one article, p50, "
        "against an empty Flask view plus the same statements"
    )
    try:
        yield from compare(
            "writes",
            lambda: _median(_put_requests(environment.service)),
            {what: (lambda: _median(_put_requests(empty)) + _median(_bare), "≤ 3.0")},
            unit="ms",
            rounds=effort.rounds,
        )
    finally:
        empty.stop()


def _put_requests(service: Service) -> Callable[[], Iterator[float]]:
    def run() -> Iterator[float]:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {service.token}"
            for number in range(REPETITIONS):
                document = {
                    "title": f"Bài {number}",
                    "content_html": BODY,
                    "categories": ["b"],
                }
                url = f"{service.url}/api/v1/articles/put"
                begin = time.perf_counter()
                assert session.put(url, json=document, timeout=10).ok
                yield time.perf_counter() - begin

    return run


def _bare() -> Iterator[float]:
    """Write to as many tables as a PUT of an article, in a durable transaction."""
    read_tables = ("change_sequence", "feed_versions", "entries")
    tables = (*read_tables, "changes", "entry_categories")
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite.connect(f"{folder}/bare.db", isolation_level=None)
        for pragma in PRAGMAS:
            connection.execute("PRAGMA " + pragma.format(busy=5000, journal="WAL"))
        for table in tables:
            connection.execute(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, seq INTEGER, text TEXT)"
            )
            connection.execute(f"INSERT INTO {table} VALUES (1, 0, '')")
        for number in range(REPETITIONS):
            begin = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            for table in read_tables:
                connection.execute(f"SELECT * FROM {table} WHERE id = 1").fetchall()
                connection.execute(
                    f"UPDATE {table} SET seq = ?, text = ? WHERE id = 1", (number, BODY)
                )
            connection.execute("DELETE FROM entry_categories")
            for table in ("changes", "entry_categories"):
                connection.execute(
                    f"INSERT INTO {table} (seq, text) VALUES (?, ?)", (number, "put")
                )
            connection.execute("COMMIT")
            yield time.perf_counter() - begin
        connection.close()


def _median(run: Callable[[], Iterator[float]]) -> float:
    return statistics.median(run()) * 1000
