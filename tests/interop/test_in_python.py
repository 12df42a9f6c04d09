"""feedparser, and reader (which keeps what it read), see in every feed of the corpus what the API answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import feedparser
import pytest
from reader import Entry, make_reader

from tests.conftest import ApiClient
from tests.interop.expected import Oracle, Seen, as_html, feed_path, place

PARSE_DATE: dict[str, Callable[[str], datetime]] = {
    "rss": parsedate_to_datetime,
    "atom": datetime.fromisoformat,
}


def expected(
    oracle: Oracle, format: str, kind: str, category: str | None
) -> list[Seen]:
    """What both should see, who take a name that is an e-mail address for one."""
    found = oracle.feed(kind, category)
    found = [replace(entry, authors=named(entry.authors)) for entry in found]
    return [entry.rough() for entry in found] if format == "rss" else found


def named(authors: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        author for author in authors if author not in ("toa-soan@portal.example", "ple")
    )


def parsed(entry: Any, format: str) -> Seen:
    """An entry as feedparser sees it."""
    date = PARSE_DATE[format]
    return Seen(
        entry.id,
        as_html(entry.title) if format == "rss" else entry.title,
        place(entry.link),
        date(entry.published).astimezone(UTC),
        date(entry.updated).astimezone(UTC) if format == "atom" else None,
        named(author.name for author in entry.get("authors", []) if author),
        tuple(
            (place(file.href), file.type, int(file.get("length", 0)))
            for file in entry.enclosures
        ),
    )


@pytest.mark.parametrize("format", PARSE_DATE)
def test_feedparser(editor: ApiClient, oracle: Oracle, format: str) -> None:
    met = set()
    for kind, category in oracle.feeds():
        path = feed_path(kind, category, format)
        found = feedparser.parse(editor.client.get(path).data)
        assert not found.bozo, path
        assert all(entry.link.isascii() for entry in found.entries), (
            "RSS demands URIs, and Atom gets them too"
        )
        assert [parsed(entry, format) for entry in found.entries] == expected(
            oracle, format, kind, category
        )
        met |= {entry.id for entry in found.entries}
    every = {
        entry.id
        for kind in oracle.items
        for entry in oracle.feed(kind, None, most=1000)
    }
    assert met == every, "each entry is in some feed"


def test_titles_of_rss_are_escaped_once_more_only_where_they_would_read_as_html(
    editor: ApiClient, oracle: Oracle
) -> None:
    for kind, category in oracle.feeds():
        found = feedparser.parse(
            editor.client.get(feed_path(kind, category, "rss")).data
        )
        for entry, seen in zip(found.entries, oracle.feed(kind, category), strict=True):
            assert (entry.title == seen.title) is (as_html(seen.title) == seen.title), (
                seen.title
            )


@pytest.mark.parametrize("format", PARSE_DATE)
def test_reader(editor: ApiClient, oracle: Oracle, format: str, tmp_path: Path) -> None:
    with make_reader(":memory:", feed_root=str(tmp_path)) as keeper:
        for kind, category in oracle.feeds():
            name = f"{kind}-{category}.{format}"
            (tmp_path / name).write_bytes(
                editor.client.get(feed_path(kind, category, format)).data
            )
            keeper.add_feed(name)
        keeper.update_feeds()
        for kind, category in oracle.feeds():
            name = f"{kind}-{category}.{format}"
            assert not keeper.get_feed(name).last_exception
            found = {
                entry.id: kept(entry, format) for entry in keeper.get_entries(feed=name)
            }
            assert found == {
                entry.id: replace(
                    entry,
                    published=entry.published.replace(microsecond=0),
                    updated=None,
                    authors=entry.authors[-1:],
                )
                for entry in expected(oracle, format, kind, category)
            }


def kept(entry: Entry, format: str) -> Seen:
    """An entry as reader keeps it: to the second, and of several authors the last."""
    assert entry.title
    assert entry.link
    assert entry.published
    return Seen(
        entry.id,
        as_html(entry.title) if format == "rss" else entry.title,
        place(entry.link),
        entry.published,
        None,
        named(author.name or "" for author in entry.authors),
        tuple(
            (place(file.href), file.type or "", file.length or 0)
            for file in entry.enclosures
        ),
    )


@pytest.mark.parametrize("format", PARSE_DATE)
def test_reader_shows_an_edit_in_its_place(
    editor: ApiClient, format: str, tmp_path: Path
) -> None:
    path = tmp_path / f"news.{format}"
    with make_reader(":memory:", feed_root=str(tmp_path)) as keeper:
        keeper.add_feed(path.name)
        counts = []
        for title in (
            "Chỉ có tiêu đề, không có gì khác",
            "Tiêu đề <mới> & khác",
            "Lần nữa",
        ):
            editor.send("PATCH", "/articles/n-bare", {"title": title})
            path.write_bytes(editor.client.get(f"/feeds/news.{format}").data)
            updated = keeper.update_feed(path.name)
            assert updated
            counts.append((updated.new, updated.modified))
            titles = [entry.title or "" for entry in keeper.get_entries()]
            assert [
                as_html(shown) if format == "rss" else shown for shown in titles
            ].count(title) == 1
        assert counts == [(50, 0), (0, 1), (0, 1)]
