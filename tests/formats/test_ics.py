"""iCalendar: its golden file, every property, and any text read back by icalendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from feedsvc.api.text import normalize_line
from feedsvc.feeds.feed import Feed
from feedsvc.formats import ics
from feedsvc.models import Entry, Person, Place, Recurrence
from tests.formats.feeds import CONCERT, FULL, VAN_HOA, feed
from tests.formats.golden import assert_golden

PARIS = ZoneInfo("Europe/Paris")


def read_entries(document: bytes) -> tuple[int, list[str]]:
    return len(Calendar.from_ical(document).walk("VEVENT")), []


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


WHOLE: Feed = feed("events", "ics", CONCERT, series(), category=VAN_HOA)


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


FACTS = (
    "Trực tuyến: https://live.example/hoà-nhạc?a=1&b=2\n\n"
    "Biểu diễn: Dàn nhạc <Giao hưởng>\n\n"
    "Vé: Người <lớn>: 150.000\u00a0₫ (còn vé); Trẻ em: miễn phí"
)


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
    withdrawn = replace(CONCERT, status="withdrawn", notice="Đăng nhầm.").public_view()
    (event,) = read(ics.render(feed("events", "ics", withdrawn))).events
    assert (event["STATUS"], event["SUMMARY"]) == ("CANCELLED", "Đã gỡ: Hoà nhạc")
    assert event["DESCRIPTION"] == "Đã gỡ: Đăng nhầm."


def test_description_in_a_summary_feed_is_the_summary() -> None:
    short = feed("events", "ics", CONCERT, content="summary")
    assert read(ics.render(short)).events[0]["DESCRIPTION"] == (
        f"Nhạc Giáng sinh\n\n{FACTS}"
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
    st.sampled_from(["ệ", "Đ", "👩‍👩‍👧", "e\u0301", "\\", "\\n", ";", ",", ":", '"', "^", "x" * 80, " ", "\u2028", "\u0085", "\t"])
).map("".join).map(normalized).filter(bool)  # fmt: skip


@given(
    title=TEXTS | HARD_TEXTS,
    place=TEXTS | HARD_TEXTS,
    organizer=TEXTS | HARD_TEXTS,
    body=TEXTS | HARD_TEXTS,
)
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
    (event,) = read(ics.render(feed("events", "ics", entry))).events
    assert event["SUMMARY"] == title
    assert event["LOCATION"] == place
    assert event["DESCRIPTION"] == text
    assert event["ORGANIZER"].params["CN"] == organizer.replace("\\", "/")


def test_del_character_is_dropped() -> None:
    (event,) = read(
        ics.render(feed("events", "ics", replace(CONCERT, title="a\x7fb")))
    ).events
    assert event["SUMMARY"] == "Hoãn: ab"
