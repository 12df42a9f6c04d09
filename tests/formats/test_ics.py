"""iCalendar: a golden file, every property read back, and any text carried whole."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from feedsvc.api import text
from feedsvc.formats import FORMATS, ics, render_feed
from feedsvc.models import Entry, Event, Feed, Person, Place, Recurrence, Tombstone
from tests.formats.feeds import CONCERT, FAIR, FULL, SITE, VAN_HOA, feed

GOLDEN = Path(__file__).parent.parent / "golden" / "calendar.ics"
PARIS = ZoneInfo("Europe/Paris")


def series(**changes: Any) -> Entry:
    """Saturdays in Paris, with what a news entry has."""
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


def gone(entry: Entry) -> Tombstone:
    """A deleted event, as the store hands it on."""
    assert entry.event
    event = Event(entry.event.start, None, entry.event.timezone)
    return Tombstone(entry.guid, datetime(2026, 11, 9, tzinfo=UTC), event, sequence=5)


WHOLE: Feed = replace(
    feed("events", "ics", CONCERT, series(), category=VAN_HOA), tombstones=(gone(FAIR),)
)


def read(document: bytes) -> Any:
    """A calendar by icalendar, its lines looked at (RFC 5545 §3.1)."""
    lines = document.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) <= 75
        assert b"\n" not in line
        assert b"\r" not in line
        line.decode()  # no character is split
    return Calendar.from_ical(document)


def test_the_golden_file() -> None:
    """Set GOLDEN=write to write it anew, and read the difference before it is committed."""
    document = ics.render(WHOLE)
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_bytes(document)
    assert document == GOLDEN.read_bytes()
    assert document == ics.render(WHOLE)
    assert FORMATS["ics"].kinds == ("events",)


def test_the_calendar() -> None:
    calendar = read(ics.render(WHOLE))
    title = "Sự kiện mới nhất – Văn hoá – Cổng thông tin thành phố"
    assert calendar["NAME"] == calendar["X-WR-CALNAME"] == title
    assert calendar["DESCRIPTION"] == calendar["X-WR-CALDESC"] == "Tin văn hoá"
    assert calendar["X-WR-TIMEZONE"] == "Asia/Ho_Chi_Minh"
    assert calendar["URL"] == "https://portal.example/van-hoa"
    assert calendar["LAST-MODIFIED"].dt == datetime(2026, 11, 2, 1, tzinfo=UTC)
    document = ics.render(WHOLE)
    for line in (
        b"REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        b"X-PUBLISHED-TTL:PT1H",
        b"SOURCE;VALUE=URI:https://feeds.example/feeds/events/van-hoa.ics",
        b"IMAGE;VALUE=URI:https://portal.example/icon.png",
        b"COLOR:teal",
    ):
        assert line in document.split(b"\r\n")
    assert [zone.tz_name for zone in calendar.timezones] == [
        "Asia/Ho_Chi_Minh",
        "Europe/Paris",
    ]
    assert "IMAGE" not in read(ics.render(replace(WHOLE, site=replace(SITE, icon=""))))


def test_an_event_with_everything() -> None:
    event = read(ics.render(WHOLE)).events[1]
    assert event["UID"] == "00000000-0000-4000-8000-000000000001"
    assert (
        event["DTSTAMP"].dt
        == event["LAST-MODIFIED"].dt
        == datetime(2026, 11, 2, 1, tzinfo=UTC)
    )
    assert event["CREATED"].dt == datetime(2026, 11, 1, 1, tzinfo=UTC)
    assert event["SEQUENCE"] == 3
    assert event["STATUS"] == "CONFIRMED"
    assert event["SUMMARY"] == FULL.title
    assert event["SUMMARY"].params["LANGUAGE"] == "en"
    assert event["DESCRIPTION"] == "Đoạn một & hai.\n\nLiên kết\n\nNguồn: Báo Thủ đô"
    assert event["DTSTART"].dt == datetime(2026, 12, 5, 19, tzinfo=PARIS)
    assert event["DTSTART"].params["TZID"] == "Europe/Paris"
    assert event["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=20270403T170000Z;BYDAY=SA"
    assert [each.dt.day for each in event["EXDATE"].dts] == [12]
    assert [each.dt.day for each in event["RDATE"].dts] == [24, 26]
    assert event["LOCATION"] == "Nhà hát Lớn, 1 Tràng Tiền"
    assert event["GEO"].to_ical() == "21.024;105.857"
    assert event["ORGANIZER"] == "mailto:so@portal.example"
    assert event["ORGANIZER"].params["CN"] == "Sở Văn hoá"
    assert event["CATEGORIES"].cats == ["Văn hoá", "Giao thông"]
    assert (
        event["URL"]
        == "https://portal.example/tin/%C4%91%E1%BA%A7y-%C4%91%E1%BB%A7?a=1&b=2"
    )
    assert event["IMAGE"] == "https://media.example/c%E1%BA%A7u.jpg"
    assert event["IMAGE"].params["FMTTYPE"] == "image/jpeg"
    assert [str(each) for each in event["ATTACH"]] == [
        "https://media.example/a.mp3",
        "https://media.example/b.pdf",
    ]


def test_a_deleted_event_is_cancelled() -> None:
    event = read(ics.render(WHOLE)).events[2]
    assert event.keys() == {
        "UID",
        "DTSTAMP",
        "DTSTART",
        "SEQUENCE",
        "STATUS",
        "SUMMARY",
    }
    assert (event["UID"], event["SUMMARY"]) == (
        FAIR.guid.removeprefix("urn:uuid:"),
        "Đã hủy",
    )
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 5)
    assert str(event["DTSTART"].dt) == "2026-12-05"
    assert event["DTSTAMP"].dt == datetime(2026, 11, 9, tzinfo=UTC)
    english = replace(WHOLE, site=replace(WHOLE.site, language="en-GB"))
    assert read(ics.render(english)).events[2]["SUMMARY"] == "Cancelled"


def test_deleted_event_keeps_its_zone() -> None:
    only = replace(feed("events", "ics"), tombstones=(gone(CONCERT),))
    calendar = read(ics.render(only))
    (event,) = calendar.events
    assert event["DTSTART"].params["TZID"] == "Asia/Ho_Chi_Minh"
    assert [zone["TZID"] for zone in calendar.timezones] == ["Asia/Ho_Chi_Minh"]


def test_what_else_may_be() -> None:
    assert CONCERT.event
    imported = replace(CONCERT, guid="20261224T120000Z-1@lich.example")
    quiet = replace(
        CONCERT, event=replace(CONCERT.event, organizer=Person("Sở"), location=None)
    )
    withdrawn = replace(CONCERT, status="withdrawn", notice="Đăng nhầm.").public_view()
    corrected = replace(CONCERT, notice="19:30, không phải 19:00.")
    one, two, three, four = read(
        ics.render(feed("events", "ics", imported, quiet, withdrawn, corrected))
    ).events
    assert one["UID"] == "20261224T120000Z-1@lich.example"
    assert not two.keys() & {
        "ORGANIZER",
        "LOCATION",
        "GEO",
        "IMAGE",
        "ATTACH",
        "CATEGORIES",
        "RRULE",
    }
    assert (three["STATUS"], three["SUMMARY"]) == ("CANCELLED", "Đã gỡ: Hoà nhạc")
    assert three["DESCRIPTION"] == "Đã gỡ: Đăng nhầm."
    short = feed("events", "ics", CONCERT)
    short = replace(short, query=replace(short.query, content="summary"))
    assert read(ics.render(short)).events[0]["DESCRIPTION"] == "Nhạc Giáng sinh"
    assert four["DESCRIPTION"].startswith(
        "Đính chính: 19:30, không phải 19:00.\n\nDòng một\ndòng hai\n\nĐoạn <hai>"
    )


def test_what_cannot_be_written_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    broken = replace(CONCERT, id="hong", title="a\ud800b")
    assert (
        len(read(render_feed(feed("events", "ics", CONCERT, broken, FAIR))).events) == 2
    )
    assert "Entry hong left out" in caplog.text
    assert read(ics.render(feed("events", "ics"))).events == []


def cleaned(value: str) -> str | None:
    """Text as the door lets it in, but for DEL, which no calendar may have."""
    try:
        return text.normalize_line(value.replace("\x7f", "")) or None
    except ValueError:
        return None


LINES = (
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)
    .map(cleaned)
    .filter(bool)
)
HARD = st.lists(
    st.sampled_from(["ệ", "Đ", "👩‍👩‍👧", "e\u0301", "\\", "\\n", ";", ",", ":", '"', "^", "x" * 80, " ", "\u2028", "\u0085", "\t"])
).map("".join).map(cleaned).filter(bool)  # fmt: skip


@given(
    title=LINES | HARD, place=LINES | HARD, organizer=LINES | HARD, body=LINES | HARD
)
def test_any_text_is_carried_whole(
    title: str, place: str, organizer: str, body: str
) -> None:
    assert CONCERT.event
    event = replace(
        CONCERT.event,
        status="confirmed",
        location=Place(place),
        organizer=Person(organizer, None, "a@x.vn"),
    )
    entry = replace(CONCERT, title=title, content_text=body + "\n" + body, event=event)
    (found,) = read(ics.render(feed("events", "ics", entry))).events
    assert found["SUMMARY"] == title
    assert found["LOCATION"] == place
    assert found["DESCRIPTION"] == body + "\n" + body
    assert found["ORGANIZER"].params["CN"] == organizer.replace("\\", "/")


def test_a_control_character_is_dropped() -> None:
    (found,) = read(
        ics.render(feed("events", "ics", replace(CONCERT, title="a\x7fb")))
    ).events
    assert found["SUMMARY"] == "Hoãn: ab"
