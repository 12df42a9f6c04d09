"""feedparser sees in feeds what the API returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import feedparser
import pytest
from lxml import etree

from tests.interop.conftest import FetchFeed
from tests.interop.expected import (
    ExpectedFeeds,
    ReaderEntry,
    as_html,
    enclosures,
    feed_path,
    normalize_url,
)

PARSE_DATE: dict[str, Callable[[str], datetime]] = {
    "rss": parsedate_to_datetime,
    "atom": datetime.fromisoformat,
}


def expected_entries(
    expected_feeds: ExpectedFeeds, format: str, kind: str, category: str | None
) -> list[ReaderEntry]:
    entries = [
        replace(entry, authors=without_email_names(entry.authors))
        for entry in expected_feeds.feed(kind, category)
    ]
    return (
        [entry.as_rss() for entry in entries] if format == "rss" else entries
    )


def without_email_names(authors: Iterable[str]) -> tuple[str, ...]:
    """Drop the author whose name is an address, of which feedparser makes another."""
    return tuple(
        author
        for author in authors
        if author not in ("toa-soan@portal.example", "ple")
    )


def parsed_entry(entry: Any, format: str) -> ReaderEntry:
    """Convert an entry of feedparser."""
    parse_date = PARSE_DATE[format]
    return ReaderEntry(
        entry.id,
        as_html(entry.title) if format == "rss" else entry.title,
        normalize_url(entry.link),
        parse_date(entry.published).astimezone(UTC),
        parse_date(entry.updated).astimezone(UTC)
        if format == "atom"
        else None,
        without_email_names(
            author.name for author in entry.get("authors", []) if author
        ),
        enclosures(
            (file.href, file.type, int(file.get("length", 0)))
            for file in entry.enclosures
        ),
    )


@pytest.mark.parametrize("format", PARSE_DATE)
def test_feedparser_reads_every_entry_as_the_api_returns_it(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds, format: str
) -> None:
    ids = set()
    for kind, category in expected_feeds.covering_feeds():
        path = feed_path(kind, category, format)
        parsed = feedparser.parse(fetch_feed(path))
        assert not parsed.bozo, path
        # RSS requires URIs; in Atom they do no harm.
        assert all(entry.link.isascii() for entry in parsed.entries), path
        entries = [parsed_entry(entry, format) for entry in parsed.entries]
        assert entries == expected_entries(
            expected_feeds, format, kind, category
        )
        ids |= {entry.id for entry in entries}
    assert ids == {
        entry.id
        for kind in expected_feeds.items
        for entry in expected_feeds.feed(kind, None, limit=1000)
    }


SUMMARIES = {
    "rss": "description",
    "atom": "{http://www.w3.org/2005/Atom}summary",
}


@pytest.mark.parametrize("format", PARSE_DATE)
def test_feedparser_takes_only_the_summary_for_the_summary(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds, format: str
) -> None:
    for kind, category in expected_feeds.covering_feeds():
        document = fetch_feed(feed_path(kind, category, format))
        summaries = [
            item.findtext(SUMMARIES[format], "").strip()
            for item in etree.fromstring(document).iter("{*}item", "{*}entry")
        ]
        parsed = feedparser.parse(
            document, resolve_relative_uris=False, sanitize_html=False
        )
        details = [entry.get("summary_detail", {}) for entry in parsed.entries]
        assert [detail.get("value", "") for detail in details] == summaries
