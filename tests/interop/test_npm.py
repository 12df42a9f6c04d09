"""feedsmith, rss-parser and ical.js see in every feed of a running service what the API answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from feedsvc.formats import FORMATS
from tests.interop import seed
from tests.interop.expected import Seen, as_html, feed_path, place

NPM = Path(__file__).parent / "npm"

pytestmark = [
    pytest.mark.readers,
    pytest.mark.skipif(not shutil.which("node"), reason="node is not here"),
    pytest.mark.skipif(
        not (NPM / "node_modules").exists(), reason="npm has not installed its packages"
    ),
]


def test_in_javascript(database_url: str, tmp_path: Path) -> None:
    with seed.running(database_url, tmp_path / "access.log") as running:
        oracle = running.oracle()
        fetched = {}
        for kind, category in oracle.feeds():
            for format in FORMATS.keys() & {"rss", "atom", "json", "ics"}:
                answer = requests.get(
                    running.service.url + feed_path(kind, category, format), timeout=10
                )
                if kind not in FORMATS[format].kinds:
                    assert answer.status_code == 404
                    continue
                path = tmp_path / f"{kind}-{category}.{format}"
                path.write_bytes(answer.content)
                fetched[str(path)] = kind, category, format
    done = subprocess.run(
        ["node", NPM / "check.mjs", *fetched],
        capture_output=True,
        check=True,
        text=True,
    )
    for path, readers in json.loads(done.stdout).items():
        kind, category, format = fetched[path]
        for reader, items in readers.items():
            expected = [
                told(entry, reader, format) for entry in oracle.feed(kind, category)
            ]
            if reader == "ical.js":
                assert {item["id"]: item["title"] for item in items}.items() >= {
                    (entry.id.removeprefix("urn:uuid:"), entry.title)
                    for entry in expected
                }
            else:
                assert [seen(item, format) for item in items] == expected, (
                    reader,
                    path,
                )


def seen(item: dict[str, Any], format: str) -> Seen:
    """An entry as check.mjs prints it."""
    text = item["published"]
    published = (
        parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    )
    return Seen(
        item["id"],
        as_html(item["title"]) if format == "rss" else item["title"],
        place(item["link"]),
        published.astimezone(UTC),
        None,
        tuple(item["authors"]),
        tuple((place(url), type, length) for url, type, length in item["enclosures"]),
    )


def told(entry: Seen, reader: str, format: str) -> Seen:
    """What a reader tells of an entry in a format."""
    if format == "rss":
        entry = entry.rough()
    elif (
        reader == "rss-parser"
    ):  # of Atom it reads the first author, no enclosures, and milliseconds
        milliseconds = entry.published.microsecond // 1000 * 1000
        published = entry.published.replace(microsecond=milliseconds)
        entry = replace(
            entry, published=published, authors=entry.authors[:1], enclosures=()
        )
    return replace(entry, updated=None)
