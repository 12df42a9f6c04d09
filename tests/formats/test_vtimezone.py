"""VTIMEZONE: independent parsers read the times of events as the zones have them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import vobject
from icalendar import Calendar

from feedsvc.models import Event
from tests.formats.feeds import FAIR, feed, render_feed

ZONES = """
Europe/London Europe/Dublin America/New_York Africa/Casablanca
Asia/Ho_Chi_Minh Asia/Jerusalem Australia/Lord_Howe Pacific/Chatham
""".split()
YEARS = [(1990, 1991), (2006, 2007), (2026, 2030)]


def local_times(key: str, first: int, last: int) -> Iterator[datetime]:
    """Yield unambiguous times by a zone's clocks: every eight weeks, and beside each change."""
    day = datetime(first, 1, 2, 9, tzinfo=ZoneInfo(key))
    while day.year <= last:
        next_day = day + timedelta(days=1)
        if day.utcoffset() != next_day.utcoffset():
            yield from (day, day.replace(hour=19), next_day)
        elif day.toordinal() % 56 == 0:
            yield day
        day = next_day


def calendar(key: str, first: int, last: int) -> tuple[bytes, dict[str, datetime]]:
    """Return a calendar with an event at each time, and the instants by UID."""
    entries = [
        replace(FAIR, guid=f"{start}", event=Event(start, None, ZoneInfo(key)))
        for start in sorted(set(local_times(key, first, last)))
    ]
    expected = {entry.guid: entry.event.starts for entry in entries if entry.event}
    return render_feed(feed("events", "ics", *entries)), expected


def times_by_icalendar(document: bytes) -> dict[str, datetime]:
    read: Any = Calendar.from_ical(document)
    (component,) = read.timezones
    zone = component.to_tz(lookup_tzid=False)
    return {
        str(event["UID"]): event.start.replace(tzinfo=zone).astimezone(UTC)
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
def test_other_parsers_read_the_same_times(key: str, first: int, last: int) -> None:
    document, expected = calendar(key, first, last)
    assert times_by_icalendar(document) == expected
    # vobject takes a zone that it knows, or has read before, by its name alone.
    name = f"X/{key.replace('/', '-')}-{first}"
    document = document.replace(key.encode(), name.encode())
    assert times_by_vobject(document) == expected


def test_zone_has_the_years_of_its_events_only() -> None:
    document, _ = calendar("Africa/Casablanca", 2014, 2015)
    read: Any = Calendar.from_ical(document)
    (zone,) = read.timezones
    years = set()
    for component in zone.subcomponents:
        start = component["DTSTART"]
        dates = [each.dts[0].dt for each in component.get("RDATE", [])]
        # ical.js ignores DTSTART if there is an RDATE.
        assert dates[:1] in ([], [start.dt])
        years |= {start.dt.year, *(date.year for date in dates)}
    # One more for vobject, which compares zones with UTC in some years alone.
    assert years == {2013, 2014, 2015, 2016, 2019}
