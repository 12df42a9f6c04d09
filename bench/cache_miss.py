"""A feed that is made anew: against feedgen's own time, and in a large table against a small one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

from feedgen.feed import FeedGenerator
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.table import Row, compare
from config import Config
from feedsvc.app import create_app
from feedsvc.models import Category, Entry
from feedsvc.services import get_services
from feedsvc.storage.entry_rows import entry_columns
from feedsvc.storage.tables import categories, entries, entry_categories, feed_versions

CATEGORY, TEN = (
    "/feeds/news/c7.rss",
    f"/feeds/news/{','.join(f'c{n}' for n in range(10))}.rss",
)
BODY = "<p>" + "Nội dung của bài. " * 80 + "</p>"
SMALL, ROUNDS = 10_000, 75
START = datetime(2020, 1, 1, tzinfo=UTC)


def rows(tables: dict[int, Flask]) -> Iterator[Row]:
    """:param tables: apps by the number of entries, of which the last is held against that of `SMALL`."""
    small, most = tables[SMALL], max(tables)
    yield from compare(
        "cold",
        lambda: get(small, "/feeds/news.rss"),
        {
            "a cold feed of 50 entries, full content, against feedgen's own time for them": (
                feedgen,
                "≤ 1.6",
            )
        },
        unit="ms",
        rounds=ROUNDS,
    )
    grown = f"in {most:,} entries and {filed(most):,} categories, against {SMALL:,} and {filed(SMALL):,}"
    for what, path, bar in (
        ("a cold feed of a category", CATEGORY, "≤ 1.2"),
        ("a cold combination of ten categories", TEN, "≤ 1.5"),
    ):
        yield from compare(
            "cold",
            lambda path=path: get(tables[most], path),  # type: ignore[misc]
            {f"{what} {grown}": (lambda path=path: get(small, path), bar)},  # type: ignore[misc]
            unit="ms",
            rounds=ROUNDS,
        )


@contextmanager
def tables(sizes: Iterable[int]) -> Iterator[dict[int, Flask]]:
    """Apps over tables of so many entries."""
    with ExitStack() as ends:
        yield {size: ends.enter_context(filled(size)) for size in sizes}


def filed(size: int) -> int:
    """In how many categories so many entries are."""
    return max(20, size // 500)


def get(app: Flask, path: str) -> float:
    """Milliseconds of the processor for one answer that is made."""
    environ = create_environ(path)
    begun = time.thread_time()
    chunks, status, _ = run_wsgi_app(app, environ)
    body = b"".join(chunks)
    took = time.thread_time() - begun
    assert status.startswith("200 ")
    assert body.count(b"<item>") == 50
    return took * 1000


def feedgen() -> float:
    """The same of feedgen alone, with as many entries that say as much."""
    begun = time.thread_time()
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
    return (time.thread_time() - begun) * 1000


@contextmanager
def filled(count: int, *, keeping: bool = False) -> Iterator[Flask]:
    """An app that keeps what it has made or not, over so many entries, written without the ledger."""
    with tempfile.TemporaryDirectory() as folder:
        size = {} if keeping else {"FEEDSVC_CACHE_BYTES": "0"}
        app = create_app(
            Config.from_env(
                {"FEEDSVC_DATABASE_URL": f"sqlite:///{folder}/bench.db", **size}
            )
        )
        services = get_services(app)
        services.cache.sync_on_read = (
            False  # as where a thread looks, which would be measured too
        )
        store = services.storage
        store.upgrade()
        places = [
            Category(f"c{number}", f"Mục {number}") for number in range(filed(count))
        ]
        with store.database.write() as connection:
            connection.execute(
                categories.insert(),
                [
                    {
                        "id": n,
                        "slug": c.slug,
                        "title": c.title,
                        "changed_at": START,
                        "titled_at": START,
                    }
                    for n, c in enumerate(places, start=1)
                ],
            )
            keys = [
                (kind, key)
                for kind in ("news", "events")
                for key in range(1, len(places) + 1)
            ]
            connection.execute(
                feed_versions.insert(),
                [
                    {"kind": k, "category_id": c, "seq": 1, "time": START}
                    for k, c in keys
                ],
            )
        for first in range(1, count + 1, 10_000):
            made = [
                entry(number) for number in range(first, min(first + 10_000, count + 1))
            ]
            shared = {
                "is_visible": True,
                "was_visible": True,
                "next_change_at": None,
                "changed_at": START,
            }
            numbered = [
                {**entry_columns(one), **shared, "pk": n, "seq": n} for n, one in made
            ]
            with store.database.write() as connection:
                connection.execute(entries.insert(), numbered)
                names = ("kind", "is_visible", "published", "guid", "lang", "ends")
                connection.execute(
                    entry_categories.insert(),
                    [
                        {
                            "entry_pk": row["pk"],
                            "category_id": 1 + row["pk"] % len(places),
                            "position": 0,
                        }
                        | {name: row[name] for name in names}
                        for row in numbered
                    ],
                )
        yield app
        store.close()


def entry(number: int) -> tuple[int, Entry]:
    """The entry of a number, which is its key."""
    moment = START + timedelta(minutes=number)
    return number, Entry(
        f"n{number}",
        "news",
        f"Bài {number}",
        "vi",
        summary=f"Tóm tắt của bài {number}.",
        content_html=BODY,
        published=moment,
        updated=moment,
        guid=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        version=1,
    )
