"""Feeds of the sample data, as readers see them, match what the API returns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
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
    attachments,
    enclosures,
    feed_path,
    normalize_url,
)

IFRAME = re.compile(r'<iframe src="([^"]*)"[^>]*></iframe>')
"""Feeds have a link instead, since most readers drop frames."""

ATOM = "{http://www.w3.org/2005/Atom}"
ELEMENTS = {
    "rss": (
        "description",
        "{http://purl.org/rss/1.0/modules/content/}encoded",
    ),
    "atom": (f"{ATOM}summary", f"{ATOM}content"),
}
"""The elements of an entry with its summary and body."""


def read_json(document: bytes) -> Iterator[ReaderEntry]:
    for item in json.loads(document)["items"]:
        yield ReaderEntry(
            item["id"],
            item["title"],
            normalize_url(item["url"]),
            datetime.fromisoformat(item["date_published"]).astimezone(UTC),
            datetime.fromisoformat(item["date_modified"]).astimezone(UTC),
            tuple(author["name"] for author in item.get("authors", [])),
            attachments(item.get("attachments", [])),
        )


def read_atom(document: bytes) -> Iterator[ReaderEntry]:
    for entry in parse(document):
        updated = datetime.fromisoformat(entry.updated).astimezone(UTC)
        published = datetime.fromisoformat(entry.published)
        yield replace(converted(entry, published), updated=updated)


def read_rss(document: bytes) -> Iterator[ReaderEntry]:
    for entry in parse(document):
        published = parsedate_to_datetime(entry.published)
        yield replace(converted(entry, published), title=as_html(entry.title))


def parse(document: bytes) -> list[Any]:
    """Return the entries that feedparser sees."""
    parsed = feedparser.parse(document)
    assert not parsed.bozo
    entries: list[Any] = parsed.entries
    # RSS requires URIs; in Atom they do no harm.
    assert all(entry.link.isascii() for entry in entries)
    return entries


def converted(entry: Any, published: datetime) -> ReaderEntry:
    """Convert an entry of feedparser."""
    return ReaderEntry(
        entry.id,
        entry.title,
        normalize_url(entry.link),
        published.astimezone(UTC),
        None,
        without_email_names(
            author.name for author in entry.get("authors", []) if author
        ),
        enclosures(
            (file.href, file.type, int(file.get("length", 0)))
            for file in entry.enclosures
        ),
    )


def without_email_names(authors: Iterable[str]) -> tuple[str, ...]:
    """Drop the author whose name is an address, of which feedparser makes another."""
    return tuple(
        author for author in authors if author not in ("toa-soan@portal.example", "ple")
    )


READERS: dict[str, Callable[[bytes], Iterator[ReaderEntry]]] = {
    "rss": read_rss,
    "atom": read_atom,
    "json": read_json,
}


@pytest.mark.parametrize("format", READERS)
def test_readers_see_every_entry_as_the_api_returns_it(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds, format: str
) -> None:
    ids = set()
    for kind, category in expected_feeds.covering_feeds():
        entries = expected_feeds.feed(kind, category)
        if format != "json":
            entries = [
                replace(entry, authors=without_email_names(entry.authors))
                for entry in entries
            ]
        if format == "rss":
            entries = [entry.as_rss() for entry in entries]
        document = fetch_feed(feed_path(kind, category, format))
        assert list(READERS[format](document)) == entries
        ids |= {entry.id for entry in entries}
    assert ids == {
        entry.id
        for kind in expected_feeds.items
        for entry in expected_feeds.feed(kind, None, limit=1000)
    }


@pytest.mark.parametrize("format", ELEMENTS)
def test_summaries_are_read_as_such_and_bodies_are_those_of_the_api(
    fetch_feed: FetchFeed, expected_feeds: ExpectedFeeds, format: str
) -> None:
    summary, body = ELEMENTS[format]
    compared = set()
    for kind, category in expected_feeds.covering_feeds():
        document = fetch_feed(feed_path(kind, category, format))
        entries = etree.fromstring(document).iter("{*}item", "{*}entry")
        parsed = feedparser.parse(
            document, resolve_relative_uris=False, sanitize_html=False
        )
        items = {
            item["guid"]: item for item in expected_feeds.visible_items(kind, category)
        }
        for entry, read in zip(entries, parsed.entries, strict=True):
            detail = read.get("summary_detail", {"value": ""})
            assert detail["value"] == entry.findtext(summary, "").strip()
            item = items[read.id]
            # In RSS an entry without a summary has its body as description.
            text = entry.findtext(body, "") or entry.findtext("description", "")
            content = item.get("content_html", "")
            content = IFRAME.sub(r'<p><a href="\1">\1</a></p>', content)
            if item["status"] == "withdrawn":
                assert not content or content not in text
            else:
                assert content in text
                compared.add(item["guid"])
    assert len(compared) > 300
