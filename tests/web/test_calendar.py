"""Events over HTTP: posted as JSON, read as iCalendar by another library."""

from __future__ import annotations

import tracemalloc
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from flask.testing import FlaskClient
from icalendar import Calendar
from icalendar.prop import vDDDLists

from feedsvc.recurrence import occurrences
from feedsvc.services import get_services
from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock

PARIS, YORK, SYDNEY, SANTIAGO = (
    "Europe/Paris",
    "America/New_York",
    "Australia/Sydney",
    "America/Santiago",
)
CHATHAM, HOWE, KIRITIMATI, NIUE = (
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Niue",
)
DUBLIN = "Europe/Dublin"
NO_DATES = vDDDLists([])
LATER = "…"
"""Stands for the rest of a series without an end."""

# What is posted, as start, end and zone (the site's, Hanoi's, where none is given), rule, exdates, rdates; and each
# occurrence that must come out, in UTC, or as dates with the exclusive end.
TIMES: list[tuple[str, str, str | None, list[str]]] = [
    # Hanoi, UTC+7 all year
    ("2026-12-24T19:00:00", "2026-12-24T21:30:00", None, ["2026-12-24T12:00/2026-12-24T14:30"]),
    ("2026-12-24T19:00:00+07:00", "2026-12-24T21:30:00+07:00", None, ["2026-12-24T12:00/2026-12-24T14:30"]),
    ("2026-12-24T12:00:00Z", "2026-12-24T14:30:00Z", None, ["2026-12-24T12:00/2026-12-24T14:30"]),
    ("2026-12-24T19:00:00", "", None, ["2026-12-24T12:00/2026-12-24T12:00"]),
    ("2026-12-24T19:00:00", "2026-12-24T19:00:00", None, ["2026-12-24T12:00/2026-12-24T12:00"]),
    ("2026-12-24T22:00:00", "2026-12-25T01:00:00", None, ["2026-12-24T15:00/2026-12-24T18:00"]),
    ("2026-12-24T20:00:00", "2026-12-25T00:00:00", None, ["2026-12-24T13:00/2026-12-24T17:00"]),
    ("2026-12-25T00:00:00", "2026-12-25T02:00:00", None, ["2026-12-24T17:00/2026-12-24T19:00"]),
    ("2026-12-24T08:00:00", "2026-12-27T17:00:00", None, ["2026-12-24T01:00/2026-12-27T10:00"]),
    # far east, far west, odd minutes
    ("2026-12-24T12:00:00", "2026-12-24T13:00:00", "UTC", ["2026-12-24T12:00/2026-12-24T13:00"]),
    ("2026-12-24T12:00:00", "2026-12-24T13:00:00", "Etc/UTC", ["2026-12-24T12:00/2026-12-24T13:00"]),
    ("2027-01-01T00:00:00", "2027-01-01T02:00:00", KIRITIMATI, ["2026-12-31T10:00/2026-12-31T12:00"]),
    ("2026-12-31T23:00:00", "2026-12-31T23:59:00", NIUE, ["2027-01-01T10:00/2027-01-01T10:59"]),
    ("2026-12-24T19:00:00", "2026-12-24T20:00:00", CHATHAM, ["2026-12-24T05:15/2026-12-24T06:15"]),
    ("2027-06-10T19:00:00", "2027-06-10T20:00:00", CHATHAM, ["2027-06-10T06:15/2027-06-10T07:15"]),
    ("2026-12-24T19:00:00", "2026-12-24T20:00:00", "Asia/Kathmandu", ["2026-12-24T13:15/2026-12-24T14:15"]),
    ("2026-12-24T19:00:00", "2026-12-24T20:00:00", "America/St_Johns", ["2026-12-24T22:30/2026-12-24T23:30"]),
    ("2026-12-24T19:00:00", "2026-12-24T20:00:00", HOWE, ["2026-12-24T08:00/2026-12-24T09:00"]),
    # winter and summer, in both hemispheres
    ("2026-12-24T19:00:00", "2026-12-24T21:00:00", PARIS, ["2026-12-24T18:00/2026-12-24T20:00"]),
    ("2027-07-14T19:00:00", "2027-07-14T21:00:00", PARIS, ["2027-07-14T17:00/2027-07-14T19:00"]),
    ("2026-12-24T19:00:00", "2026-12-24T21:00:00", YORK, ["2026-12-25T00:00/2026-12-25T02:00"]),
    ("2027-07-04T20:00:00", "2027-07-04T23:00:00", YORK, ["2027-07-05T00:00/2027-07-05T03:00"]),
    ("2026-12-24T19:00:00", "2026-12-24T21:00:00", SYDNEY, ["2026-12-24T08:00/2026-12-24T10:00"]),
    ("2027-07-01T19:00:00", "2027-07-01T21:00:00", SYDNEY, ["2027-07-01T09:00/2027-07-01T11:00"]),
    ("2026-12-24T19:00:00", "2026-12-24T21:00:00", SANTIAGO, ["2026-12-24T22:00/2026-12-25T00:00"]),
    ("2027-07-01T19:00:00", "2027-07-01T21:00:00", SANTIAGO, ["2027-07-01T23:00/2027-07-02T01:00"]),
    ("2026-12-24T19:00:00", "2026-12-24T20:00:00", DUBLIN, ["2026-12-24T19:00/2026-12-24T20:00"]),
    ("2027-07-01T19:00:00", "2027-07-01T20:00:00", DUBLIN, ["2027-07-01T18:00/2027-07-01T19:00"]),
    ("2027-07-01T12:00:00", "2027-07-01T13:00:00", "Antarctica/Troll", ["2027-07-01T10:00/2027-07-01T11:00"]),
    # over a change of the clock, in the hour that it skips, in either pass of the hour that it repeats
    ("2027-03-28T01:00:00", "2027-03-28T04:00:00", PARIS, ["2027-03-28T00:00/2027-03-28T02:00"]),
    ("2027-10-31T01:00:00", "2027-10-31T04:00:00", PARIS, ["2027-10-30T23:00/2027-10-31T03:00"]),
    ("2027-03-28T02:30:00", "2027-03-28T04:00:00", PARIS, ["2027-03-28T01:30/2027-03-28T02:00"]),
    ("2027-03-28T01:00:00", "2027-03-28T02:30:00", PARIS, ["2027-03-28T00:00/2027-03-28T01:30"]),
    ("2027-10-31T02:30:00", "2027-10-31T03:30:00", PARIS, ["2027-10-31T00:30/2027-10-31T02:30"]),
    ("2027-10-31T02:30:00+01:00", "2027-10-31T03:30:00+01:00", PARIS, ["2027-10-31T01:30/2027-10-31T02:30"]),
    ("2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00", PARIS, ["2027-10-31T00:30/2027-10-31T01:30"]),
    ("2027-03-14T02:30:00", "2027-03-14T04:00:00", YORK, ["2027-03-14T07:30/2027-03-14T08:00"]),
    ("2027-04-04T02:30:00", "2027-04-04T03:30:00", SYDNEY, ["2027-04-03T15:30/2027-04-03T17:30"]),
    ("2027-09-26T03:00:00", "2027-09-26T05:00:00", CHATHAM, ["2027-09-25T14:15/2027-09-25T15:15"]),
    ("2027-09-05T00:30:00", "2027-09-05T02:00:00", SANTIAGO, ["2027-09-05T04:30/2027-09-05T05:00"]),
    ("2027-10-03T02:15:00", "2027-10-03T04:00:00", HOWE, ["2027-10-02T15:45/2027-10-02T17:00"]),
    # all-day: dates stay dates, wherever
    ("2026-12-24", "", None, ["2026-12-24/2026-12-25"]),
    ("2026-12-24", "2026-12-27", None, ["2026-12-24/2026-12-27"]),
    ("2027-01-01", "", KIRITIMATI, ["2027-01-01/2027-01-02"]),
    ("2027-01-01", "", NIUE, ["2027-01-01/2027-01-02"]),
    ("2027-03-28", "", PARIS, ["2027-03-28/2027-03-29"]),
    ("2027-09-05", "2027-09-06", SANTIAGO, ["2027-09-05/2027-09-06"]),
    ("2028-02-29", "", None, ["2028-02-29/2028-03-01"]),
    ("2026-12-31", "2027-01-02", YORK, ["2026-12-31/2027-01-02"]),
]  # fmt: skip

