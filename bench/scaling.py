"""Measure the growth of cost with entries, categories and the cache."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from werkzeug.test import create_environ

from bench.cache_miss import CATEGORY, COMBINATION, get, seeded_app
from bench.dataset import BODY, count_categories
from bench.table import Effort, alternate
from feedsvc.models import SCOPES
from feedsvc.services import get_services


@dataclass(frozen=True)
class Line:
    """The cost at each size, in a unit; `panel` says what the sizes are."""

    panel: str
    name: str
    unit: str
    points: dict[int, float]


def lines(apps: dict[int, Flask], effort: Effort) -> Iterator[Line]:
    """Measure each cost at each size.

    :param apps: by the number of entries in their database.
    """

    def medians(runs: Mapping[int, Callable[[], float]]) -> dict[int, float]:
        columns = zip(*alternate(*runs.values(), rounds=effort.rounds * 3), strict=True)
        return dict(zip(runs, map(statistics.median, columns), strict=True))

    for name, path in (("a category", CATEGORY), ("ten categories", COMBINATION)):
        points = medians({size: partial(get, app, path) for size, app in apps.items()})
        yield Line("A cold feed, over entries in the database", name, "ms", points)
    puts = {
        size: partial(_milliseconds, putting(app), time.perf_counter)
        for size, app in apps.items()
    }
    points = medians(puts)
    yield Line("A PUT, over entries in the database", "by the clock", "ms", points)
    syncs = {
        count_categories(size): partial(_milliseconds, get_services(app).cache.sync)
        for size, app in apps.items()
    }
    points = medians(syncs)
    yield Line("A read of the change log, over categories", "no change", "ms", points)
    with seeded_app(1_000, cached=True) as app:
        points = dict(_cache_hits(app, effort))
        yield Line(
            "A cached response, over cached feeds", "without gunicorn", "µs", points
        )


def putting(app: Flask) -> Callable[[], None]:
    """Return a function that puts one article, a new version each time."""
    token = get_services(app).storage.tokens.create("bench", SCOPES)
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    numbers = itertools.count()

    def put() -> None:
        document = {
            "title": f"Bài {next(numbers)}",
            "content_html": BODY,
            "categories": ["c7"],
        }
        response = client.put("/api/v1/articles/put", json=document, headers=headers)
        assert response.status_code in (200, 201)

    return put


def _cache_hits(app: Flask, effort: Effort) -> Iterator[tuple[int, float]]:
    """Yield the microseconds of a response with so many feeds in the cache."""
    pairs = itertools.combinations(sorted(f"c{number}" for number in range(20)), 2)
    paths = (f"/feeds/news/{first},{second}.rss" for first, second in pairs)
    environs = [
        create_environ(path, query_string=f"limit={limit}&content=summary")
        for path, limit in itertools.product(paths, range(1, 12))
    ]
    largest = effort.cached_feeds[-1]
    for count in effort.cached_feeds:
        # As many requests for each count, so that their medians compare.
        requests = environs[:count] * max(1, largest // count)
        times = [
            _milliseconds(partial(_request_all, app, requests))
            for _ in range(effort.rounds * 3)
        ]
        yield count, statistics.median(times) / len(requests) * 1000
        assert get_services(app).cache.stats()[0] == count


def _request_all(app: Flask, environs: Iterable[dict[str, Any]]) -> None:
    for environ in environs:
        for _ in app.wsgi_app(environ, _start_response):
            pass


def _start_response(status: str, *_: object) -> Callable[[bytes], object]:
    assert status == "200 OK"
    return bytes


def _milliseconds(
    action: Callable[[], object], clock: Callable[[], float] = time.thread_time
) -> float:
    begin = clock()
    action()
    return (clock() - begin) * 1000
