"""Occurrences of imported series are those that dateutil finds in the calendar."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from flask import Flask

from feedsvc.formats.vtimezone import vtimezone
from feedsvc.recurrence import occurrences
from feedsvc.services import get_services
from feedsvc.storage.entries import list_entries
from tests.data import read_tables
from tests.extensions.importers.helpers import import_file, stored_entries

ZONES = ("UTC", "Asia/Ho_Chi_Minh", "America/New_York")
SERIES: dict[str, list[str]] = read_tables("import_series")


def expected_starts(zone: ZoneInfo, start: str, lines: str) -> set[datetime]:
    """Return the recurrence set of RFC 5545 §3.8.5, DTSTART included."""
    first = datetime.fromisoformat(start)
    local = re.sub(";TZID=[^:]*", "", lines)
    dates = rrulestr(local, dtstart=first, forceset=True)
    dates.rdate(first)
    return {moment.replace(tzinfo=zone).astimezone(UTC) for moment in dates}


def imported_starts(app: Flask) -> set[datetime]:
    with get_services(app).database.read() as session:
        rows = list_entries(session, "events", limit=200)
        events = [row.entry.event for row in rows]
    return {
        occurrence.starts
        for event in events
        if event
        for occurrence in occurrences(event)
    }


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", SERIES)
def test_occurrences_are_those_of_the_source(app: Flask, zone: str, name: str) -> None:
    start, *rules = SERIES[name]
    lines = "\n".join(rules).format(zone=zone)
    expected = expected_starts(ZoneInfo(zone), start, lines)
    # An occurrence that is moved by an hour.
    moved = max(expected)
    later = moved + timedelta(hours=1)
    local = moved.astimezone(ZoneInfo(zone))
    event = f"DTSTART;TZID={zone}:{start}\n{lines}"
    override = (
        f"RECURRENCE-ID;TZID={zone}:{local:%Y%m%dT%H%M%S}\n"
        f"DTSTART:{later:%Y%m%dT%H%M%SZ}"
    )
    calendar = "".join(
        f"BEGIN:VEVENT\nUID:1\nSUMMARY:x\n{each}\nEND:VEVENT\n"
        for each in (event, override)
    )
    data = f"BEGIN:VCALENDAR\n{calendar}END:VCALENDAR\n".encode()
    import_file(app, data)
    assert imported_starts(app) == expected - {moved} | {later}
    again = import_file(app, data).stdout
    assert re.match("0 new, 0 changed, [1-9]", again)


LARGE_ZONES = (
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Nairobi",
    "Asia/Beirut",
    "Asia/Jakarta",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Chisinau",
    "Europe/London",
    "Pacific/Auckland",
)


@pytest.mark.parametrize("name", LARGE_ZONES)
@pytest.mark.parametrize("month", [3, 7, 11])
def test_zone_of_a_definition_has_its_offsets(
    app: Flask, name: str, month: int
) -> None:
    definition = vtimezone(name, 2027, 2028).replace(name.encode(), b"Custom")
    start, rule = f"2027{month:02}01T003000", "RRULE:FREQ=DAILY;COUNT=270"
    lines = f"UID:1\nSUMMARY:x\nDTSTART;TZID=Custom:{start}\n{rule}"
    event = f"BEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
    import_file(app, b"BEGIN:VCALENDAR\r\n" + definition + event.encode())
    assert imported_starts(app) == expected_starts(ZoneInfo(name), start, rule)


@pytest.mark.parametrize(
    ("daylight", "standard"),
    [
        ("BYMONTH=3;BYDAY=2SU", "BYMONTH=11;BYDAY=1SU"),
        ("BYDAY=2SU;BYMONTH=3;WKST=SU", "BYDAY=1SU;BYMONTH=11;INTERVAL=1"),
        (
            "BYMONTH=3;BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=SU",
            "BYMONTH=11;BYMONTHDAY=1,2,3,4,5,6,7;BYDAY=SU",
        ),
        ("BYMONTH=3;BYDAY=SU;BYSETPOS=2", "BYMONTH=11;BYDAY=SU;BYSETPOS=1"),
        (
            "BYMONTH=3;BYDAY=2SU;UNTIL=20990101T000000Z",
            "BYMONTH=11;BYDAY=1SU;UNTIL=20990101T000000Z",
        ),
    ],
)
@pytest.mark.parametrize("year", ["0001", "1601", "2007"])
def test_definition_may_have_any_yearly_rule(
    app: Flask, daylight: str, standard: str, year: str
) -> None:
    definition = (
        "BEGIN:VTIMEZONE\nTZID:Custom\n"
        f"BEGIN:STANDARD\nDTSTART:{year}0101T020000\nRRULE:FREQ=YEARLY;{standard}\n"
        "TZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nEND:STANDARD\n"
        f"BEGIN:DAYLIGHT\nDTSTART:{year}0101T020000\nRRULE:FREQ=YEARLY;{daylight}\n"
        "TZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
    )
    event = "BEGIN:VEVENT\nUID:1\nSUMMARY:x\nDTSTART;TZID=Custom:20270701T100000"
    text = f"BEGIN:VCALENDAR\n{definition}{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    import_file(app, text.replace("\n", "\r\n").encode())
    assert stored_entries(app, "events")["1"]["timezone"] == "America/New_York"
