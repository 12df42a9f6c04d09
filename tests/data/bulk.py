"""Many ordinary articles and events over two years."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

_WORDS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))


def articles() -> Iterator[dict[str, Any]]:
    """Yield eight articles a month, published by day."""
    for number in range(8 * len(_WORDS["months"])):
        month = _WORDS["months"][number // 8]
        day, hour, minute = (
            1 + number * 5 % 24,
            1 + number % 11,
            number * 7 % 60,
        )
        entry = _entry(f"bai-{number:03}", number)
        entry["date_published"] = f"{month}-{day:02}T{hour:02}:{minute:02}:00Z"
        if number % 3 == 0:
            entry["url"] = f"https://portal.example/tin/{month}/{entry['id']}"
        if number % 5 == 0:
            entry["image"] = {
                "url": f"https://media.example/{entry['id']}.jpg",
                "alt": entry["title"],
                "width": 1200,
            }
        if number % 7 == 0:
            entry["source"] = {"name": "Báo Thủ đô"}
        yield entry


def events() -> Iterator[dict[str, Any]]:
    """Yield sixty events ten days apart, half of them past, announced weeks before."""
    newest = datetime(2026, 11, 20)  # noqa: DTZ001
    for number in range(60):
        first = datetime(2026, 2, 1, 8)  # noqa: DTZ001
        start = first + timedelta(days=10 * number, hours=number % 12)
        announced = min(
            start - timedelta(days=21), newest - timedelta(hours=number)
        )
        entry = _entry(f"hoi-{number:03}", number)
        entry["date_published"] = announced.isoformat()
        entry["start"] = (
            start.isoformat() if number % 4 else start.date().isoformat()
        )
        if number % 4 > 1:
            entry["end"] = (start + timedelta(hours=3)).isoformat()
        if number % 2:
            entry["location"] = {
                "name": _word("places", number)[0].capitalize()
            }
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
