"""Answers that are kept: against a bare function, peers, and while others write."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.load import requests_a_second, slowest
from bench.setting import BODY, CONDITIONS, PATH, Setting
from bench.table import Row, compare
from tests.service import Service

WRITES = 20


def rows(setting: Setting) -> Iterator[Row]:
    """Throughput and lateness of the feed."""
    ours = setting.service

    def rate(service: Service, way: str) -> float:
        return requests_a_second(service.workers(), service.port, PATH, setting.headers(way, service))

    for way in CONDITIONS:
        yield compare(
            f"hot, {way}, against a bare function under the same gunicorn",
            lambda way=way: rate(ours, way),  # type: ignore[misc]
            lambda way=way: rate(setting.bare[way], way),  # type: ignore[misc]
            "≥ 0.90",
            rounds=7,
        )
        yield compare(
            f"hot, {way}, against a bare function that sends the same headers",
            lambda way=way: rate(ours, way),  # type: ignore[misc]
            lambda way=way: rate(setting.bare[f"{way}, same headers"], way),  # type: ignore[misc]
            rounds=7,
        )
    yield compare(
        "hot, gzip, against Flask and feedgen by hand",
        lambda: rate(ours, "gzip"),
        lambda: rate(setting.peer, "gzip"),
        "≥ 25",
        rounds=3,
    )
    django = setting.django
    for way in ("gzip", "304") if django else ():
        yield compare(
            f"hot, {way}, against Django's syndication with its memory cache",
            lambda way=way: rate(ours, way),  # type: ignore[misc]
            lambda way=way: rate(django, way),  # type: ignore[misc,arg-type]
            "≥ 2.5",
            rounds=3,
        )
    for where, bar in (("b", "≥ 0.90"), ("a", "≥ 0.60")):
        yield compare(
            f"hot, gzip, while {WRITES} writes a second go to "
            f"{'other feeds' if where == 'b' else 'the same feed'}, against none",
            lambda where=where: _while_writing(setting, where),  # type: ignore[misc]
            lambda: _of_category(setting),
            bar,
        )
    yield compare(
        "99 of 100 hot requests take at most, against the bare function",
        lambda: slowest(ours.port, PATH),
        lambda: slowest(setting.bare["identity"].port, PATH),
        "≤ 5",
        unit="ms",
    )


def _while_writing(setting: Setting, category: str) -> float:
    with _writes(setting.service, category):
        return _of_category(setting)


def _of_category(setting: Setting) -> float:
    ours, headers = setting.service, {"Accept-Encoding": "gzip"}
    return requests_a_second(ours.workers(), ours.port, "/feeds/news/a.rss", headers)


@contextmanager
def _writes(service: Service, category: str) -> Iterator[None]:
    ends = threading.Event()

    def write() -> None:
        number, begun = 0, time.monotonic()
        while not ends.wait(max(0, begun + number / WRITES - time.monotonic())):
            document = {"title": f"Lần {number}", "content_html": BODY, "categories": [category]}
            assert service.request("PUT", f"/api/v1/articles/w-{category}", document).ok
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    yield
    ends.set()
    thread.join()
