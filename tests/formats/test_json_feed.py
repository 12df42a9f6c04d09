"""JSON Feed: every member of a feed and an item, deletions, archives."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from feedsvc.feed_query import FeedQuery
from feedsvc.formats import render_feed
from feedsvc.models import Attachment, Entry, Tombstone
from tests.formats.feeds import BARE, CONCERT, FAIR, FULL, VAN_HOA, feed


def parsed(kind: str, *entries: Entry, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        render_feed(replace(feed(kind, "json", *entries), **changes))
    )
    return document


def test_feed_members() -> None:
    document = json.loads(render_feed(feed("news", "json", BARE, category=VAN_HOA)))
    assert {
        name: value
        for name, value in document.items()
        if name not in ("items", "_feed")
    } == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Tin tức mới nhất – Văn hoá – Cổng thông tin thành phố",
        "home_page_url": "https://portal.example/van-hoa",
        "feed_url": "https://feeds.example/feeds/news/van-hoa.json",
        "description": "Tin văn hoá",
        "icon": "https://portal.example/icon.png",
        "authors": [
            {"name": "Cổng thông tin thành phố", "url": "https://portal.example"}
        ],
        "language": "vi",
        "hubs": [
            {"type": "WebSub", "url": "https://feeds.example/hub"},
            {"type": "WebSub", "url": "https://hub.example/"},
        ],
    }
    assert document["_feed"]["date_modified"] == "2026-11-02T08:00:00+07:00"
    assert document["_feed"]["rights"] == "© Cổng thông tin"


def test_item_with_every_member() -> None:
    (item,) = parsed("news", FULL)["items"]
    assert item["content_html"].count("<img") == 1
    assert {
        name: value
        for name, value in item.items()
        if name not in ("content_html", "_entry")
    } == {
        "id": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "url": "https://portal.example/tin/%C4%91%E1%BA%A7y-%C4%91%E1%BB%A7?a=1&b=2",
        "title": "Thành tựu <b>&amp; tiến bộ</b>",
        "summary": "Một & hai < ba",
        "image": "https://media.example/c%E1%BA%A7u.jpg",
        "date_published": "2026-11-01T08:00:00+07:00",
        "date_modified": "2026-11-02T08:00:00+07:00",
        "authors": [
            {"name": "Lan", "url": "https://portal.example/lan"},
            {"name": "Nam"},
        ],
        "tags": ["Văn hoá", "Giao thông"],
        "language": "en",
        "attachments": [
            {
                "url": "https://media.example/a.mp3",
                "mime_type": "audio/mpeg",
                "title": "Nghe",
                "size_in_bytes": 5,
                "duration_in_seconds": 62,
            },
            {"url": "https://media.example/b.pdf", "mime_type": "application/pdf"},
        ],
    }
    assert item["_entry"] == {
        "about": "https://feeds.example/api/docs",
        "id": "day-du",
        "categories": ["van-hoa", "giao-thong"],
        "source": {"name": "Báo Thủ đô", "url": "https://bao.example/"},
        "image": {
            "url": "https://media.example/cầu.jpg",
            "alt": "Cầu",
            "caption": "Cây cầu & sông",
            "credit": "Nam",
            "type": "image/jpeg",
            "length": 1000,
            "width": 1200,
            "height": 800,
        },
        "rights": "© Báo Thủ đô",
        "status": "published",
        "attachments": [
            {"url": "https://media.example/a.mp3", "duration_in_seconds": 61.5}
        ],
        "translations": [
            {
                "id": "ban-dich",
                "language": "vi",
                "title": "Bản <dịch>",
                "url": "https://portal.example/b%E1%BA%A3n-d%E1%BB%8Bch",
            },
            {
                "id": "ubersetzung",
                "language": "de",
                "title": "Übersetzung",
                "url": "https://feeds.example/entries/ubersetzung",
            },
        ],
    }


@pytest.mark.parametrize(
    ("duration", "shown", "is_exact"),
    [
        (61.5, "62", False),
        (728.0, "728", True),
        (0.0, "0", True),
        (59.999, "60", False),
        (0.25, "0", False),
    ],
)
def test_durations_are_rounded_and_exact_in_the_extension(
    duration: float, shown: str, is_exact: bool
) -> None:
    file = Attachment("https://media.example/a.mp3", "audio/mpeg", duration=duration)
    document = render_feed(
        feed("news", "json", replace(BARE, attachments=(file,)))
    ).decode()
    (item,) = json.loads(document, parse_int=str)["items"]
    assert item["attachments"][0]["duration_in_seconds"] == shown
    exact = [] if is_exact else [{"url": file.url, "duration_in_seconds": duration}]
    assert json.loads(document)["items"][0]["_entry"].get("attachments", []) == exact


def test_minimal_item_has_the_title_as_content() -> None:
    (item,) = parsed("news", BARE)["items"]
    assert item["content_text"] == "Chỉ có tiêu đề", "one of the two must be there"
    assert "content_html" not in item
    assert item["_entry"]["rights"] == "© Cổng thông tin", "the site's"


def test_event_extension() -> None:
    concert, fair = parsed("events", CONCERT, FAIR)["items"]
    assert concert["title"] == "Hoãn: Hoà nhạc"
    assert concert["_event"] == {
        "about": "https://feeds.example/api/docs",
        "start": "2026-12-24T19:00:00+07:00",
        "end": "2026-12-24T21:30:00+07:00",
        "all_day": False,
        "timezone": "Asia/Ho_Chi_Minh",
        "location": {
            "name": "Nhà hát Lớn",
            "address": "1 Tràng Tiền",
            "latitude": 21.024,
            "longitude": 105.857,
        },
        "attendance": "mixed",
        "online_url": "https://live.example/hoà-nhạc?a=1&b=2",
        "offers": [
            {
                "name": "Người <lớn>",
                "price": "150000",
                "currency": "VND",
                "url": "https://ve.example/",
                "availability": "in_stock",
            },
            {"name": "Trẻ em", "price": "0", "currency": "VND"},
        ],
        "performers": [
            {"name": "Dàn nhạc <Giao hưởng>", "url": "https://nhac.example/"}
        ],
        "organizer": {"name": "Sở Văn hoá", "url": "mailto:so@portal.example"},
        "event_status": "postponed",
    }
    assert (
        fair["_event"]["start"],
        fair["_event"]["end"],
        fair["_event"]["all_day"],
    ) == (
        "2026-12-05",
        "2026-12-08",
        True,
    )


def test_summary_feed_has_no_content_html() -> None:
    (item,) = parsed("news", FULL, query=FeedQuery("news", "json", content="summary"))[
        "items"
    ]
    assert "content_html" not in item
    assert item["content_text"] == item["summary"] == "Một & hai < ba"


def test_deletions_and_archive_links() -> None:
    left = Tombstone("urn:x", datetime(2026, 11, 3, 2, tzinfo=UTC))
    older = FeedQuery("news", "json", archive="2026-10")
    document = parsed("news", FULL, tombstones=(left,), previous_archive=older)
    assert document["_deleted"]["items"] == [
        {"id": "urn:x", "date_deleted": "2026-11-03T09:00:00+07:00"}
    ]
    assert (
        document["next_url"] == "https://feeds.example/feeds/news.json?archive=2026-10"
    )
    document = parsed(
        "news", query=older, next_archive=replace(older, archive="2026-11")
    )
    assert (
        document["feed_url"] == "https://feeds.example/feeds/news.json?archive=2026-10"
    )
    assert "next_url" not in document
    assert document["_feed"]["archive"] == "2026-10"
    assert document["_feed"]["current_url"] == "https://feeds.example/feeds/news.json"
    assert (
        document["_feed"]["previous_url"]
        == "https://feeds.example/feeds/news.json?archive=2026-11"
    )
