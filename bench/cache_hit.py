"""Answers that are kept: against a bare function, peers, and while others write."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.environment import BODY, CONDITIONS, PATH, Setting
from bench.load import lateness, most, requests_a_second
from bench.table import Row, compare
from tests.server import Service

WRITES = 20


def rows(setting: Setting) -> Iterator[Row]:
    """Throughput and lateness of the feed."""
    ours = setting.service

    def rate(service: Service, way: str) -> float:
        return requests_a_second(
            service.workers(), service.port, PATH, setting.headers(way, service)
        )

    django = setting.django
    for way in CONDITIONS:
        references = [
            ("a bare function under the same gunicorn", setting.bare[way], "≥ 0.90"),
            (
                "a bare function that sends the same headers",
                setting.bare[f"{way}, same headers"],
                "",
            ),
        ]
        if way == "gzip":
            references.append(("Flask and feedgen by hand", setting.peer, "≥ 25"))
        if way != "identity" and django:
            references.append(
                ("Django's syndication with its memory cache", django, "≥ 2.5")
            )
        yield from compare(
            "hot",
            lambda way=way: rate(ours, way),  # type: ignore[misc]
            {
                f"hot, {way}, against {what}": (partial(rate, reference, way), bar)
                for what, reference, bar in references
            },
        )
    asked = {"Accept-Encoding": "gzip"}
    bare = setting.bare["gzip"].port
    half = min(most(port, PATH, asked) for port in (ours.port, bare)) / 2
    what = "99 of 100 hot requests, gzip, take at most, at half the greatest rate, against the bare function"
    yield from compare(
        "hot",
        lambda: lateness(ours.port, PATH, asked, half),
        {what: (lambda: lateness(bare, PATH, asked, half), "≤ 5")},
        unit="ms",
    )
    for where, bar in (("b", "≥ 0.90"), ("a", "≥ 0.60")):
        to = "other feeds" if where == "b" else "the same feed"
        yield from compare(
            "writes",
            lambda where=where: _while_writing(setting, where),  # type: ignore[misc]
            {
                f"hot, gzip, while {WRITES} writes a second go to {to}, against none": (
                    lambda: _of_category(setting),
                    bar,
                )
            },
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
            document = {
                "title": f"Lần {number}",
                "content_html": BODY,
                "categories": [category],
            }
            assert service.request("PUT", f"/api/v1/articles/w-{category}", document).ok
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    yield
    ends.set()
    thread.join()
