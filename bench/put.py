"""A PUT of one article, against an empty PUT view and the same statements in one durable transaction."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import requests
from pysqlite3 import dbapi2 as sqlite

from bench.environment import BODY, Setting
from bench.table import Row, compare
from feedsvc.storage.database import PRAGMAS
from tests.server import Service

TIMES = 40


def rows(setting: Setting) -> Iterator[Row]:
    """The median of each round."""
    empty = Service("sqlite://")
    empty.start(app="bench.baseline_wsgi:empty_put")
    try:
        yield from compare(
            "writes",
            lambda: _median(_put(setting.service)),
            {
                "a PUT of one article, p50, against an empty PUT of Flask and its statements bare": (
                    lambda: _median(_put(empty)) + _median(_bare),
                    "≤ 3",
                )
            },
            unit="ms",
        )
    finally:
        empty.stop()


def _put(service: Service) -> Callable[[], Iterator[float]]:
    def run() -> Iterator[float]:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {service.token}"
            for number in range(TIMES):
                document = {
                    "title": f"Bài {number}",
                    "content_html": BODY,
                    "categories": ["b"],
                }
                begun = time.perf_counter()
                assert session.put(
                    f"{service.url}/api/v1/articles/put", json=document, timeout=10
                ).ok
                yield time.perf_counter() - begun

    return run


def _bare() -> Iterator[float]:
    """What a PUT of an article writes: the ledger, a change, topics, the entry and a placement."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite.connect(f"{folder}/bare.db", isolation_level=None)
        for pragma in PRAGMAS:
            connection.execute("PRAGMA " + pragma.format(busy=5000, journal="WAL"))
        for table in (
            "change_sequence",
            "changes",
            "feed_versions",
            "entries",
            "entry_categories",
        ):
            connection.execute(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, seq INTEGER, text TEXT)"
            )
            connection.execute(f"INSERT INTO {table} VALUES (1, 0, '')")
        for number in range(TIMES):
            begun = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            for table in ("change_sequence", "feed_versions", "entries"):
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
            yield time.perf_counter() - begun
        connection.close()


def _median(run: Callable[[], Iterator[float]]) -> float:
    return statistics.median(run()) * 1000
