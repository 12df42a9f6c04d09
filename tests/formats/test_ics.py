"""iCalendar: its golden file, every property, and any text read back by icalendar."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar

from feedsvc.formats import ics
from feedsvc.input.plain_text import normalize_line
from feedsvc.models import Entry, Person, Place, Recurrence
from feedsvc.pages.values import ListPage
from tests.data import read_tables
from tests.formats.feeds import (
    CONCERT,
    FAIR,
    FULL,
    SITE,
    VAN_HOA,
    feed,
    render_feed,
    with_member,
)
from tests.formats.golden import assert_golden

PARIS = ZoneInfo("Europe/Paris")

HIDDEN = set(
    "id content_text summary authors rights translation_key expires attendance".split()
)


def read_entries(document: bytes) -> tuple[int, list[str]]:
    events = Calendar.from_ical(document).walk("VEVENT")
    # A cancelled date has an event of its own.
    return len([each for each in events if "RELATED-TO" not in each]), []


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


WHOLE: ListPage = feed(
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
    document = render_feed(WHOLE)
    assert_golden("calendar.ics", document)
    assert document == render_feed(WHOLE)


URL = "https://feeds.example/entries/hoa-nhac"


@pytest.mark.parametrize(("html", "text"), read_tables("words")["descriptions"])
def test_description_has_addresses_and_marks_of_lists(html: str, text: str) -> None:
    event = replace(FAIR, content_html=html)
    (component,) = read(ics.render_event(event, SITE)).events
    assert component["DESCRIPTION"] == f"{text}\n\n{component['URL']}"


def test_calendar_has_the_first_events_that_have_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None follows one without room, which changes no bytes."""

    def calendar(*entries: Entry) -> bytes:
        return render_feed(feed("events", "ics", *entries))

    first = [replace(CONCERT, guid=f"{9 - number}") for number in range(8)]
    ninth = replace(series(), guid="1")
    whole = calendar(*first, ninth)
    monkeypatch.setattr(ics, "MAX_BYTES", len(whole))
    assert calendar(*first, ninth, FAIR) == whole
    monkeypatch.setattr(ics, "MAX_BYTES", len(whole) - 1)
    assert calendar(*first, ninth, FAIR) == calendar(*first)


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
        is_accessible_for_free=None,
        accessibility=(),
        performers=(),
        location=Place(place),
        organizer=Person(organizer, "https://a.vn/", "a@x.vn"),
    )
    text = body + "\n" + body
    entry = replace(CONCERT, title=title, content_text=text, event=details)
    (event,) = read(ics.render_event(entry, SITE)).events
    assert event["SUMMARY"] == title
    assert event["LOCATION"] == place
    facts = f"Đơn vị tổ chức: {organizer} (https://a.vn/); a@x.vn"
    assert event["DESCRIPTION"] == f"{text}\n\n{facts}\n\n{URL}"
    assert event["ORGANIZER"].params["CN"] == organizer.replace("\\", "/")


@pytest.mark.parametrize("length", range(75))
def test_no_fold_is_within_a_character_or_an_escape(length: int) -> None:
    text = "x" * length + "ệ;,\\" * 40
    organizer = Person("x" * length + "^'\"" * 40, None, "a@x.vn")
    assert CONCERT.event
    details = replace(CONCERT.event, organizer=organizer)
    entry = replace(CONCERT, title=text, event=details)
    lines = ics.render_event(entry, SITE).split(b"\r\n")
    folded = [line for line, after in pairwise(lines) if after[:1] == b" "]
    assert len(folded) > 10
    for line in folded:
        line.decode()
        for escape in b"\\", b"^":
            assert (len(line) - len(line.rstrip(escape))) % 2 == 0


assert CONCERT.event
SOON = CONCERT.event.starts + timedelta(milliseconds=900)


@pytest.mark.parametrize(
    ("member", "value", "name", "expected"),
    [
        ("guid", "1@lich.example", "UID", "1@lich.example"),
        ("title", "a\x7fb", "SUMMARY", "Dời từ 10/12: ab"),
        # It needs an address.
        ("event.organizer", Person("Sở"), "ORGANIZER", None),
        # An end must be in a later second than the start (§3.8.2.2).
        ("event.end", SOON, "DTEND", None),
    ],
)
def test_property_of_an_event(
    member: str, value: Any, name: str, expected: str | None
) -> None:
    entry = with_member(CONCERT, member, value)
    (event,) = read(ics.render_event(entry, SITE)).events
    assert event.get(name) == expected
