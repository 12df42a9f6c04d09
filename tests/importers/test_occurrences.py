"""Occurrences of imported series are those that dateutil finds in the calendar."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrule, rruleset, rrulestr
from flask import Flask

from feedsvc.models import Event
from feedsvc.recurrence import occurrences
from feedsvc.services import get_services
from feedsvc.storage.entries import list_entries
from tests.importers.helpers import import_file

ZONES = ("UTC", "Asia/Ho_Chi_Minh", "Europe/Paris", "America/New_York")
#: Lines of series that start at the first of their times.
SERIES = {
    "daily over both changes of the clocks": (
        "20270301T023000",
        "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=99",
    ),
    "weekly, until a local time": (
        "20270907T190000",
        "RRULE:FREQ=WEEKLY;BYDAY=TU,FR;UNTIL=20271231T190000",
    ),
    "exceptions": (
        "20270907T190000",
        "RRULE:FREQ=WEEKLY;COUNT=20",
        "EXDATE;TZID={zone}:20270914T190000,20271116T190000",
    ),
    "an exception of each kind that matches nothing": (
        "20270907T190000",
        "RRULE:FREQ=WEEKLY;COUNT=20",
        "EXDATE;TZID={zone}:20270914T200000,20371116T190000",
    ),
    "dates alone": (
        "20270907T190000",
        "RDATE;TZID={zone}:20271001T190000,20271101T190000,20271201T100000",
    ),
    "a rule and dates": (
        "20270910T190000",
        "RRULE:FREQ=MONTHLY;BYDAY=2FR;COUNT=7",
        "RDATE;TZID={zone}:20271101T190000",
        "EXDATE;TZID={zone}:20271008T190000",
    ),
    "a start that the rule does not give": (
        "20270906T190000",
        "RRULE:FREQ=WEEKLY;BYDAY=SA;COUNT=9",
    ),
    "a rule that the API does not have": (
        "20270906T190000",
        "RRULE:FREQ=YEARLY;BYYEARDAY=1,100;COUNT=9",
    ),
    "two rules": (
        "20270906T190000",
        "RRULE:FREQ=WEEKLY;COUNT=9",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=5",
    ),
    "parts without effect": (
        "20270906T190000",
        "RRULE:FREQ=WEEKLY;BYDAY=MO;BYHOUR=19;BYMINUTE=0;BYSETPOS=1;COUNT=9",
    ),
}


def expected_starts(zone: ZoneInfo, start: str, *lines: str) -> set[datetime]:
    """Return the recurrence set of RFC 5545 §3.8.5, DTSTART included."""
    first = datetime.fromisoformat(start)
    dates = rruleset()
    dates.rdate(first)
    for line in lines:
        name, _, value = line.partition(":")
        if name == "RRULE":
            rule = rrulestr(value, dtstart=first)
            assert isinstance(rule, rrule)
            dates.rrule(rule)
        for moment in value.split(","):
            if name.startswith("RDATE"):
                dates.rdate(datetime.fromisoformat(moment))
            if name.startswith("EXDATE"):
                dates.exdate(datetime.fromisoformat(moment))
    return {moment.replace(tzinfo=zone).astimezone(UTC) for moment in dates}


def imported_events(app: Flask) -> list[Event]:
    with get_services(app).database.read() as session:
        rows = list_entries(session, "events", limit=200)
        return [row.entry.event for row in rows if row.entry.event]


def starts(events: list[Event]) -> set[datetime]:
    return {
        occurrence.starts
        for event in events
        for occurrence in occurrences(event)
    }


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("lines", SERIES.values(), ids=SERIES.keys())
def test_occurrences_are_those_of_the_source(
    app: Flask, zone: str, lines: tuple[str, ...]
) -> None:
    start, *rules = (line.format(zone=zone) for line in lines)
    # An occurrence that is moved by an hour.
    moved = sorted(expected_starts(ZoneInfo(zone), start, *rules))[-1]
    local = moved.astimezone(ZoneInfo(zone))
    event = "\n".join((f"DTSTART;TZID={zone}:{start}", *rules))
    override = (
        f"RECURRENCE-ID;TZID={zone}:{local:%Y%m%dT%H%M%S}\n"
        f"DTSTART:{moved + timedelta(hours=1):%Y%m%dT%H%M%SZ}"
    )
    calendar = "".join(
        f"BEGIN:VEVENT\nUID:1\nSUMMARY:x\n{each}\nEND:VEVENT\n"
        for each in (event, override)
    )
    data = f"BEGIN:VCALENDAR\n{calendar}END:VCALENDAR\n".encode()
    import_file(app, data)
    expected = expected_starts(ZoneInfo(zone), start, *rules)
    expected = expected - {moved} | {moved + timedelta(hours=1)}
    assert starts(imported_events(app)) == expected
    again = import_file(app, data).stdout
    assert re.match("0 new, 0 changed, [1-9]", again)
