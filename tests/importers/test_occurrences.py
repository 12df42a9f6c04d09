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
from tests.importers.helpers import import_file

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
