"""feedparser sees in feeds what the API returns; lemon24's reader, which parses by it, updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree
from reader import make_reader

from tests.conftest import ApiClient
from tests.interop.conftest import FetchFeed
from tests.interop.expected import (
    ExpectedFeeds,
    ReaderEntry,
    as_html,
    enclosures,
    feed_path,
    normalize_url,
)

# reader asks pathlib for names that Windows reserves; Python 3.13 deprecates that.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:pathlib\.PurePath\.is_reserved:DeprecationWarning:reader\."
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
    return [entry.as_rss() for entry in entries] if format == "rss" else entries


def without_email_names(authors: Iterable[str]) -> tuple[str, ...]:
    """Drop the author whose name is an address, of which both readers make another."""
    return tuple(
        author for author in authors if author not in ("toa-soan@portal.example", "ple")
    )


def parsed_entry(entry: Any, format: str) -> ReaderEntry:
    """Convert an entry of feedparser."""
    parse_date = PARSE_DATE[format]
    return ReaderEntry(
        entry.id,
        as_html(entry.title) if format == "rss" else entry.title,
        normalize_url(entry.link),
        parse_date(entry.published).astimezone(UTC),
        parse_date(entry.updated).astimezone(UTC) if format == "atom" else None,
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
        assert entries == expected_entries(expected_feeds, format, kind, category)
        ids |= {entry.id for entry in entries}
    assert ids == {
        entry.id
        for kind in expected_feeds.items
        for entry in expected_feeds.feed(kind, None, limit=1000)
    }


SUMMARIES = {"rss": "description", "atom": "{http://www.w3.org/2005/Atom}summary"}


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


@pytest.mark.parametrize("format", PARSE_DATE)
def test_reader_shows_the_summary_of_an_entry_with_a_caption(
    editor: ApiClient, format: str, tmp_path: Path
) -> None:
    image = {"url": "https://media.example/cau.jpg", "caption": "Cầu lúc 6 giờ."}
    document = {
        "title": "Thông xe cầu mới",
        "summary": "Cầu dài 1,2 km.",
        "content_text": "Xe buýt đi qua cầu từ mai.",
        "image": image,
        "date_published": "2026-11-25T07:00:00+07:00",
    }
    editor.put("/articles/cau-moi", document)
    path = f"/feeds/news.{format}?content=summary"
    (tmp_path / "news").write_bytes(editor.client.get(path).data)
    with make_reader(":memory:", feed_root=str(tmp_path)) as reader:
        reader.add_feed("news")
        reader.update_feeds()
        entries = {entry.title: entry for entry in reader.get_entries()}
    shown = entries["Thông xe cầu mới"].get_content()
    assert shown
    assert shown.value == "Cầu dài 1,2 km."


@pytest.mark.parametrize("format", PARSE_DATE)
def test_reader_updates_an_edited_entry(
    editor: ApiClient, format: str, tmp_path: Path
) -> None:
    path = tmp_path / f"news.{format}"
    titles = ("Chỉ có tiêu đề, không có gì khác", "Tiêu đề <mới> & khác", "Lần nữa")
    counts = []
    with make_reader(":memory:", feed_root=str(tmp_path)) as reader:
        reader.add_feed(path.name)
        for title in titles:
            editor.send("PATCH", "/articles/n-bare", {"title": title})
            path.write_bytes(editor.client.get(f"/feeds/news.{format}").data)
            updated = reader.update_feed(path.name)
            assert updated
            counts.append((updated.new, updated.modified))
            shown = [entry.title or "" for entry in reader.get_entries()]
            if format == "rss":
                shown = list(map(as_html, shown))
            assert shown.count(title) == 1
    assert counts == [(50, 0), (0, 1), (0, 1)]
