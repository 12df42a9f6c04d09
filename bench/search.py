"""Search feeds without a cache, and writes to the index, on SQLite and PostgreSQL.

All times are CPU time of the service and of PostgreSQL.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from unittest.mock import patch

from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.dataset import (
    START,
    CategorizedEntry,
    articles,
    count_categories,
    empty_database,
    open_app,
    write_database,
)
from bench.table import Effort, Row, compare, make_row
from bench.worst import server_ms
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.database import Database
from feedsvc.storage.search import SearchIndex
from feedsvc.storage.tables import entry_search

VOCABULARY = [f"w{number}" for number in range(5_000)]
FREQUENCIES = list(itertools.accumulate(1 / (rank + 3) for rank in range(5_000)))
"""As in a language: the thousandth word is a hundredth as frequent as the tenth."""

WORDS = 100
"""Words of an article, some of them repeated."""

REPETITIONS = 20
"""Requests of one measurement: the CPU time of a process is known to 10 ms."""

SEARCHES = (
    # The most frequent word, everywhere and in a small category.
    "/feeds/news.rss?q=all",
    "/feeds/news/c7.rss?q=all",
    # Two frequent words that never meet.
    "/feeds/news.rss?q=even+odd",
    "/feeds/news.rss?q=rare",
)


def rows(effort: Effort) -> Iterator[Row]:
    """Compare searches with their limits, and a PUT with one without the index.

    The rows are those of the slower database.
    """
    for count in effort.search_entries:
        by_database = []
        for kind in ("sqlite", "postgresql"):
            with (
                empty_database(kind) as (url, server),
                _seeded_app(url, count) as app,
            ):
                measured = [slowest_search(app, server, count, effort)]
                if count == max(effort.search_entries):
                    measured.append(put(app, server, count, effort))
                by_database.append(measured)
        for of_databases in zip(*by_database, strict=True):
            yield max(of_databases, key=lambda row: row.ratios[1])


def slowest_search(app: Flask, server: int | None, count: int, effort: Effort) -> Row:
    """Compare the slowest search of each round with the limit."""
    limit = 20.0 if count <= 100_000 else 100.0
    pairs = [
        (max(_cpu_ms(partial(_get, app, path), server) for path in SEARCHES), limit)
        for _ in range(effort.rounds)
    ]
    what = f"slowest cold search of {count:,} entries, against the limit"
    return make_row("cold", what, pairs, "≤ 1", unit="ms")


def put(app: Flask, server: int | None, count: int, effort: Effort) -> Row:
    """Compare a PUT with one that does not store words."""
    put_article = _putting(app)

    def put_without_index() -> float:
        with patch.object(SearchIndex, "store"):
            return _cpu_ms(put_article, server)

    what = f"a PUT of {WORDS} words to {count:,} entries, against none indexed"
    (row,) = compare(
        "writes",
        lambda: _cpu_ms(put_article, server),
        {what: (put_without_index, "≤ 1.25")},
        unit="ms",
        rounds=effort.rounds,
    )
    return row


def _get(app: Flask, path: str) -> None:
    get_services(app).storage.entry_cache.clear()
    _, status, _ = run_wsgi_app(app, create_environ(path), buffered=True)
    assert status.startswith("200 "), status


def _putting(app: Flask) -> Callable[[], None]:
    """Return a function that puts a new article each time."""
    token = get_services(app).storage.tokens.create("bench", SCOPES)
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    numbers, random = itertools.count(), Random(2)

    def put() -> None:
        document = {"title": "Bài", "content_text": _text(random), "categories": ["c7"]}
        path = f"/api/v1/articles/put-{next(numbers)}"
        assert client.put(path, json=document, headers=headers).status_code == 201

    return put


def _cpu_ms(action: Callable[[], object], server: int | None) -> float:
    """Return the milliseconds of CPU time of an action.

    :param server: the process id of PostgreSQL, which counts too.
    """
    server_begin, begin = server_ms(server), time.thread_time()
    for _ in range(REPETITIONS):
        action()
    own_ms = (time.thread_time() - begin) * 1000
    return (own_ms + server_ms(server) - server_begin) / REPETITIONS


def _text(random: Random) -> str:
    return " ".join(random.choices(VOCABULARY, cum_weights=FREQUENCIES, k=WORDS))


def _entries(count: int) -> Iterator[CategorizedEntry]:
    """Yield articles with the words that `SEARCHES` need; 20 of them have `rare`."""
    random = Random(1)
    for number, (entry, category_ids) in enumerate(articles(count)):
        words = [_text(random), "all", "odd" if number % 2 else "even"]
        if number % (count // 20) == 0:
            words.append("rare")
        text = " ".join(words)
        yield replace(entry, content_html=None, content_text=text), category_ids


@contextmanager
def _seeded_app(url: str, count: int) -> Iterator[Flask]:
    """Open an app without a cache, with so many articles."""
    settings = {"FEEDSVC_CACHE_BYTES": "0", "FEEDSVC_RATE_WRITES": "9999999/minute"}
    slugs = [f"c{number}" for number in range(count_categories(count))]
    with open_app(url, **settings) as app:
        if url.startswith("postgresql"):
            _write_postgresql(url, slugs, count)
        else:
            write_database(url, slugs, _entries(count), START)
        yield app


def _write_postgresql(url: str, slugs: list[str], count: int) -> None:
    """Write the articles first, then the indexes of words, which is much faster."""
    database = Database(url)
    try:
        with database.write() as connection:
            for index in entry_search.indexes:
                index.drop(connection)
        write_database(url, slugs, _entries(count), START)
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("SET statement_timeout = 0")
            for index in entry_search.indexes:
                index.create(connection)
            connection.exec_driver_sql("VACUUM ANALYZE")
    finally:
        database.close()
