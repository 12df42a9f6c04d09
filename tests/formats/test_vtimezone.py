"""VTIMEZONE: independent parsers read the times of events as the zones have them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import vobject
from icalendar import Calendar

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS, FeedQuery
from feedsvc.formats import ics
from feedsvc.models import Entry, Event
from tests.formats.feeds import CONCERT, SITE

NOW = datetime(2026, 11, 1, tzinfo=UTC)

ZONES = [
    "Europe/Paris",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "Africa/Casablanca",
    "Asia/Ho_Chi_Minh",
    "Asia/Jerusalem",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
]
YEARS = [(1990, 1991), (2005, 2009), (2026, 2034)]


def local_times(key: str, first: int, last: int) -> Iterator[datetime]:
    """Yield unambiguous times by a zone's clocks: every four weeks, and beside each change."""
    zone = ZoneInfo(key)
    day = datetime(first, 1, 2, 12, tzinfo=zone)
    while day.year <= last:
        changes = day.utcoffset() != (day + timedelta(days=1)).utcoffset()
        if changes or day.toordinal() % 28 == 0:
            for hour in (9, 19):
                yield day.replace(hour=hour)
                yield day.replace(hour=hour) + timedelta(days=1)
        day += timedelta(days=1)


def calendar(
    key: str, first: int, last: int
) -> tuple[bytes, dict[str, datetime]]:
    """Return a calendar with an event at each time, and the instants by UID."""
    entries = []
    for number, start in enumerate(sorted(set(local_times(key, first, last)))):
        event = Event(start, None, ZoneInfo(key))
        entries.append(
            Entry(
                f"e{number}",
                "events",
                "Hội",
                "vi",
                event=event,
                guid=f"uid-{number}",
                updated=NOW,
                published=NOW,
            )
        )
    feed = Feed(
        FeedQuery("events", FORMATS["ics"]),
        SITE,
        updated=NOW,
        entries=tuple(entries),
    )
    expected = {
        entry.guid: entry.event.starts for entry in entries if entry.event
    }
    assert len(expected) > 40
    return ics.render(feed), expected


def times_by_icalendar(document: bytes) -> dict[str, datetime]:
    read: Any = Calendar.from_ical(document)
    (component,) = read.walk("VTIMEZONE")
    zone = component.to_tz()
    return {
        str(event["UID"]): event["DTSTART"]
        .dt.replace(tzinfo=zone)
        .astimezone(UTC)
        for event in read.events
    }


def times_by_vobject(document: bytes) -> dict[str, datetime]:
    return {
        event.uid.value: event.dtstart.value.astimezone(UTC)
        for event in vobject.readOne(document.decode()).vevent_list
    }


@pytest.mark.parametrize(
    ("key", "first", "last"),
    [
        *((key, first, last) for key in ZONES for first, last in YEARS),
        # Daylight saving time comes back for a week after Ramadan.
        ("Asia/Gaza", 2040, 2040),
    ],
)
def test_other_parsers_read_the_same_times(
    key: str, first: int, last: int
) -> None:
    document, expected = calendar(key, first, last)
    assert times_by_icalendar(document) == expected
    # vobject takes a zone that it knows, or has read before, by its name alone.
    name = f"X/{key.replace('/', '-')}-{first}"
    assert (
        times_by_vobject(document.replace(key.encode(), name.encode()))
        == expected
    )


def test_zone_has_the_years_of_its_events_only() -> None:
    document, _ = calendar("Africa/Casablanca", 2014, 2015)
    years = {
        int(line[-15:-11])
        for line in document.split(b"\r\n")
        if line.startswith((b"RDATE", b"DTSTART:"))
    }
    # One more for vobject, which compares zones with UTC in some years alone.
    assert years == {2013, 2014, 2015, 2016, 2019}


def test_dates_of_a_component_begin_with_its_start() -> None:
    """ical.js ignores DTSTART if there is an RDATE."""
    document, _ = calendar("Africa/Casablanca", 2014, 2015)
    read: Any = Calendar.from_ical(document)
    (zone,) = read.walk("VTIMEZONE")
    listed = [each for each in zone.subcomponents if "RDATE" in each]
    assert listed
    for component in listed:
        assert component["RDATE"][0].dts[0].dt == component["DTSTART"].dt


@pytest.mark.parametrize(("start", "end"), [(0, 0), (500_000, 900_000)])
def test_end_in_the_second_of_the_start_is_left_out(
    start: int, end: int
) -> None:
    """Times are whole seconds; an end must be later than the start (§3.8.2.2)."""
    assert CONCERT.event
    moment = CONCERT.event.starts
    at_once = replace(
        CONCERT.event,
        start=moment.replace(microsecond=start),
        end=moment.replace(microsecond=end),
    )
    document = ics.render_event(replace(CONCERT, event=at_once), SITE)
    assert b"DTEND" not in document