SERIES: list[tuple[str, str, str | None, str, list[str], list[str], list[str]]] = [
    ("2026-12-05T19:00:00", "2026-12-05T21:00:00", None, "FREQ=DAILY;COUNT=3", [], [],
     ["2026-12-05T12:00/2026-12-05T14:00", "2026-12-06T12:00/2026-12-06T14:00", "2026-12-07T12:00/2026-12-07T14:00"]),
    ("2026-12-05T19:00:00", "", None, "FREQ=DAILY;COUNT=2", [], [],
     ["2026-12-05T12:00/2026-12-05T12:00", "2026-12-06T12:00/2026-12-06T12:00"]),
    ("2026-12-05T22:00:00", "2026-12-06T02:00:00", None, "FREQ=WEEKLY;COUNT=2", [], [],
     ["2026-12-05T15:00/2026-12-05T19:00", "2026-12-12T15:00/2026-12-12T19:00"]),
    # UNTIL is the last start that may be, in UTC
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;UNTIL=20261219T120000Z", [], [],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-12T12:00/2026-12-12T13:00", "2026-12-19T12:00/2026-12-19T13:00"]),
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;UNTIL=20261219T115959Z", [], [],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-12T12:00/2026-12-12T13:00"]),
    # left out, added
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;COUNT=3", ["2026-12-12T19:00:00"], [],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-19T12:00/2026-12-19T13:00"]),
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;COUNT=3", ["2026-12-05T12:00:00Z"], [],
     ["2026-12-12T12:00/2026-12-12T13:00", "2026-12-19T12:00/2026-12-19T13:00"]),
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;COUNT=2", [], ["2026-12-08T18:00:00"],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-08T11:00/2026-12-08T12:00", "2026-12-12T12:00/2026-12-12T13:00"]),
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;COUNT=2", [], ["2026-12-12T19:00:00+07:00"],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-12T12:00/2026-12-12T13:00"]),
    # over changes of the clock: the wall clock stays
    ("2027-03-20T19:00:00", "2027-03-20T21:00:00", PARIS, "FREQ=WEEKLY;COUNT=3", [], [],
     ["2027-03-20T18:00/2027-03-20T20:00", "2027-03-27T18:00/2027-03-27T20:00", "2027-04-03T17:00/2027-04-03T19:00"]),
    ("2027-10-30T19:00:00", "2027-10-30T21:00:00", YORK, "FREQ=WEEKLY;COUNT=3", [], [],
     ["2027-10-30T23:00/2027-10-31T01:00", "2027-11-06T23:00/2027-11-07T01:00", "2027-11-14T00:00/2027-11-14T02:00"]),
    ("2027-03-27T19:00:00", "2027-03-27T21:00:00", SYDNEY, "FREQ=WEEKLY;COUNT=3", ["2027-04-03T19:00:00"], ["2027-04-14T19:00:00"],
     ["2027-03-27T08:00/2027-03-27T10:00", "2027-04-10T09:00/2027-04-10T11:00", "2027-04-14T09:00/2027-04-14T11:00"]),
    ("2027-03-20T20:00:00", "2027-03-20T22:00:00", PARIS, "FREQ=WEEKLY;UNTIL=20270403T180000Z", [], [],
     ["2027-03-20T19:00/2027-03-20T21:00", "2027-03-27T19:00/2027-03-27T21:00", "2027-04-03T18:00/2027-04-03T20:00"]),
    ("2027-04-02T19:00:00", "2027-04-02T20:00:00", CHATHAM, "FREQ=DAILY", [], [],
     ["2027-04-02T05:15/2027-04-02T06:15", "2027-04-03T05:15/2027-04-03T06:15", "2027-04-04T06:15/2027-04-04T07:15", LATER]),
    # at a time that a change skips, or repeats
    ("2027-03-27T02:30:00", "2027-03-27T03:30:00", PARIS, "FREQ=DAILY;COUNT=3", ["2027-03-28T02:30:00"], [],
     ["2027-03-27T01:30/2027-03-27T02:30", "2027-03-29T00:30/2027-03-29T01:30"]),
    ("2027-10-30T02:30:00", "2027-10-30T02:45:00", PARIS, "FREQ=DAILY;COUNT=3", [], [],
     ["2027-10-30T00:30/2027-10-30T00:45", "2027-10-31T00:30/2027-10-31T00:45", "2027-11-01T01:30/2027-11-01T01:45"]),
    # all-day
    ("2026-12-05", "", None, "FREQ=WEEKLY;COUNT=3", [], [], ["2026-12-05/2026-12-06", "2026-12-12/2026-12-13", "2026-12-19/2026-12-20"]),
    ("2026-12-05", "2026-12-07", None, "FREQ=WEEKLY;COUNT=2", [], [], ["2026-12-05/2026-12-07", "2026-12-12/2026-12-14"]),
    ("2026-12-05", "", None, "FREQ=DAILY;UNTIL=20261207", [], [], ["2026-12-05/2026-12-06", "2026-12-06/2026-12-07", "2026-12-07/2026-12-08"]),
    ("2026-12-05", "", None, "FREQ=WEEKLY;COUNT=3", ["2026-12-12"], ["2026-12-24"], ["2026-12-05/2026-12-06", "2026-12-19/2026-12-20", "2026-12-24/2026-12-25"]),
    ("2027-03-27", "", PARIS, "FREQ=DAILY;COUNT=3", [], [], ["2027-03-27/2027-03-28", "2027-03-28/2027-03-29", "2027-03-29/2027-03-30"]),
    ("2026-12-31", "", KIRITIMATI, "FREQ=MONTHLY;COUNT=2", [], [], ["2026-12-31/2027-01-01", "2027-01-31/2027-02-01"]),
    ("2026-12-31", "", NIUE, "FREQ=YEARLY", [], [], ["2026-12-31/2027-01-01", "2027-12-31/2028-01-01", LATER]),
    ("2028-02-29", "", None, "FREQ=YEARLY;COUNT=2", [], [], ["2028-02-29/2028-03-01", "2032-02-29/2032-03-01"]),
    ("2027-01-31", "", None, "FREQ=MONTHLY;COUNT=3", [], [], ["2027-01-31/2027-02-01", "2027-03-31/2027-04-01", "2027-05-31/2027-06-01"]),
    ("2026-12-25", "", None, "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", [], [], ["2026-12-25/2026-12-26", "2027-01-29/2027-01-30", "2027-02-26/2027-02-27"]),
    ("2026-12-31", "", None, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", [], [], ["2026-12-31/2027-01-01", "2027-01-29/2027-01-30", "2027-02-26/2027-02-27"]),
    ("2026-12-24", "", None, "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24;COUNT=2", [], [], ["2026-12-24/2026-12-25", "2027-12-24/2027-12-25"]),
    # other rules
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=MONTHLY;BYDAY=1SA;COUNT=3", [], [],
     ["2026-12-05T12:00/2026-12-05T13:00", "2027-01-02T12:00/2027-01-02T13:00", "2027-02-06T12:00/2027-02-06T13:00"]),
    ("2026-12-01T19:00:00", "2026-12-01T20:00:00", None, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;COUNT=3", [], [],
     ["2026-12-01T12:00/2026-12-01T13:00", "2026-12-03T12:00/2026-12-03T13:00", "2026-12-15T12:00/2026-12-15T13:00"]),
    ("2026-12-01", "", None, "FREQ=WEEKLY;INTERVAL=2;COUNT=3;BYDAY=TU,SU;WKST=MO", [], [], ["2026-12-01/2026-12-02", "2026-12-06/2026-12-07", "2026-12-15/2026-12-16"]),
    ("2026-12-01", "", None, "FREQ=WEEKLY;INTERVAL=2;COUNT=3;BYDAY=TU,SU;WKST=SU", [], [], ["2026-12-01/2026-12-02", "2026-12-13/2026-12-14", "2026-12-15/2026-12-16"]),
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY", ["2026-12-12T19:00:00"], [],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-19T12:00/2026-12-19T13:00", LATER]),
]  # fmt: skip
# Occurrences that last over a change, all exactly as long (RFC 5545 §3.8.5.3); recurring-ical-events, like some
# calendars, goes by the wall clock there, so that of these it judges the starts alone.
LASTING: list[tuple[str, str, str | None, str, list[str], list[str], list[str]]] = [
    ("2027-03-26T22:00:00", "2027-03-27T06:00:00", PARIS, "FREQ=DAILY;COUNT=3", [], [],
     ["2027-03-26T21:00/2027-03-27T05:00", "2027-03-27T21:00/2027-03-28T05:00", "2027-03-28T20:00/2027-03-29T04:00"]),
    ("2027-03-27T02:30:00", "2027-03-27T03:30:00", PARIS, "FREQ=DAILY;COUNT=3", [], [],
     ["2027-03-27T01:30/2027-03-27T02:30", "2027-03-28T01:30/2027-03-28T02:30", "2027-03-29T00:30/2027-03-29T01:30"]),
    ("2027-04-03T23:30:00", "2027-04-04T00:30:00", SANTIAGO, "FREQ=DAILY;COUNT=2", [], [],
     ["2027-04-04T02:30/2027-04-04T04:30", "2027-04-05T03:30/2027-04-05T05:30"]),
]  # fmt: skip
CASES: list[tuple[Any, ...]] = (
    [(*row[:3], "", [], [], row[3]) for row in TIMES] + SERIES + LASTING
)


