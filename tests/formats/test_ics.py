"""iCalendar: its golden file, every property, and any text read back by icalendar."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS, CategoryFilter, FeedQuery
from feedsvc.formats import ics
from feedsvc.input.plain_text import normalize_line
from feedsvc.models import Entry, Person, Place, Recurrence
from tests.formats.feeds import CONCERT, FAIR, FULL, SITE, VAN_HOA, feed
from tests.formats.golden import assert_golden

PARIS = ZoneInfo("Europe/Paris")

HIDDEN = {
    "id",
    "content_text",
    "summary",
    "authors",
    "rights",
    "translation_key",
    "expires",
    "attendance",
}


def read_entries(document: bytes) -> tuple[int, list[str]]:
    events = Calendar.from_ical(document).walk("VEVENT")
    # A cancelled date has an event of its own with the UID of the series.
    return len([each for each in events if "RECURRENCE-ID" not in each]), []


def series(**changes: Any) -> Entry:
    """Return an event on Saturdays in Paris with all members of an article."""
    assert CONCERT.event
    event = replace(
        CONCERT.event,
        start=datetime(2026, 12, 5, 19, tzinfo=PARIS),
        end=datetime(2026, 12, 5, 21, tzinfo=PARIS),
        timezone=PARIS,
        status="confirmed",
        recurrence=Recurrence(
            "FREQ=WEEKLY;BYDAY=SA;UNTIL=20270403T170000Z",
            (datetime(2026, 12, 12, 19, tzinfo=PARIS),),
            (
                datetime(2026, 12, 24, 20, tzinfo=PARIS),
                datetime(2026, 12, 26, 20, tzinfo=PARIS),
            ),
        ),
    )
    return replace(FULL, kind="events", event=event, sequence=3, **changes)


WHOLE: Feed = feed(
    "events", "ics", CONCERT, series(), category=VAN_HOA, content="full"
)


def read(document: bytes) -> Any:
    """Check the lines of a calendar (RFC 5545 §3.1), and parse it."""
    lines = document.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) <= 75
        assert b"\n" not in line
        assert b"\r" not in line
        line.decode()  # no character is split
    return Calendar.from_ical(document)


@pytest.mark.golden
def test_document_equals_its_golden_file() -> None:
    document = ics.render(WHOLE)
    assert_golden("calendar.ics", document)
    assert document == ics.render(WHOLE)


@pytest.mark.parametrize(
    ("parameters", "title"),
    [
        ({}, "Sự kiện – Cổng thông tin thành phố"),
        ({"category": VAN_HOA}, "Văn hoá – Cổng thông tin thành phố"),
        ({"q": "sach"}, "Sự kiện – tìm “sach” – Cổng thông tin thành phố"),
    ],
)
def test_name_begins_with_the_category(
    parameters: dict[str, Any], title: str
) -> None:
    calendar = read(ics.render(feed("events", "ics", FAIR, **parameters)))
    assert calendar["NAME"] == calendar["X-WR-CALNAME"] == title


def test_name_without_some_categories() -> None:
    query = FeedQuery(
        "events", FORMATS["ics"], CategoryFilter(exclude=("van-hoa",))
    )
    calendar = read(ics.render(Feed(query, SITE, (VAN_HOA,))))
    assert (
        calendar["NAME"] == "Sự kiện – trừ Văn hoá – Cổng thông tin thành phố"
    )


FACTS = (
    "Trực tuyến: https://live.example/hoà-nhạc?a=1&b=2\n\n"
    "Biểu diễn: Dàn nhạc <Giao hưởng> (https://nhac.example/)\n\n"
    "Vé: Người <lớn>: 150.000\u00a0₫ (còn vé) (https://ve.example/); Trẻ em: miễn phí\n\n"
    "Đơn vị tổ chức: Sở Văn hoá; so@portal.example"
)
URL = "https://feeds.example/entries/hoa-nhac"


def description(**changes: Any) -> str:
    """Return the description of an event without details, in its own calendar."""
    assert CONCERT.event
    plain = {
        "online_url": None,
        "offers": (),
        "performers": (),
        "organizer": changes.pop("organizer", None),
    }
    event = replace(CONCERT.event, **plain)
    entry = replace(
        CONCERT, **{"content_text": None, **changes, "event": event}
    )
    (component,) = read(ics.render_event(entry, SITE)).events
    text, _, url = str(component["DESCRIPTION"]).rpartition("\n\n")
    assert url == component["URL"]
    return text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            '<p>Đăng ký <a href="https://a.example/?a=1&amp;b=2" rel="noopener">tại <b>đây</b> </a>trước.</p>',
            "Đăng ký tại đây (https://a.example/?a=1&b=2) trước.",
        ),
        (
            '<p><a lang="en" href="https://a.example/?a=1&amp;b=2">https://a.example/?a=1&amp;b=2</a></p>',
            "https://a.example/?a=1&b=2",
        ),
        ('<a href="mailto:a@a.example">a@a.example</a>', "a@a.example"),
        (
            '<a href="mailto:a@a.example">Ban tổ chức</a>',
            "Ban tổ chức (a@a.example)",
        ),
        ('<a href="tel:+84243825">024 3825</a>', "024 3825 (+84243825)"),
        (
            '<a href="https://a.example/a.jpg"><img src="https://a.example/b.jpg"></a>',
            "(https://a.example/a.jpg)",
        ),
        (
            '<p>Xem:</p>\n<iframe src="https://www.youtube.com/embed/x"></iframe>',
            "Xem:\n\nhttps://www.youtube.com/embed/x",
        ),
        (
            '<p>Mang theo:</p>\n<ul>\n<li>nước</li>\n<li lang="vi">\nmũ</li>\n</ul>\n<p>Hẹn gặp.</p>',
            "Mang theo:\n\n- nước\n- mũ\n\nHẹn gặp.",
        ),
        (
            "<ol><li>một<ul><li>hai</li></ul></li><li>ba</li></ol>",
            "- một\n- hai\n\n- ba",
        ),
    ],
)
def test_description_has_addresses_and_marks_of_lists(
    html: str, text: str
) -> None:
    assert description(content_html=html) == text


@pytest.mark.parametrize(
    ("organizer", "text"),
    [
        (Person("Sở"), "Sở"),
        (Person("Sở", "https://so.example/"), "Sở (https://so.example/)"),
        (
            Person("Sở", "https://so.example/", "so@so.example"),
            "Sở (https://so.example/); so@so.example",
        ),
    ],
)
def test_description_has_the_organizer(organizer: Person, text: str) -> None:
    assert description(organizer=organizer).endswith(
        f"\n\nĐơn vị tổ chức: {text}"
    )


def test_event_without_text_has_its_url_as_description() -> None:
    (event,) = read(ics.render_event(FAIR, SITE)).events
    assert event["DESCRIPTION"] == event["URL"]


def test_events_leave_people_free() -> None:
    events = read(ics.render(WHOLE)).events
    assert {event["TRANSP"] for event in events} == {"TRANSPARENT"}


def long_calendar(length: int, updated: datetime = CONCERT.updated) -> bytes:
    """Return a calendar of 9 long events in two zones, and of one after them.

    :param length: characters of the ninth one's text.
    :param updated: when the ninth one changed.
    """
    first = [
        replace(CONCERT, guid=f"{9 - number}", content_text="x" * 110_000)
        for number in range(8)
    ]
    ninth = replace(
        series(content_text="x" * length), content_html=None, guid="1"
    )
    ninth = replace(ninth, updated=updated)
    return ics.render(
        feed("events", "ics", *first, ninth, FAIR, content="full")
    )


def test_calendar_has_at_most_1_000_000_bytes() -> None:
    """The first events of the feed, and none after one that has no room."""

    def lacks_ninth(length: int) -> bool:
        return long_calendar(length).count(b"BEGIN:VEVENT") < 9

    length = bisect_left(range(100_000), True, key=lacks_ninth)
    longest, cut = long_calendar(length - 1), long_calendar(length)
    # Another character may begin another line.
    # There is room for a note.
    assert 999_000 - len(b"x\r\n ") < len(longest) <= 999_000
    assert [event["UID"] for event in read(longest).events] == list(
        "123456789"
    )
    calendar = read(cut)
    assert [event["UID"] for event in calendar.events] == list("23456789")
    assert [zone.tz_name for zone in calendar.timezones] == [
        "Asia/Ho_Chi_Minh"
    ]


def test_event_without_room_changes_no_bytes() -> None:
    later = CONCERT.updated + timedelta(days=1)
    assert long_calendar(100_000) == long_calendar(100_000, later)


def test_imported_guid_is_the_uid() -> None:
    imported = replace(CONCERT, guid="20261224T120000Z-1@lich.example")
    (event,) = read(ics.render(feed("events", "ics", imported))).events
    assert event["UID"] == "20261224T120000Z-1@lich.example"


def test_organizer_needs_an_address() -> None:
    assert CONCERT.event
    event = replace(CONCERT.event, organizer=Person("Sở"))
    document = ics.render(feed("events", "ics", replace(CONCERT, event=event)))
    assert b"ORGANIZER" not in document


def test_withdrawn_event_is_cancelled_with_its_notice() -> None:
    withdrawn = replace(
        CONCERT, status="withdrawn", notice="Đăng nhầm."
    ).public_view()
    (event,) = read(ics.render(feed("events", "ics", withdrawn))).events
    assert (event["STATUS"], event["SUMMARY"]) == (
        "CANCELLED",
        "Đã gỡ: Hoà nhạc",
    )
    assert event["DESCRIPTION"] == f"Đã gỡ: Đăng nhầm.\n\n{URL}"


def test_description_in_a_summary_feed_is_the_summary() -> None:
    short = feed("events", "ics", CONCERT)
    assert read(ics.render(short)).events[0]["DESCRIPTION"] == (
        f"Nhạc Giáng sinh\n\n{FACTS}\n\n{URL}"
    )


def normalized(value: str) -> str | None:
    """Return text as the API normalizes it, without DEL, which no calendar may have."""
    try:
        return normalize_line(value.replace("\x7f", "")) or None
    except ValueError:
        return None


TEXTS = (
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)
    .map(normalized)
    .filter(bool)
)
HARD_TEXTS = st.lists(
    st.sampled_from(["ệ", "Đ", "👩‍👩‍👧", "e\u0301", "\\", "\\n", "\\N", ";", ",", ":", '"', "^", "x" * 80, " ", "\u2028", "\u0085", "\t"])
).map("".join).map(normalized).filter(bool)  # fmt: skip


@given(
    title=TEXTS | HARD_TEXTS,
    place=TEXTS | HARD_TEXTS,
    organizer=TEXTS | HARD_TEXTS,
    body=TEXTS | HARD_TEXTS,
)
@example(title=r"C:\Nhạc", place=r"\N", organizer=r"\N", body=r"\N")
def test_any_text_is_read_back(
    title: str, place: str, organizer: str, body: str
) -> None:
    assert CONCERT.event
    details = replace(
        CONCERT.event,
        status="confirmed",
        online_url=None,
        offers=(),
        performers=(),
        location=Place(place),
        organizer=Person(organizer, None, "a@x.vn"),
    )
    text = body + "\n" + body
    entry = replace(CONCERT, title=title, content_text=text, event=details)
    (event,) = read(ics.render_event(entry, SITE)).events
    assert event["SUMMARY"] == title
    assert event["LOCATION"] == place
    facts = f"Đơn vị tổ chức: {organizer}; a@x.vn"
    assert event["DESCRIPTION"] == f"{text}\n\n{facts}\n\n{URL}"
    assert event["ORGANIZER"].params["CN"] == organizer.replace("\\", "/")


def test_del_character_is_dropped() -> None:
    (event,) = read(
        ics.render(feed("events", "ics", replace(CONCERT, title="a\x7fb")))
    ).events
    assert event["SUMMARY"] == "Hoãn: ab"
