"""Many ordinary articles and events over two years."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

_WORDS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))


NEWEST = datetime(2026, 11, 20)  # noqa: DTZ001


def articles() -> Iterator[dict[str, Any]]:
    """Yield 136 articles, five days and some hours apart."""
    for number in range(136):
        published = NEWEST - timedelta(days=5 * number, hours=number % 11)
        yield {
            **_entry(f"bai-{number:03}", number),
            "date_published": published.isoformat(),
        }


def events() -> Iterator[dict[str, Any]]:
    """Yield sixty events ten days apart, half of them past, announced by hour."""
    for number in range(60):
        first = datetime(2026, 2, 1, 8)  # noqa: DTZ001
        start = first + timedelta(days=10 * number, hours=number % 12)
        entry = _entry(f"hoi-{number:03}", number)
        announced = NEWEST - timedelta(hours=number)
        entry["date_published"] = announced.isoformat()
        entry["start"] = (
            start.isoformat() if number % 4 else start.date().isoformat()
        )
        if number % 4 > 1:
            entry["end"] = (start + timedelta(hours=3)).isoformat()
        yield entry


def _word(kind: str, number: int) -> Any:
    return _WORDS[kind][number % len(_WORDS[kind])]


def _entry(id: str, number: int) -> dict[str, Any]:
    place, category = _word("places", number)
    sentences = [
        _word("sentences", number + step) for step in range(1 + number % 4)
    ]
    return {
        "id": id,
        "title": f"{_word('actions', number)} {place}",
        "content_html": "\n".join(
            f"<p>{sentence}</p>" for sentence in sentences
        ),
        "authors": [{"name": _word("authors", number)}] if number % 4 else [],
        "categories": [category],
    }
