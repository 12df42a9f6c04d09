"""Sample data for tests: categories and entries of a portal, as documents to post.

It has ordinary entries and difficult ones: odd titles, bodies and dates. The functions
return the same at every call. Past, upcoming, scheduled and expired entries are so at
`NOW`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.data import bulk

Json = dict[str, Any]

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
"""The time for which the sample data is written."""

_LEAVES = "quyet-dinh gop-y xe-buyt tuyen-3 cap-nuoc pho-co am-nhac sach tiem-chung giao-duc moi-truong x1".split()


def categories() -> list[Json]:
    """Return the categories, parents first."""
    documents: list[Json] = read("categories")
    return documents


def entries() -> list[Json]:
    """Return the entries, each with its kind and id."""
    news = [
        *read("news"),
        *_titles(),
        *_bodies(),
        *_dates(),
        *bulk.articles(),
    ]
    events = [*read("events"), *bulk.events()]
    return [
        {"kind": kind, **entry}
        for kind, documents in (("news", news), ("events", events))
        for entry in documents
    ]


def batch() -> list[Json]:
    """Return the entries as lines of a batch."""
    return [{"action": "put", **entry} for entry in entries()]


def stored_titles() -> dict[str, str]:
    """Return the difficult titles as stored: in NFC, one line, without bidi controls."""
    return {
        title["id"]: title.get("stored") or title["title"]
        for title in read("titles")
    }


def read(name: str) -> Any:
    """Return the content of a file of this folder."""
    path = Path(__file__).with_name(f"{name}.json")
    return json.loads(path.read_text("utf-8"))


def _titles() -> Iterator[Json]:
    """Yield an article for each difficult title, an hour apart."""
    for number, title in enumerate(read("titles")):
        newest = datetime(2026, 11, 23, 20, tzinfo=UTC)
        published = newest - timedelta(hours=number)
        yield _article(title["id"], title["title"], number, published)


def _article(id: str, title: str, number: int, published: datetime) -> Json:
    return {
        "id": id,
        "title": title,
        "categories": [_LEAVES[number % len(_LEAVES)]],
        "date_published": published.isoformat(),
    }


def _bodies() -> Iterator[Json]:
    """Yield an article for each difficult body, with a URL for its relative links."""
    long = (
        "<p>" + "Một đoạn văn dài về thành phố bên sông Hồng. " * 20 + "</p>"
    )
    bodies = {
        **read("bodies"),
        "long": long * 180,
        "deep": "<blockquote>" * 255 + "đáy" + "</blockquote>" * 255,
    }
    for number, (name, body) in enumerate(bodies.items()):
        published = datetime(2026, 10, 20, tzinfo=UTC) - timedelta(days=number)
        yield {
            **_article(f"b-{name}", f"Thân bài: {name}", number, published),
            "url": f"https://portal.example/tin-tức/2026/{name}/",
            "content_html": body,
        }


def _dates() -> Iterator[Json]:
    """Yield an article for each date at a boundary."""
    for number, date in enumerate(read("dates")):
        yield {
            **_article(f"d-{number:02}", f"Đăng lúc {date}", number, NOW),
            "date_published": date,
        }


def read_tables(name: str) -> Json:
    """Return the tables of a TOML file beside this one."""
    path = Path(__file__).with_name(f"{name}.toml")
    return tomllib.loads(path.read_text("utf-8"))
