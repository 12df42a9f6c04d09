"""VTIMEZONE: independent parsers read the times of events as the zones have them."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
import vobject
from dateutil.tz import tzical
from ical.calendar_stream import IcsCalendarStream
from ical.timezone import IcsTimezoneInfo
from icalendar import Calendar
from icalendar.timezone.pytz import PYTZ

from feedsvc.formats.vtimezone import vtimezone
from feedsvc.models import Event
from tests.formats.feeds import FAIR, feed, render_feed

#: What a program makes of a zone: the UTC offset at a local time.
Offset = Callable[[datetime], timedelta | None]

ZONES = """
Europe/London Europe/Dublin America/New_York Africa/Casablanca
Asia/Ho_Chi_Minh Asia/Jerusalem Australia/Lord_Howe Pacific/Chatham
""".split()
YEARS = [(1990, 1991), (2006, 2007), (2026, 2030)]

#: Zones whose changes follow the same rules each year, now and in 2019.
REGULAR = """
Europe/London Europe/Dublin Europe/Berlin Europe/Lisbon Europe/Athens Europe/Kyiv
Atlantic/Azores Antarctica/Troll America/New_York America/Chicago America/Denver
America/Los_Angeles America/Anchorage America/Halifax America/St_Johns America/Toronto
America/Tijuana America/Port-au-Prince America/Miquelon Asia/Beirut Australia/Sydney
Australia/Adelaide Australia/Lord_Howe Pacific/Auckland Pacific/Chatham Pacific/Easter
America/Thule Antarctica/Macquarie
""".split()

#: Zones whose changes do not.
IRREGULAR = """
Africa/Cairo America/Havana America/Metlakatla America/Nuuk America/Ojinaga
America/Santiago America/Scoresbysund Asia/Gaza Asia/Hebron Asia/Jerusalem
Europe/Chisinau Pacific/Norfolk
""".split()

#: Zones without a change from 2027 to 2031.
FIXED = """
Asia/Ho_Chi_Minh Asia/Tokyo Asia/Kolkata Asia/Kathmandu America/Sao_Paulo
America/Phoenix Pacific/Kiritimati Europe/Moscow America/Asuncion America/Punta_Arenas
Africa/Casablanca Africa/El_Aaiun
""".split()


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


def document_of(key: str, first: int, last: int) -> str:
    zone = vtimezone(key, first, last).decode()
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
    return f"{head}{zone}END:VCALENDAR\r\n"


def offset_by_dateutil(document: str) -> Offset:
    zone: Any = tzical(StringIO(document)).get()
    return lambda time: zone.utcoffset(time)


def offset_by_icalendar(document: str) -> Offset:
    # Its zones for zoneinfo are dateutil's, those for pytz its own.
    read: Any = Calendar.from_ical(document)
    (component,) = read.timezones
    zone: Any = PYTZ().create_timezone(component)
    return lambda time: zone.localize(time).utcoffset()


def offset_by_ical(document: str) -> Offset:
    (zone,) = IcsCalendarStream.calendar_from_ics(document).timezones
    return IcsTimezoneInfo.from_timezone(zone).utcoffset


def some_times(key: str, first: int, last: int) -> list[datetime]:
    """Return 300 unambiguous times by a zone's clocks, some beside each change."""
    zone = ZoneInfo(key)
    times = list(local_times(key, first, last))
    chance = random.Random(key)
    begin = datetime(first, 1, 1, tzinfo=zone)
    seconds = (datetime(last + 1, 1, 1, tzinfo=zone) - begin) // timedelta(seconds=1)
    while len(times) < 300:
        time = begin + timedelta(seconds=chance.randrange(seconds))
        if time.utcoffset() == time.replace(fold=1).utcoffset():
            times.append(time)
    return times


def check(key: str, offset: Offset, times: list[datetime]) -> None:
    expected = {time: time.utcoffset() for time in times}
    assert {time: offset(time.replace(tzinfo=None)) for time in times} == expected


@pytest.mark.parametrize("key", [*REGULAR, *IRREGULAR])
@pytest.mark.parametrize(
    "offset_by", [offset_by_dateutil, offset_by_icalendar, offset_by_ical]
)
def test_zones_with_changes(key: str, offset_by: Callable[[str], Offset]) -> None:
    offset = offset_by(document_of(key, 2026, 2030))
    check(key, offset, some_times(key, 2026, 2030))


@pytest.mark.parametrize("key", FIXED)
@pytest.mark.parametrize("offset_by", [offset_by_dateutil, offset_by_icalendar])
def test_zones_without_changes(key: str, offset_by: Callable[[str], Offset]) -> None:
    offset = offset_by(document_of(key, 2026, 2030))
    check(key, offset, some_times(key, 2026, 2030))


@pytest.mark.parametrize("key", REGULAR)
@pytest.mark.parametrize("offset_by", [offset_by_dateutil, offset_by_ical])
def test_rules_hold_for_series_without_an_end(
    key: str, offset_by: Callable[[str], Offset]
) -> None:
    offset = offset_by(document_of(key, 2026, 2026))
    check(key, offset, some_times(key, 2060, 2070))


@pytest.mark.parametrize("first", [2007, 2019, 2026, 2060])
def test_zone_has_rules_or_dates(first: int) -> None:
    """npm's icalendar reads no zone that has both."""
    kinds: Counter[tuple[bool, bool]] = Counter()
    for key in available_timezones():
        zone = vtimezone(key, first, first + 4)
        kinds[b"RRULE" in zone, b"RDATE" in zone] += 1
        # Every part of a zone with rules has one.
        assert zone.count(b"RRULE") in (0, zone.count(b"DTSTART"))
    assert not kinds[True, True]
    assert kinds[True, False]
    assert kinds[False, True]


def test_zones_that_change_by_rules_have_them() -> None:
    assert all(b"RRULE" in vtimezone(key, 2026, 2030) for key in REGULAR)
    assert not any(b"RRULE" in vtimezone(key, 2026, 2030) for key in IRREGULAR)
