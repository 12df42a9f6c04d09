"""A feed that is made anew: against feedgen's own time, and in a large table against a small one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from feedgen.feed import FeedGenerator
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.table import Row, compare
from config import Config
from feedsvc import create_app
from feedsvc.cli.services import services_of
from feedsvc.model import Category, Entry
from feedsvc.store.rows import entry_row
from feedsvc.store.tables import categories, entries, placements, topics

ROUNDS = 15
BODY = "<p>" + "Nội dung của bài. " * 80 + "</p>"
START = datetime(2020, 1, 1, tzinfo=UTC)


def rows(sizes: tuple[tuple[int, int], tuple[int, int]]) -> Iterator[Row]:
    """:param sizes: entries and categories of the small table, and of the large one."""
    with filled(*sizes[0]) as small:
        yield compare(
            "a cold feed of 50 entries, full content, against feedgen's own time for them",
            lambda: get(small, "/feeds/news.rss"),
            feedgen,
            "≤ 1.6",
            unit="ms",
            rounds=ROUNDS,
        )
        with filled(*sizes[1]) as large:
            grown = "in {2:,} entries and {3:,} categories, against {0:,} and {1:,}".format(
                *sizes[0], *sizes[1]
            )
            ten = ",".join(f"c{number}" for number in range(10))
            for what, path, bar in (
                ("a cold feed of a category", "/feeds/news/c7.rss", "≤ 1.2"),
                ("a cold combination of ten categories", f"/feeds/news/{ten}.rss", "≤ 1.5"),
            ):
                yield compare(
                    f"{what} {grown}",
                    lambda path=path: get(large, path),  # type: ignore[misc]
                    lambda path=path: get(small, path),  # type: ignore[misc]
                    bar,
                    unit="ms",
                    rounds=ROUNDS,
                )


def get(app: Flask, path: str) -> float:
    """Milliseconds of the processor for one answer of an app that keeps none."""
    environ = create_environ(path)
    begun = time.process_time()
    chunks, status, _ = run_wsgi_app(app, environ)
    body = b"".join(chunks)
    took = time.process_time() - begun
    assert status.startswith("200 ")
    assert body.count(b"<item>") == 50
    return took * 1000


def feedgen() -> float:
    """The same of feedgen alone, with as many entries that say as much."""
    begun = time.process_time()
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
        item.category(term="c1", scheme="https://portal.example/feeds/news", label="Mục 1")
        item.published(START)
        item.updated(START)
    generator.rss_str()
    return (time.process_time() - begun) * 1000


@contextmanager
def filled(count: int, filed: int) -> Iterator[Flask]:
    """An app that keeps nothing, over so many entries in so many categories, written without the ledger."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        app = create_app(
            Config.from_env({"FEEDSVC_DATABASE_URL": url, "FEEDSVC_CACHE_BYTES": "0"}), background=True
        )
        store = services_of(app).store
        places = [Category(f"c{number}", f"Mục {number}") for number in range(filed)]
        with store._database.write() as connection:
            connection.execute(
                categories.insert(),
                [{"id": n, "slug": c.slug, "title": c.title} for n, c in enumerate(places, start=1)],
            )
            keys = [(kind, key) for kind in ("news", "events") for key in range(1, filed + 1)]
            connection.execute(
                topics.insert(), [{"kind": k, "category_id": c, "seq": 1, "time": START} for k, c in keys]
            )
        for first in range(1, count + 1, 10_000):
            made = [entry(number) for number in range(first, min(first + 10_000, count + 1))]
            shared = {"shown": True, "appeared": True, "due": None}
            numbered = [{"pk": n, "seq": n, **shared, **entry_row(one)} for n, one in made]
            with store._database.write() as connection:
                connection.execute(entries.insert(), numbered)
                names = ("kind", "shown", "published", "guid", "ends")
                connection.execute(
                    placements.insert(),
                    [
                        {"entry_pk": row["pk"], "category_id": 1 + row["pk"] % filed, "position": 0}
                        | {name: row[name] for name in names}
                        for row in numbered
                    ],
                )
        yield app
        store._database.close()


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
