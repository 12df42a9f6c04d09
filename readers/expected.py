"""The items that readers should see of each feed, from the API's responses alone.

Nothing here knows how feeds are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import nh3
import requests

Json = dict[str, Any]
GetJson = Callable[[str], Json]
"""Reads a path below /api/v1, with a token."""

Enclosures = tuple[tuple[str, str, int], ...]

COLLECTIONS = {"news": "articles", "events": "events"}
MAX_ENTRIES = 50
"""The entries of a feed without `limit`."""

TITLE_PREFIXES = {
    "cancelled": "Hủy: ",
    "postponed": "Hoãn: ",
    "tentative": "Dự kiến: ",
    "withdrawn": "Đã gỡ: ",
}


@dataclass(frozen=True)
class ReaderEntry:
    """An entry as a reader sees it; its times are whole seconds as in every format.

    Enclosures are tuples of URL, media type and length (0 if unknown).
    """

    id: str
    title: str
    link: str
    published: datetime
    updated: datetime | None
    authors: tuple[str, ...]
    enclosures: Enclosures

    def as_rss(self) -> ReaderEntry:
        """Return what RSS can express: one enclosure, no time of the last edit."""
        return replace(self, updated=None, enclosures=self.enclosures[:1])


class ExpectedFeeds:
    """Everything that the API returns, read once, and the feeds that follow at `now`."""

    def __init__(self, get: GetJson, now: datetime) -> None:
        self.now = now
        self.categories: list[Json] = get("/categories")["categories"]
        self.items = {
            kind: list(_list_items(get, name)) for kind, name in COLLECTIONS.items()
        }

    def feed(self, kind: str) -> list[ReaderEntry]:
        """Return the entries of a feed, newest first, without past events."""
        current = (
            item
            for item in self.visible_items(kind)
            if kind == "news" or _end_time(item) > self.now
        )
        return [_to_reader_entry(item) for item in current][:MAX_ENTRIES]

    def visible_items(self, kind: str) -> list[Json]:
        """Return the visible items of a kind, newest first, ties by guid."""
        return sorted(
            filter(self._is_visible, self.items[kind]),
            key=lambda item: (parse_time(item["date_published"]), item["guid"]),
            reverse=True,
        )

    def _is_visible(self, item: Json) -> bool:
        if item["status"] == "draft":
            return False
        # Changes at the same time differ by microseconds.
        if parse_time(item["date_published"]).replace(microsecond=0) > self.now:
            return False
        return "expires" not in item or parse_time(item["expires"]) > self.now


def as_html(title: str) -> str:
    """Return a title as readers show it that take it for HTML."""
    return unescape(nh3.clean(title, tags=set(), clean_content_tags=set()))


def parse_time(text: str) -> datetime:
    """Parse a time of the API."""
    return datetime.fromisoformat(text)


def normalize_url(url: str) -> str:
    """Return a URL as clients request it: an ASCII host (IDNA 2008), percent-encoded."""
    prepared = requests.Request("GET", url).prepare().url
    assert prepared
    return prepared


def _list_items(get: GetJson, name: str) -> Iterator[Json]:
    number = 1
    while number:
        page = get(f"/{name}?limit=200&page={number}")
        for item in page["items"]:
            yield get(f"/{name}/{item['id']}")  # lists have no bodies
        number = page["next_page"]


def _end_time(item: Json) -> datetime:
    if not item["all_day"]:
        return parse_time(item.get("end") or item["start"])
    if "end" in item:
        day = date.fromisoformat(item["end"])
    else:
        day = date.fromisoformat(item["start"]) + timedelta(days=1)
    return datetime.combine(day, time(), ZoneInfo(item["timezone"]))


def _to_reader_entry(item: Json) -> ReaderEntry:
    is_withdrawn = item["status"] == "withdrawn"
    status = "withdrawn" if is_withdrawn else item.get("event_status", "")
    authors = [] if is_withdrawn else item["authors"]
    files = [] if is_withdrawn else item["attachments"]
    return ReaderEntry(
        item["guid"],
        TITLE_PREFIXES.get(status, "") + item["title"],
        normalize_url(item["url"]),
        parse_time(item["date_published"]).replace(microsecond=0),
        parse_time(item["date_modified"]).replace(microsecond=0),
        tuple(author["name"] for author in authors),
        attachments(files),
    )


def attachments(files: Iterable[Json]) -> Enclosures:
    """Return attachments of the API as enclosures, with URLs as clients request them."""
    return tuple(
        (normalize_url(file["url"]), file["mime_type"], file.get("size_in_bytes", 0))
        for file in files
    )
