"""Cached responses: against a bare function, other services, and while others write."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice, product

import requests

from bench.dataset import BODY
from bench.environment import PATH, RESPONSES, Environment
from bench.load import (
    full_load,
    latency_p99,
    max_rate,
    prioritized,
    requests_per_cpu_second,
)
from bench.table import Effort, Row, compare
from tests.server import Service

WRITES_PER_SECOND = 20
GZIP = {"Accept-Encoding": "gzip"}


def rows(environment: Environment, effort: Effort) -> Iterator[Row]:
    """Measure throughput and latency of the feed."""
    for kind in RESPONSES:
        yield from _throughput(environment, kind, effort)
    yield from _latency(environment, effort)
    yield from _cold_latency(environment, effort)
    for category, feeds, bar in (
        # An event loop that answers much in a second loses much to each write.
        ("b", "other feeds", "≥ 0.60"),
        ("a", "the same feed", "≥ 0.30"),
    ):
        what = f"hot, gzip, with {WRITES_PER_SECOND} writes/s to {feeds}, against none"
        yield from compare(
            "writes",
            partial(_rate_while_writing, environment.service, category),
            {what: (partial(_category_rate, environment.service), bar)},
            rounds=effort.rounds,
        )


def _throughput(environment: Environment, kind: str, effort: Effort) -> list[Row]:
    def rate(service: Service) -> float:
        headers = environment.request_headers(kind, service)
        return requests_per_cpu_second(service.workers(), service.port, PATH, headers)

    references = [
        ("a bare function", environment.bare[kind], "≥ 4"),
    ]
    if kind == "gzip":
        references.append(("Flask and feedgen by hand", environment.flask, "≥ 80"))
    if kind != "identity" and environment.django:
        name = "Django's syndication with its memory cache"
        references.append((name, environment.django, "≥ 8"))
    return compare(
        "hot",
        partial(rate, environment.service),
        {
            f"hot, {kind}, against {name}": (partial(rate, reference), bar)
            for name, reference, bar in references
        },
        rounds=effort.rounds,
    )


def _latency(environment: Environment, effort: Effort) -> list[Row]:
    def p99(service: Service) -> float:
        with prioritized(service.workers()):
            rate = max_rate(service.port, PATH, GZIP) / 2
            return latency_p99(service.port, PATH, GZIP, rate)

    what = (
        "p99 of hot requests, gzip, at half the greatest rate,"
        " against a bare function at half of its own"
    )
    return compare(
        "hot",
        partial(p99, environment.single),
        {what: (partial(p99, environment.bare_single), "≤ 1")},
        unit="ms",
        rounds=effort.rounds,
    )


def _cold_latency(environment: Environment, effort: Effort) -> list[Row]:
    """Compare cold feeds beside hot requests, with the event loop and without."""
    what = (
        "p99 of cold feeds while hot requests run at full load, "
        "against FEEDSVC_EVENT_LOOP=false"
    )
    return compare(
        "hot",
        partial(_cold_p99, environment.service, _uncached_paths()),
        {what: (partial(_cold_p99, environment.threaded, _uncached_paths()), "≤ 2")},
        unit="ms",
        rounds=effort.rounds,
    )


def _cold_p99(service: Service, paths: Iterator[str]) -> float:
    """Return the 99th percentile of the latency in ms of feeds that are not cached."""
    milliseconds = []
    with full_load(service.port, PATH, GZIP), requests.Session() as session:
        for path in islice(paths, 100):
            begin = time.perf_counter()
            response = session.get(service.url + path, timeout=30)
            milliseconds.append((time.perf_counter() - begin) * 1000)
            assert response.ok, response.text
    return statistics.quantiles(milliseconds, n=100)[-1]


def _uncached_paths() -> Iterator[str]:
    """Yield paths of different feeds with the same 50 entries or fewer."""
    selectors = ("", "/a", "/b", "/a,b", "/-a", "/-b", "/-a+-b")
    for limit, content, selector, format in product(
        range(51, 100), ("full", "summary"), selectors, ("rss", "atom", "json")
    ):
        yield f"/feeds/news{selector}.{format}?limit={limit}&content={content}"


def _rate_while_writing(service: Service, category: str) -> float:
    with _writes(service, category):
        return _category_rate(service)


def _category_rate(service: Service) -> float:
    path = "/feeds/news/a.rss"
    return requests_per_cpu_second(service.workers(), service.port, path, GZIP)


@contextmanager
def _writes(service: Service, category: str) -> Iterator[None]:
    """Write an entry of a category at a constant rate."""
    stopped = threading.Event()

    def write() -> None:
        number, begin = 0, time.monotonic()
        while not stopped.wait(
            max(0, begin + number / WRITES_PER_SECOND - time.monotonic())
        ):
            document = {
                "title": f"Lần {number}",
                "content_html": BODY,
                "categories": [category],
            }
            assert service.request("PUT", f"/api/v1/articles/w-{category}", document).ok
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
