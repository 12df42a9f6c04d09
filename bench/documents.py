"""The entries with which servers are compared, as the API takes them."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.server import ROOT

CATEGORIES = 200
ENTRIES = 50
"""Articles a category; its feed shows all of them."""

EVENTS = 400

WORDS = re.findall(
    r"\w+", (ROOT / "feedsvc/extensions/demo/samples.json").read_text("utf-8")
)
NOW = datetime.now(UTC).replace(microsecond=0)

Documents = Iterator[tuple[str, dict[str, Any]]]
"""Ids and bodies of PUT."""


def articles() -> Documents:
    """Yield articles with bodies of 2 KB."""
    for number in range(CATEGORIES * ENTRIES):
        yield f"a{number}", article(number)


def article(number: int) -> dict[str, Any]:
    """Return one article."""
    return {
        "title": words(number, 10),
        "summary": words(number, 30),
        "content_html": body(number, paragraphs=4),
        "categories": [f"c{number % CATEGORIES}"],
        "date_published": (NOW - timedelta(minutes=number)).isoformat(),
    }


def events() -> Documents:
    """Yield events with bodies of 1 KB."""
    for number in range(EVENTS):
        yield f"e{number}", event(number)


def event(number: int) -> dict[str, Any]:
    """Return one event."""
    return {
        "title": words(number, 10),
        "content_html": body(number, paragraphs=2),
        "start": (NOW + timedelta(hours=number + 1)).isoformat(),
        "location": {"name": words(number, 5)},
    }


def body(number: int, paragraphs: int) -> str:
    """Return paragraphs of half a kilobyte."""
    texts = (words(number + index, 85) for index in range(paragraphs))
    return "".join(f"<p>{text}</p>" for text in texts)


def words(seed: int, length: int) -> str:
    """Return so many words of the samples."""
    # They compress as text does, which one sentence again and again does not.
    return " ".join(random.Random(seed).choices(WORDS, k=length))
