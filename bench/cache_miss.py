"""Feeds that are not cached: against feedgen's own time, and in a large database."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

from feedgen.feed import FeedGenerator
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.dataset import (
    BODY,
    START,
    article,
    articles,
    count_categories,
    open_app,
    write_database,
)
from bench.table import Effort, Row, compare
from feedsvc.services import get_services

SECTION = "/feeds/news.rss"
CATEGORY = "/feeds/news/c7.rss"
COMBINATION = f"/feeds/news/{','.join(f'c{n}' for n in range(10))}.rss"
SMALL = 10_000


def cold_ratio(effort: Effort) -> Iterator[Row]:
    """Compare a feed of 50 entries with feedgen's own time for the same feed."""
    with seeded_app(SMALL) as app:
        storage = get_services(app).storage
        numbers = itertools.count(1)

        def after_a_write() -> float:
            newest = article(SMALL, START + timedelta(minutes=SMALL))
            title = f"Lần {next(numbers)}"
            with storage.writer("bench") as writer:
                writer.entries.put(replace(newest, title=title))
            return get(app, SECTION)

        def in_a_new_worker() -> float:
            storage.entry_cache.clear()
            return get(app, SECTION)

        for when, measure, bar in (
            ("after a write", after_a_write, "≤ 2.0"),
            ("with an empty entry cache", in_a_new_worker, "≤ 4.0"),
        ):
            what = f"a cold feed {when}, against feedgen's time for its entries"
            yield from compare(
                "cold",
                measure,
                {what: (feedgen, bar)},
                unit="ms",
                rounds=effort.feed_rounds,
            )


def rows(apps: dict[int, Flask], effort: Effort) -> Iterator[Row]:
    """Compare the largest database with a small one.

    :param apps: by the number of entries in their database.
    """
    small, largest = min(SMALL, max(apps)), max(apps)
    sizes = (
        f"in {largest:,} entries and {count_categories(largest):,} categories, "
        f"against {small:,} and {count_categories(small):,}"
    )
    for name, path, bar in (
        ("a cold feed of a category", CATEGORY, "≤ 1.2"),
        ("a cold combination of ten categories", COMBINATION, "≤ 1.5"),
    ):
        yield from compare(
            "cold",
            lambda path=path: get(apps[largest], path),  # type: ignore[misc]
            {f"{name} {sizes}": (lambda path=path: get(apps[small], path), bar)},  # type: ignore[misc]
            unit="ms",
            rounds=effort.feed_rounds,
        )


@contextmanager
def seeded_apps(sizes: Iterable[int]) -> Iterator[dict[int, Flask]]:
    """Open apps with so many entries each."""
    with ExitStack() as stack:
        yield {size: stack.enter_context(seeded_app(size)) for size in sizes}


@contextmanager
def seeded_app(entry_count: int, *, cached: bool = False) -> Iterator[Flask]:
    """Open an app with so many articles.

    :param cached: whether responses are cached.
    """
    settings = {} if cached else {"FEEDSVC_CACHE_BYTES": "0"}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        with open_app(url, **settings) as app:
            slugs = [f"c{number}" for number in range(count_categories(entry_count))]
            write_database(url, slugs, articles(entry_count), START)
            yield app


def get(app: Flask, path: str) -> float:
    """Return the milliseconds of CPU time of one response with 50 items."""
    environ = create_environ(path)
    begin = time.thread_time()
    chunks, status, _ = run_wsgi_app(app, environ)
    body = b"".join(chunks)
    seconds = time.thread_time() - begin
    assert status.startswith("200 ")
    assert body.count(b"<item>") == 50
    return seconds * 1000


def feedgen() -> float:
    """Return the milliseconds of CPU time of feedgen alone for as large a feed."""
    begin = time.thread_time()
    generator = FeedGenerator()
    generator.id("https://portal.example/")
    generator.title("Tin")
    generator.link(href="https://portal.example/feeds/news.rss", rel="self")
    generator.link(href="https://portal.example/", rel="alternate")
    generator.description("Tin tức")
    generator.language("vi")
    for number in range(50):
        item = generator.add_entry(order="append")
        item.guid(f"urn:uuid:00000000-0000-4000-8000-{number:012}")
        item.title(f"Bài {number}")
        item.link(href=f"https://portal.example/entries/n{number}", rel="alternate")
        item.summary(f"Tóm tắt của bài {number}.")
        item.content(BODY, type="html")
        item.category(
            term="c1", scheme="https://portal.example/feeds/news", label="Mục 1"
        )
        item.published(START)
        item.updated(START)
    generator.rss_str()
    return (time.thread_time() - begin) * 1000
