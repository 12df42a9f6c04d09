"""What a reader should see of each feed, told from the API's answers alone: nothing here knows how feeds are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import nh3
import requests

Json = dict[str, Any]
Get = Callable[[str], Json]
"""Reads a path below /api/v1, with a token."""

COLLECTIONS = {"news": "articles", "events": "events"}
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
MOST = 50
"""Entries of a feed at most."""

_SIGNS = {
    "cancelled": "Huỷ: ",
    "postponed": "Hoãn: ",
    "tentative": "Dự kiến: ",
    "withdrawn": "Đã gỡ: ",
}


@dataclass(frozen=True)
class Seen:
    """An entry as a reader sees it, its times in whole seconds as every format has them.

    Enclosures are of a URL, a media type, and a length (0 where unknown).
    """

    id: str
    title: str
    link: str
    published: datetime
    updated: datetime | None
    authors: tuple[str, ...]
    enclosures: tuple[tuple[str, str, int], ...]

    def rough(self) -> Seen:
        """As RSS can tell it: whole seconds, one enclosure, no time of the last edit."""
        published = self.published.replace(microsecond=0)
        return replace(
            self, published=published, updated=None, enclosures=self.enclosures[:1]
        )


class Oracle:
    """All that the API answers, read once, and what follows for each feed at `now`."""

    def __init__(self, get: Get, now: datetime) -> None:
        self.now = now
        self.categories: list[Json] = get("/categories")["categories"]
        self.parents = {
            category["slug"]: category.get("parent") for category in self.categories
        }
        self.items = {kind: list(_all(get, name)) for kind, name in COLLECTIONS.items()}

    def feeds(self) -> list[tuple[str, str | None]]:
        """Every feed's kind and category, the whole sections first."""
        return [(kind, slug) for kind in COLLECTIONS for slug in (None, *self.parents)]

    def feed(self, kind: str, category: str | None, most: int = MOST) -> list[Seen]:
        """The entries of a feed: newest first, ties by guid; of events those that are not over."""
        listed = self.listed(kind, category)
        return [
            _seen(item) for item in listed if kind == "news" or _ends(item) > self.now
        ][:most]

    def months(self, kind: str, category: str | None) -> dict[str, list[Seen]]:
        """The entries of each month that has some, by the site's clocks; of events also those that are over."""
        found: dict[str, list[Seen]] = {}
        for item in self.listed(kind, category):
            month = moment(item["date_published"]).astimezone(HANOI).strftime("%Y-%m")
            found.setdefault(month, []).append(_seen(item))
        return found

    def listed(self, kind: str, category: str | None) -> list[Json]:
        """What the API answers of all visible entries within a category, newest first, ties by guid."""
        items = [
            item
            for item in self.items[kind]
            if self._is_visible(item)
            and (category is None or category in self._wider(item["categories"]))
        ]
        items.sort(key=lambda item: str(item["guid"]))
        items.sort(key=lambda item: moment(item["date_published"]), reverse=True)
        return items

    def _wider(self, slugs: list[str]) -> set[str]:
        found: set[str] = set()
        for slug in slugs:
            step: str | None = slug
            while step:
                found.add(step)
                step = self.parents[step]
        return found

    def _is_visible(self, item: Json) -> bool:
        if item["status"] == "draft" or moment(item["date_published"]) > self.now:
            return False
        return "expires" not in item or moment(item["expires"]) > self.now


def as_html(title: str) -> str:
    """A title as readers show it that take it for HTML."""
    return unescape(nh3.clean(title, tags=set(), clean_content_tags=set()))


def feed_path(kind: str, category: str | None, format: str) -> str:
    """The path of a feed."""
    return (
        f"/feeds/{kind}/{category}.{format}" if category else f"/feeds/{kind}.{format}"
    )


def moment(text: str) -> datetime:
    """An instant as the API answers it."""
    return datetime.fromisoformat(text)


def place(url: str) -> str:
    """A URL as a client asks for it: its host in ASCII (IDNA 2008), the rest percent-encoded."""
    prepared = requests.Request("GET", url).prepare().url
    assert prepared
    return prepared


def _all(get: Get, name: str) -> Iterator[Json]:
    cursor = ""
    while True:
        page = get(f"/{name}?limit=200{cursor}")
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _ends(item: Json) -> datetime:
    if not item["all_day"]:
        return moment(item.get("end") or item["start"])
    day = (
        date.fromisoformat(item["end"])
        if "end" in item
        else date.fromisoformat(item["start"]) + timedelta(1)
    )
    return datetime.combine(day, time(), ZoneInfo(item["timezone"]))


def _seen(item: Json) -> Seen:
    withdrawn = item["status"] == "withdrawn"
    sign = _SIGNS.get("withdrawn" if withdrawn else item.get("event_status", ""), "")
    files = [] if withdrawn else item["attachments"]
    return Seen(
        item["guid"],
        sign + item["title"],
        place(item["url"]),
        moment(item["date_published"]).replace(microsecond=0),
        moment(item["date_modified"]).replace(microsecond=0),
        () if withdrawn else tuple(author["name"] for author in item["authors"]),
        tuple(
            (place(file["url"]), file["mime_type"], file.get("size_in_bytes", 0))
            for file in files
        ),
    )
