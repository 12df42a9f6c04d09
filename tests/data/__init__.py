"""Sample data for tests: categories and entries of a portal, as documents to post.

It has ordinary entries and difficult ones: odd titles, bodies and dates. The functions
return the same at every call. Past, upcoming, scheduled and expired entries are so at
`NOW`.
"""

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
"""The time for which the sample data is written."""

_NEWEST = datetime(2026, 11, 20)  # noqa: DTZ001

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
        *_ordinary_articles(),
    ]
    events = [*read("events"), *_ordinary_events()]
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
        for title in _difficult_titles()
    }


def read(name: str) -> Any:
    """Return the content of a file of this folder."""
    path = Path(__file__).with_name(f"{name}.json")
    return json.loads(path.read_text("utf-8"))


def _difficult_titles() -> Iterator[dict[str, str]]:
    """Yield titles as they are sent, some of them a text several times."""
    for title in read("titles"):
        times = title.pop("times", 1)
        yield {
            name: text if name == "id" else text * times for name, text in title.items()
        }


_WORDS = read("bulk")


def _titles() -> Iterator[Json]:
    """Yield an article for each difficult title, an hour apart."""
    for number, title in enumerate(_difficult_titles()):
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
    long = "<p>" + "Một đoạn văn dài về thành phố bên sông Hồng. " * 20 + "</p>"
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


def _ordinary_articles() -> Iterator[Json]:
    """Yield 136 articles, five days and some hours apart."""
    for number in range(136):
        published = _NEWEST - timedelta(days=5 * number, hours=number % 11)
        yield {
            **_entry(f"bai-{number:03}", number),
            "date_published": published.isoformat(),
        }


def _ordinary_events() -> Iterator[Json]:
    """Yield sixty events ten days apart, half of them past, announced by hour."""
    for number in range(60):
        first = datetime(2026, 2, 1, 8)  # noqa: DTZ001
        start = first + timedelta(days=10 * number, hours=number % 12)
        entry = _entry(f"hoi-{number:03}", number)
        announced = _NEWEST - timedelta(hours=number)
        entry["date_published"] = announced.isoformat()
        entry["start"] = start.isoformat() if number % 4 else start.date().isoformat()
        if number % 4 > 1:
            entry["end"] = (start + timedelta(hours=3)).isoformat()
        yield entry


def _word(kind: str, number: int) -> Any:
    return _WORDS[kind][number % len(_WORDS[kind])]


def _entry(id: str, number: int) -> Json:
    place, category = _word("places", number)
    sentences = [_word("sentences", number + step) for step in range(1 + number % 4)]
    return {
        "id": id,
        "title": f"{_word('actions', number)} {place}",
        "content_html": "\n".join(f"<p>{sentence}</p>" for sentence in sentences),
        "authors": [{"name": _word("authors", number)}] if number % 4 else [],
        "categories": [category],
    }
