"""feedsmith, rss-parser and ical.js see in every feed what the API returns."""

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

from feedsvc.feeds.query import FORMATS
from tests.interop import seed
from tests.interop.expected import (
    ReaderEntry,
    as_html,
    enclosures,
    feed_path,
    normalize_url,
)

NPM = Path(__file__).parent / "npm"

pytestmark = [
    pytest.mark.readers,
    pytest.mark.skipif(not shutil.which("node"), reason="node is not installed"),
    pytest.mark.skipif(
        not (NPM / "node_modules").exists(), reason="npm packages are not installed"
    ),
]


def test_javascript_readers_show_every_entry(database_url: str, tmp_path: Path) -> None:
    with seed.running(database_url, tmp_path / "access.log") as portal:
        expected_feeds = portal.expected_feeds()
        fetched = {}
        for kind, category in expected_feeds.feeds():
            for format in FORMATS.keys() & {"rss", "atom", "json", "ics"}:
                response = requests.get(
                    portal.service.url + feed_path(kind, category, format), timeout=10
                )
                if kind not in FORMATS[format].kinds:
                    assert response.status_code == 404
                    continue
                path = tmp_path / f"{kind}-{category}.{format}"
                path.write_bytes(response.content)
                fetched[str(path)] = kind, category, format
    process = subprocess.run(
        ["node", NPM / "check.mjs", *fetched],
        capture_output=True,
        check=True,
        text=True,
    )
    for path, readers in json.loads(process.stdout).items():
        kind, category, format = fetched[path]
        for reader, items in readers.items():
            expected = [
                as_reader_shows(entry, reader, format)
                for entry in expected_feeds.feed(kind, category)
            ]
            if reader == "ical.js":
                assert {item["id"]: item["title"] for item in items}.items() >= {
                    (entry.id.removeprefix("urn:uuid:"), entry.title)
                    for entry in expected
                }
            else:
                assert [parsed_entry(item, format) for item in items] == expected, (
                    reader,
                    path,
                )


def parsed_entry(item: dict[str, Any], format: str) -> ReaderEntry:
    """Convert an entry that check.mjs printed."""
    text = item["published"]
    published = (
        parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    )
    return ReaderEntry(
        item["id"],
        as_html(item["title"]) if format == "rss" else item["title"],
        normalize_url(item["link"]),
        published.astimezone(UTC),
        None,
        tuple(item["authors"]),
        enclosures(item["enclosures"]),
    )


def as_reader_shows(entry: ReaderEntry, reader: str, format: str) -> ReaderEntry:
    """Return what a reader shows of an entry in a format."""
    if format == "rss":
        entry = entry.as_rss()
    elif (
        reader == "rss-parser"
    ):  # of Atom it reads the first author, no enclosures, and milliseconds
        milliseconds = entry.published.microsecond // 1000 * 1000
        published = entry.published.replace(microsecond=milliseconds)
        entry = replace(
            entry, published=published, authors=entry.authors[:1], enclosures=()
        )
    return replace(entry, updated=None)
