"""How cost grows: with the entries and categories of a table, and with the feeds that are kept."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from flask import Flask
from werkzeug.test import create_environ

from bench.cache_miss import CATEGORY, TEN, filed, filled, get
from bench.environment import BODY
from bench.table import in_turn
from feedsvc.feeds.cache import ResponseCache
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.web.cache_middleware import CacheMiddleware

TIMES = 40
KEPT = (1, 10, 100, 2_000)


@dataclass(frozen=True)
class Line:
    """What it costs, in a unit, at each size; `panel` says of what the sizes are."""

    panel: str
    what: str
    unit: str
    points: dict[int, float]


def lines(tables: dict[int, Flask]) -> Iterator[Line]:
    """:param tables: apps by the number of entries."""
    for what, path in (("a category", CATEGORY), ("ten categories", TEN)):
        found = _each({size: partial(get, app, path) for size, app in tables.items()})
        yield Line("A cold feed, over entries in the table", what, "ms", found)
    puts = {
        size: partial(_timed, putting(app), time.perf_counter)
        for size, app in tables.items()
    }
    yield Line("A PUT, over entries in the table", "by the clock", "ms", _each(puts))
    looks = {
        filed(size): partial(_timed, _kept(app).sync) for size, app in tables.items()
    }
    yield Line(
        "A look at the ledger, over categories", "nothing has moved", "ms", _each(looks)
    )
    with filled(1_000, keeping=True) as app:
        yield Line(
            "A hot answer, over feeds that are kept",
            "without gunicorn",
            "µs",
            dict(_hot(app)),
        )


def _each(runs: Mapping[int, Callable[[], float]]) -> dict[int, float]:
    figures = zip(*in_turn(*runs.values(), rounds=TIMES), strict=True)
    return dict(zip(runs, map(statistics.median, figures), strict=True))


def putting(app: Flask) -> Callable[[], None]:
    """What puts one article again and again, each time a new version of it."""
    token = get_services(app).storage.tokens.create("bench", SCOPES)
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    numbers = itertools.count()

    def put() -> None:
        document = {
            "title": f"Bài {next(numbers)}",
            "content_html": BODY,
            "categories": ["c7"],
        }
        assert client.put(
            "/api/v1/articles/put", json=document, headers=headers
        ).status_code in (200, 201)

    return put


def _hot(app: Flask) -> Iterator[tuple[int, float]]:
    """Of an answer where so many are kept, each asked for in turn."""
    pairs = itertools.combinations(sorted(f"c{number}" for number in range(20)), 2)
    paths = (f"/feeds/news/{one},{other}.rss" for one, other in pairs)
    asked = [
        create_environ(path, query_string=f"limit={limit}&content=summary")
        for path, limit in itertools.product(paths, range(1, 12))
    ]
    for count in KEPT:
        environs = asked[:count] * max(1, KEPT[-1] // count)
        took = [
            _timed(lambda environs=environs: _ask(app, environs))  # type: ignore[misc]
            for _ in range(TIMES)
        ]
        yield count, statistics.median(took) / len(environs) * 1000
        assert _kept(app).stats()[0] == count


def _ask(app: Flask, asked: Iterable[dict[str, Any]]) -> None:
    for environ in asked:
        for _ in app.wsgi_app(environ, _start):
            pass


def _start(status: str, *_: object) -> Callable[[bytes], object]:
    assert status == "200 OK"
    return bytes


def _timed(
    action: Callable[[], object], clock: Callable[[], float] = time.thread_time
) -> float:
    begun = clock()
    action()
    return (clock() - begun) * 1000


def _kept(app: Flask) -> ResponseCache:
    return cast(CacheMiddleware, app.wsgi_app).cache
