"""Feeds to render: one entry with everything, one with nothing but a title, and events."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from feedsvc import formats
from feedsvc.config import PageSettings
from feedsvc.feeds.query import FORMATS, CategoryFilter, FeedQuery
from feedsvc.formats.fragments import FragmentCache
from feedsvc.input.schemas import ArticleSchema, EventSchema
from feedsvc.models import (
    Category,
    Entry,
    Event,
    Site,
    Stamp,
    Translation,
)
from feedsvc.pages.html import render_list
from feedsvc.pages.values import ListPage
from feedsvc.recurrence import series_end
from tests.full_entries import ARTICLE, EVENT

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
SITE = Site(
    public_url="https://feeds.example",
    url="https://portal.example",
    title="Cổng thông tin thành phố",
    description="Tin tức và sự kiện",
    language="vi",
    timezone=HANOI,
    icon="https://portal.example/icon.png",
    rights="© Cổng thông tin",
    contact="bientap@portal.example",
    hubs=("https://hub.example/",),
)
PAGE_SETTINGS = PageSettings()
VAN_HOA = Category(
    "van-hoa", "Văn hoá", "Tin văn hoá", "vi", "https://portal.example/van-hoa"
)
FULL: Entry = replace(
    ArticleSchema(SITE).load(ARTICLE),
    id="day-du",
    # They are shown only in some cases.
    notice=None,
    expires=None,
    categories=(VAN_HOA, Category("giao-thong", "Giao thông")),
    translations=(
        Translation("ban-dich", "vi", "Bản <dịch>", "https://portal.example/bản-dịch"),
        Translation("ubersetzung", "de", "Übersetzung"),
    ),
    guid="urn:uuid:00000000-0000-4000-8000-000000000001",
    updated=datetime(2026, 11, 2, 1, 0, 0, 123456, tzinfo=UTC),
    version=2,
)
BARE = Entry(
    id="trong",
    kind="news",
    title="Chỉ có tiêu đề",
    language="vi",
    published=datetime(2026, 10, 31, 18, tzinfo=UTC),
    guid="urn:uuid:00000000-0000-4000-8000-000000000002",
    updated=datetime(2026, 10, 31, 18, tzinfo=UTC),
)
CONCERT = Entry(
    id="hoa-nhac",
    kind="events",
    title="Hoà nhạc",
    language="vi",
    summary="Nhạc Giáng sinh",
    content_text="Dòng một\ndòng hai\n\nĐoạn <hai>",
    # Series have their own tests.
    event=replace(EventSchema(SITE).load(EVENT).event, recurrence=None),
    published=datetime(2026, 11, 1, 1, tzinfo=UTC),
    guid="urn:uuid:00000000-0000-4000-8000-000000000003",
    updated=datetime(2026, 11, 1, 1, tzinfo=UTC),
)
FAIR = Entry(
    id="hoi-cho",
    kind="events",
    title="Hội chợ",
    language="vi",
    event=Event(date(2026, 12, 5), date(2026, 12, 8), HANOI),
    published=datetime(2026, 11, 1, 0, tzinfo=UTC),
    guid="urn:uuid:00000000-0000-4000-8000-000000000004",
    updated=datetime(2026, 11, 1, 0, tzinfo=UTC),
)

ENTRIES = {"news": (FULL, BARE), "events": (CONCERT, FAIR)}
"""The entries of the golden files, by kind."""


def feed(
    kind: str,
    format: str,
    *entries: Entry,
    category: Category | None = None,
    site: Site = SITE,
    **parameters: Any,
) -> ListPage:
    """Return a feed of these entries.

    :param parameters: those of its URL that are not at their default.
    """
    entries = tuple(map(with_end, entries))
    named = (category,) if category else ()
    category_filter = CategoryFilter.create(each.slug for each in named)
    query = FeedQuery(kind, FORMATS[format], category_filter)
    updated = datetime(2026, 11, 2, 1, 0, 0, 999999, tzinfo=UTC)
    query = query.with_parameters(**parameters)
    # Each is the number of its entry here.
    stamps = tuple(
        Stamp(number, 0, 0, None, None, None, False) for number in range(len(entries))
    )
    return ListPage(query, site, named, updated, stamps, entries=entries)


def render_feed(feed: ListPage) -> bytes:
    """Render a feed of these entries, of which none was rendered before."""
    if feed.query.format.is_page:
        return render_list(feed, PAGE_SETTINGS)
    return formats.render_feed(
        feed,
        FragmentCache(max_bytes=0),
        lambda stamps: [feed.entries[stamp.pk] for stamp in stamps],
    )


def with_end(entry: Entry) -> Entry:
    """Return an entry with the end that the storage would set."""
    ends = series_end(entry.event) if entry.event else None
    return replace(entry, ends=ends)


def with_member(entry: Entry, attribute: str, value: Any) -> Entry:
    """Return an entry with another value of a member, such as `event.offers`."""
    group, _, name = attribute.rpartition(".")
    changes: dict[str, Any] = {name: value}
    if not group:
        return replace(entry, **changes)
    assert entry.event
    return replace(entry, event=replace(entry.event, **changes))