def document(
    start: str,
    end: str,
    zone: str | None,
    rule: str,
    exdates: list[str],
    rdates: list[str],
) -> dict[str, Any]:
    found: dict[str, Any] = {"title": "Hội", "start": start}
    found |= {
        name: value for name, value in (("end", end), ("timezone", zone)) if value
    }
    if rule:
        found["recurrence"] = {"rrule": rule, "exdates": exdates, "rdates": rdates}
    return found


def as_text(start: Any, end: Any) -> str:
    def text(moment: Any) -> str:
        return (
            f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"
            if isinstance(moment, datetime)
            else str(moment)
        )

    return f"{text(start)}/{text(end)}"


def calendar_of(client: FlaskClient, path: str = "/entries/e.ics") -> Calendar:
    """Return a calendar, read by icalendar; its lines conform to RFC 5545 §3.1."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    lines = answer.data.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) <= 75
        assert b"\n" not in line
        assert b"\r" not in line
        line.decode()  # no character is split
    return Calendar.from_ical(answer.data)


def event_of(client: FlaskClient) -> Any:
    (event,) = calendar_of(client).events
    return event


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: "-".join(filter(None, (case[0], case[2], case[3])))
)
def test_calendar_has_the_occurrences_of_an_event(
    shared_editor: ApiClient, case: tuple[Any, ...]
) -> None:
    *posted, expected = case
    shared_editor.put("/events/e", document(*posted))
    wanted = [text for text in expected if text != LATER]
    most = len(wanted) + (wanted == expected)
    calendar = calendar_of(shared_editor.client)
    read = (
        recurring_ical_events.of(calendar).after(datetime(2026, 1, 1, tzinfo=UTC))
        if posted[3]
        else calendar.events
    )
    found = [as_text(event.start, event.end) for event in islice(read, most)]
    if case in LASTING:
        assert [text.split("/")[0] for text in found] == [
            text.split("/")[0] for text in wanted
        ]
    else:
        assert found == wanted
    storage = get_services(shared_editor.client.application).storage
    with storage.reader() as reader:
        stored = reader.entries.get("e").event
    assert stored is not None
    ours = [
        as_text(
            one.start,
            one.ends.astimezone(one.timezone).date() if one.all_day else one.ends,
        )
        for one in islice(occurrences(stored), most)
    ]
    assert ours == wanted
    again = shared_editor.send("GET", "/events/e").get_json()
    version = again["version"]
    assert shared_editor.put("/events/e", again).get_json()["version"] == version, (
        "what was read can be put"
    )


@pytest.mark.parametrize(
    "zone",
    [
        PARIS,
        YORK,
        SYDNEY,
        SANTIAGO,
        CHATHAM,
        HOWE,
        DUBLIN,
        KIRITIMATI,
        "Africa/Casablanca",
        "Asia/Ho_Chi_Minh",
    ],
)
def test_vtimezone_has_every_offset_of_the_zone(
    shared_editor: ApiClient, zone: str
) -> None:
    """Compare each hour of three years, for clients that know no zone by its name."""
    rule = {"rrule": "FREQ=YEARLY;COUNT=3"}
    shared_editor.put(
        "/events/e",
        {
            "title": "Hội",
            "start": "2026-12-05T19:00:00",
            "timezone": zone,
            "recurrence": rule,
        },
    )
    (timezone,) = calendar_of(shared_editor.client).timezones
    assert timezone.tz_name == zone
    onsets = sorted(
        (moment - change.TZOFFSETFROM, change.TZOFFSETTO)
        for change in timezone.subcomponents
        for moment in onsets_of(change)
    )
    hour = datetime(2026, 1, 1, 0, 20)  # noqa: DTZ001
    while hour.year < 2029:
        _, offset = onsets[bisect_right(onsets, hour, key=lambda onset: onset[0]) - 1]
        assert (
            offset == hour.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
        ), hour
        hour += timedelta(hours=1)


def onsets_of(change: Any) -> list[datetime]:
    """Return the onsets of an observance of a VTIMEZONE until 2030."""
    if "RRULE" in change:
        rule = rrulestr(change["RRULE"].to_ical().decode(), dtstart=change.DTSTART)
        return list(takewhile(lambda moment: moment.year < 2030, rule))
    dates = change.get("RDATE", [])
    lists = dates if isinstance(dates, list) else [dates]
    return [change.DTSTART, *(rdate.dt for dated in lists for rdate in dated.dts)]


def test_calendar_follows_the_changes_of_an_event(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    """Move, rename, postpone, cancel, withdraw, delete and restore an event."""

    def seen(**fields: Any) -> tuple[Any, ...]:
        clock.forward(minutes=1)
        editor.put(
            "/events/e",
            {
                "title": "Hội",
                "start": "2026-12-05T19:00:00",
                "location": {"name": "A"},
                **fields,
            },
        )
        event = event_of(client)
        assert event["LAST-MODIFIED"].dt == event["DTSTAMP"].dt == clock.now
        assert event["UID"] == uid
        assert event["CREATED"].dt == created
        return (
            event["SEQUENCE"],
            event["STATUS"],
            event["SUMMARY"],
            as_text(event.start, event.end),
        )

    created = clock.now + timedelta(minutes=1)
    first = editor.put(
        "/events/e",
        {"title": "x", "start": "2026-12-01", "date_published": created.isoformat()},
    )
    uid = first.get_json()["guid"].removeprefix("urn:uuid:")
    clock.now = created
    on_5, on_6 = (
        "2026-12-05T12:00/2026-12-05T12:00",
        "2026-12-06T12:00/2026-12-06T12:00",
    )
    assert seen() == (1, "CONFIRMED", "Hội", on_5)
    assert seen(title="Hội sách") == (1, "CONFIRMED", "Hội sách", on_5)
    assert seen(organizer={"name": "Sở"}) == (1, "CONFIRMED", "Hội", on_5)
    assert seen(location={"name": "B"}) == (2, "CONFIRMED", "Hội", on_5)
    assert seen(location={"name": "B"}, start="2026-12-06T19:00:00") == (
        3,
        "CONFIRMED",
        "Hội",
        on_6,
    )
    assert seen(event_status="tentative")[:3] == (4, "TENTATIVE", "Dự kiến: Hội")
    assert seen(event_status="postponed") == (5, "TENTATIVE", "Hoãn: Hội", on_5)
    assert seen(event_status="postponed", start="2026-12-06T19:00:00") == (
        6,
        "TENTATIVE",
        "Hoãn: Hội",
        on_6,
    )
    assert seen(event_status="cancelled") == (7, "CANCELLED", "Hủy: Hội", on_5)
    assert seen(recurrence={"rrule": "FREQ=DAILY;COUNT=2"})[0] == 8
    assert seen(recurrence={"rrule": "FREQ=DAILY;COUNT=3"})[0] == 9
    assert editor.send("DELETE", "/events/e").status_code == 204
    assert client.get("/entries/e.ics").status_code == 410
    assert seen(recurrence={"rrule": "FREQ=DAILY;COUNT=3"})[0] == 11, (
        "deleted, and restored"
    )
    again = client.get("/entries/e.ics").data
    clock.forward(days=400)
    assert client.get("/entries/e.ics").data == again, "nothing comes from the clock"


def test_only_events_have_calendars(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/articles/a", {"title": "Tin"})
    editor.put("/articles/b.ics", {"title": "Tin"})
    assert client.get("/entries/a.ics").status_code == 404
    assert client.get("/entries/khong-co.ics").status_code == 404
    assert client.get("/entries/b.ics").mimetype == "text/html", "the page of that id"


WINDOWS = {
    "from=2026-12-05&to=2026-12-05": True,
    "from=2026-12-19&to=2026-12-19": True,
    "from=2026-12-12&to=2026-12-12": False,  # left out
    "from=2026-12-13&to=2026-12-18": False,  # between two
    "from=2026-12-27": False,  # after the last
    "from=2026-12-26": True,
    "to=2026-12-04": False,
    "to=2026-12-05": True,
}


@pytest.mark.parametrize("days", [0, 20, 100])
def test_window_has_series_with_an_occurrence_in_it(
    editor: ApiClient, client: FlaskClient, clock: Clock, storage: Storage, days: int
) -> None:
    """The window is the same before, during and after the series."""
    event = document(
        "2026-12-05T19:00:00",
        "",
        None,
        "FREQ=WEEKLY;COUNT=4",
        ["2026-12-12T19:00:00"],
        [],
    )
    editor.put("/events/e", event)
    clock.forward(days=days)
    storage.apply_scheduled_changes()
    for window, is_inside in WINDOWS.items():
        calendar = calendar_of(client, f"/feeds/events.ics?{window}")
        assert len(calendar.events) == is_inside, window
        other = calendar_of(client, f"/feeds/events/van-hoa.ics?{window}")
        assert len(other.events) == 0, window


def test_calendar_of_a_section_has_every_change(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    """Post, move, cancel, delete and restore an event, and let a month pass."""

    def seen() -> list[tuple[Any, ...]]:
        events = calendar_of(client, "/feeds/events.ics").events
        return [
            (each["SEQUENCE"], each["STATUS"], as_text(each.start, each.end))
            for each in events
        ]

    posted = {"title": "Hội", "start": "2026-12-05T19:00:00"}
    editor.put("/events/e", posted)
    assert seen() == [(0, "CONFIRMED", "2026-12-05T12:00/2026-12-05T12:00")]
    editor.put("/events/e", {**posted, "start": "2026-12-06"})
    assert seen() == [(1, "CONFIRMED", "2026-12-06/2026-12-07")]
    editor.put("/events/e", {**posted, "event_status": "cancelled"})
    assert seen() == [(2, "CANCELLED", "2026-12-05T12:00/2026-12-05T12:00")]
    editor.send("DELETE", "/events/e")
    assert seen() == [(3, "CANCELLED", "2026-12-05T12:00/2026-12-05T12:00")]
    editor.put("/events/e", posted)
    assert seen() == [(4, "CONFIRMED", "2026-12-05T12:00/2026-12-05T12:00")]
    clock.now = datetime(2027, 1, 4, 11, tzinfo=UTC)
    assert len(seen()) == 1
    clock.forward(hours=2)
    assert seen() == [], "over for 30 days"
    editor.put("/events/e", {**posted, "recurrence": {"rrule": "FREQ=WEEKLY"}})
    assert len(seen()) == 1, "a series without end"
    editor.send("DELETE", "/events/e")
    assert seen()[0][:2] == (6, "CANCELLED")
    clock.forward(days=31)
    assert seen() == [], "deleted for 30 days"


def test_calendar_changes_the_moment_a_deletion_is_30_days_old(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/events/e", {"title": "Hội", "start": "2027-12-05T19:00:00"})
    clock.forward(seconds=1)  # two changes have no time in common
    editor.send("DELETE", "/events/e")
    clock.forward(seconds=5)
    listed = client.get("/feeds/events.ics")
    clock.forward(days=30, seconds=-5)
    dropped = client.get("/feeds/events.ics")
    assert b"CANCELLED" in listed.data
    assert b"CANCELLED" not in dropped.data
    assert dropped.headers.get("Last-Modified") != listed.headers["Last-Modified"]


@pytest.mark.parametrize(
    "path", ["/entries/e.ics", "/feeds/events.ics", "/feeds/events/van-hoa.ics"]
)
def test_calendars_are_revalidated(
    editor: ApiClient, client: FlaskClient, clock: Clock, path: str
) -> None:
    posted = {"title": "Hội", "start": "2026-12-05", "categories": ["van-hoa"]}
    editor.put("/events/e", posted)
    clock.forward(seconds=10)
    first = client.get(path)
    for name, value in (
        ("If-None-Match", "ETag"),
        ("If-Modified-Since", "Last-Modified"),
    ):
        assert client.get(path, headers={name: first.headers[value]}).status_code == 304
    editor.put("/events/e", {**posted, "start": "2026-12-06"})
    clock.forward(seconds=10)
    for name, value in (
        ("If-None-Match", "ETag"),
        ("If-Modified-Since", "Last-Modified"),
    ):
        assert client.get(path, headers={name: first.headers[value]}).status_code == 200


def test_dates_of_a_window_are_near_today(client: FlaskClient, clock: Clock) -> None:
    for name in ("from", "to"):
        for day, status in (
            ("2016-11-25", 200),
            ("2016-11-24", 400),
            ("2031-11-25", 200),
            ("2031-11-26", 400),
        ):
            answer = client.get(f"/feeds/events.rss?{name}={day}")
            assert answer.status_code == status
            assert status == 200 or f"“{name}”" in answer.get_json(force=True)["detail"]


def test_today_is_the_date_in_the_zone_of_the_site(
    client: FlaskClient, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 25, 16, 59, tzinfo=UTC)
    assert client.get("/feeds/events.rss?to=2031-11-26").status_code == 400
    clock.now = datetime(2026, 11, 25, 17, tzinfo=UTC)
    assert client.get("/feeds/events.rss?to=2031-11-26").status_code == 200


def test_cached_window_expires_when_its_dates_are_too_old(
    client: FlaskClient, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 25, 16, 59, 50, tzinfo=UTC)
    path = "/feeds/events.rss?from=2016-11-25"
    answer = client.get(path)
    assert (answer.status_code, answer.cache_control.max_age) == (200, 10)
    clock.now = datetime(2026, 11, 25, 17, tzinfo=UTC)
    assert client.get(path).status_code == 400


def test_window_reads_no_body_of_a_series_outside_of_it(
    client: FlaskClient, editor: ApiClient
) -> None:
    """A series that may have an occurrence in the window has only its rule read."""
    for number in range(12):
        event = {
            "title": "Chợ",
            "start": "2026-12-05T19:00:00",
            "content_text": "x" * 500_000,
            "recurrence": {"rrule": "FREQ=MONTHLY"},
        }
        editor.put(f"/events/e{number}", event)
    assert client.get("/feeds/events.rss?from=2027-06-03&to=2027-06-03").text
    tracemalloc.start()
    response = client.get("/feeds/events.rss?from=2027-06-01&to=2027-06-02")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "Chợ" not in response.text
    assert peak < 2 * 1024 * 1024
