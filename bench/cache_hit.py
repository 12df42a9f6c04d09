"""Cached responses: against a bare function, other services, and while others write."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.dataset import BODY
from bench.environment import PATH, RESPONSES, Environment
from bench.load import latency_p99, max_rate, requests_per_cpu_second
from bench.table import Effort, Row, compare
from tests.server import Service

WRITES_PER_SECOND = 20
GZIP = {"Accept-Encoding": "gzip"}


def rows(environment: Environment, effort: Effort) -> Iterator[Row]:
    """Measure throughput and latency of the feed."""
    for kind in RESPONSES:
        yield from _throughput(environment, kind, effort)
    yield from _latency(environment, effort)
    for category, feeds, bar in (
        ("b", "other feeds", "≥ 0.90"),
        ("a", "the same feed", "≥ 0.60"),
    ):
        what = (
            f"hot, gzip, while {WRITES_PER_SECOND} writes a second go to {feeds},"
            " against none"
        )
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
        ("a bare function under the same gunicorn", environment.bare[kind], "≥ 0.90"),
        (
            "a bare function that sends the same headers",
            environment.bare[f"{kind}, same headers"],
            "",
        ),
    ]
    if kind == "gzip":
        references.append(("Flask and feedgen by hand", environment.flask, "≥ 25"))
    if kind != "identity" and environment.django:
        name = "Django's syndication with its memory cache"
        references.append((name, environment.django, "≥ 2.5"))
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
    ours, bare = environment.service.port, environment.bare["gzip"].port
    rate = min(max_rate(port, PATH, GZIP) for port in (ours, bare)) / 2
    what = (
        "99 of 100 hot requests, gzip, take at most, at half the greatest rate,"
        " against the bare function"
    )
    return compare(
        "hot",
        partial(latency_p99, ours, PATH, GZIP, rate),
        {what: (partial(latency_p99, bare, PATH, GZIP, rate), "≤ 5")},
        unit="ms",
        rounds=effort.rounds,
    )


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
