"""Feeds to render: one entry with everything, one with nothing but a title, and events."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import (
    Attachment,
    Category,
    Entry,
    Event,
    Feed,
    FeedVersion,
    Image,
    Offer,
    Performer,
    Person,
    Place,
    Site,
    Source,
    Translation,
)

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
    hub="https://feeds.example/hub",
    hubs=("https://hub.example/",),
)
VAN_HOA = Category(
    "van-hoa", "Văn hoá", "Tin văn hoá", "vi", "https://portal.example/van-hoa"
)
FULL = Entry(
    id="day-du",
    kind="news",
    title="Thành tựu <b>&amp; tiến bộ</b>",
    language="en",
    url="https://portal.example/tin/đầy đủ?a=1&b=2".replace(" ", "-"),
    summary="Một & hai < ba",
    content_html='<p>Đoạn một &amp; hai.</p>\n<p><a href="https://portal.example/x">Liên kết</a></p>',
    authors=(
        Person("Lan", "https://portal.example/lan", "lan@portal.example"),
        Person("Nam"),
    ),
    source=Source("Báo Thủ đô", "https://bao.example/"),
    rights="© Báo Thủ đô",
    categories=(VAN_HOA, Category("giao-thong", "Giao thông")),
    image=Image(
        "https://media.example/cầu.jpg",
        "Cầu",
        "Cây cầu & sông",
        "Nam",
        "image/jpeg",
        1000,
        1200,
        800,
    ),
    attachments=(
        Attachment("https://media.example/a.mp3", "audio/mpeg", 5, "Nghe", 61.5),
        Attachment("https://media.example/b.pdf", "application/pdf"),
    ),
    translation_key="thanh-tuu",
    translations=(
        Translation("ban-dich", "vi", "Bản <dịch>", "https://portal.example/bản-dịch"),
        Translation("ubersetzung", "de", "Übersetzung"),
    ),
    published=datetime(2026, 11, 1, 1, 0, 0, 500, tzinfo=UTC),
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
    event=Event(
        start=datetime(2026, 12, 24, 19, tzinfo=HANOI),
        end=datetime(2026, 12, 24, 21, 30, tzinfo=HANOI),
        timezone=HANOI,
        location=Place("Nhà hát Lớn", "1 Tràng Tiền", None, 21.024, 105.857),
        organizer=Person("Sở Văn hoá", None, "so@portal.example"),
        status="postponed",
        attendance="mixed",
        online_url="https://live.example/hoà-nhạc?a=1&b=2",
        offers=(
            Offer("150000", "VND", "Người <lớn>", "https://ve.example/", "in_stock"),
            Offer("0", "VND", "Trẻ em"),
        ),
        performers=(Performer("Dàn nhạc <Giao hưởng>", "https://nhac.example/"),),
    ),
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
) -> Feed:
    """Return a feed of these entries."""
    named = (category,) if category else ()
    query = FeedQuery(kind, format, CategoryFilter.create(each.slug for each in named))
    updated = datetime(2026, 11, 2, 1, 0, 0, 999999, tzinfo=UTC)
    return Feed(query, site, named, FeedVersion(updated), updated, entries=entries)
