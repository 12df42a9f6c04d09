"""Events over HTTP: posted as JSON, read as iCalendar by another library."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from flask.testing import FlaskClient
from icalendar import Calendar

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
LATER = "…"
"""Stands for the rest of a series without an end."""

# Start, end and zone of a posted event (default: the zone of the site, Hanoi's), and its expected occurrences, in UTC
# or as dates with the exclusive end.
TIMES: list[tuple[str, str, str | None, list[str]]] = [
    # Hanoi, UTC+7 all year
    ("2026-12-24T19:00:00", "2026-12-24T21:30:00", None, ["2026-12-24T12:00/2026-12-24T14:30"]),
    ("2026-12-24T19:00:00+07:00", "2026-12-24T21:30:00+07:00", None, ["2026-12-24T12:00/2026-12-24T14:30"]),
    ("2026-12-24T19:00:00", "", None, ["2026-12-24T12:00/2026-12-24T12:00"]),
    ("2026-12-24T19:00:00", "2026-12-24T19:00:00", None, ["2026-12-24T12:00/2026-12-24T12:00"]),
    ("2026-12-24T22:00:00", "2026-12-25T01:00:00", None, ["2026-12-24T15:00/2026-12-24T18:00"]),
    ("2026-12-24T08:00:00", "2026-12-27T17:00:00", None, ["2026-12-24T01:00/2026-12-27T10:00"]),
    # far east, far west, odd minutes
    ("2026-12-24T12:00:00", "2026-12-24T13:00:00", "UTC", ["2026-12-24T12:00/2026-12-24T13:00"]),
    ("2027-01-01T00:00:00", "2027-01-01T02:00:00", KIRITIMATI, ["2026-12-31T10:00/2026-12-31T12:00"]),
    ("2026-12-31T23:00:00", "2026-12-31T23:59:00", NIUE, ["2027-01-01T10:00/2027-01-01T10:59"]),
    ("2026-12-24T19:00:00", "2026-12-24T20:00:00", CHATHAM, ["2026-12-24T05:15/2026-12-24T06:15"]),
    ("2026-12-24T19:00:00", "2026-12-24T20:00:00", HOWE, ["2026-12-24T08:00/2026-12-24T09:00"]),
    # winter and summer, in both hemispheres
    ("2026-12-24T19:00:00", "2026-12-24T21:00:00", PARIS, ["2026-12-24T18:00/2026-12-24T20:00"]),
    ("2027-07-14T19:00:00", "2027-07-14T21:00:00", PARIS, ["2027-07-14T17:00/2027-07-14T19:00"]),
    ("2026-12-24T19:00:00", "2026-12-24T21:00:00", SYDNEY, ["2026-12-24T08:00/2026-12-24T10:00"]),
    ("2027-07-01T19:00:00", "2027-07-01T21:00:00", SYDNEY, ["2027-07-01T09:00/2027-07-01T11:00"]),
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
    ("2027-09-05T00:30:00", "2027-09-05T02:00:00", SANTIAGO, ["2027-09-05T04:30/2027-09-05T05:00"]),
    ("2027-10-03T02:15:00", "2027-10-03T04:00:00", HOWE, ["2027-10-02T15:45/2027-10-02T17:00"]),
    # all-day: dates stay dates, wherever
    ("2026-12-24", "", None, ["2026-12-24/2026-12-25"]),
    ("2027-01-01", "", KIRITIMATI, ["2027-01-01/2027-01-02"]),
    ("2027-01-01", "", NIUE, ["2027-01-01/2027-01-02"]),
    ("2027-09-05", "2027-09-06", SANTIAGO, ["2027-09-05/2027-09-06"]),
    ("2028-02-29", "", None, ["2028-02-29/2028-03-01"]),
]  # fmt: skip

# The same, with the rule, exdates and rdates before the occurrences.
SERIES: list[tuple[str, str, str | None, str, list[str], list[str], list[str]]] = [
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
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;COUNT=3", ["2026-12-05T12:00:00Z"], [],
     ["2026-12-12T12:00/2026-12-12T13:00", "2026-12-19T12:00/2026-12-19T13:00"]),
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY;COUNT=2", [], ["2026-12-08T18:00:00"],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-08T11:00/2026-12-08T12:00", "2026-12-12T12:00/2026-12-12T13:00"]),
    # over changes of the clock: the wall clock stays
    ("2027-03-20T19:00:00", "2027-03-20T21:00:00", PARIS, "FREQ=WEEKLY;COUNT=3", [], [],
     ["2027-03-20T18:00/2027-03-20T20:00", "2027-03-27T18:00/2027-03-27T20:00", "2027-04-03T17:00/2027-04-03T19:00"]),
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
    ("2026-12-05", "2026-12-07", None, "FREQ=WEEKLY;COUNT=2", [], [], ["2026-12-05/2026-12-07", "2026-12-12/2026-12-14"]),
    ("2026-12-05", "", None, "FREQ=DAILY;UNTIL=20261207", [], [], ["2026-12-05/2026-12-06", "2026-12-06/2026-12-07", "2026-12-07/2026-12-08"]),
    ("2026-12-05", "", None, "FREQ=WEEKLY;COUNT=3", ["2026-12-12"], ["2026-12-24"], ["2026-12-05/2026-12-06", "2026-12-19/2026-12-20", "2026-12-24/2026-12-25"]),
    ("2026-12-31", "", NIUE, "FREQ=YEARLY", [], [], ["2026-12-31/2027-01-01", "2027-12-31/2028-01-01", LATER]),
    ("2028-02-29", "", None, "FREQ=YEARLY;COUNT=2", [], [], ["2028-02-29/2028-03-01", "2032-02-29/2032-03-01"]),
    ("2027-01-31", "", None, "FREQ=MONTHLY;COUNT=3", [], [], ["2027-01-31/2027-02-01", "2027-03-31/2027-04-01", "2027-05-31/2027-06-01"]),
    ("2026-12-31", "", None, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", [], [], ["2026-12-31/2027-01-01", "2027-01-29/2027-01-30", "2027-02-26/2027-02-27"]),
    # other rules
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=MONTHLY;BYDAY=1SA;COUNT=3", [], [],
     ["2026-12-05T12:00/2026-12-05T13:00", "2027-01-02T12:00/2027-01-02T13:00", "2027-02-06T12:00/2027-02-06T13:00"]),
    ("2026-12-01", "", None, "FREQ=WEEKLY;INTERVAL=2;COUNT=3;BYDAY=TU,SU;WKST=MO", [], [], ["2026-12-01/2026-12-02", "2026-12-06/2026-12-07", "2026-12-15/2026-12-16"]),
    ("2026-12-01", "", None, "FREQ=WEEKLY;INTERVAL=2;COUNT=3;BYDAY=TU,SU;WKST=SU", [], [], ["2026-12-01/2026-12-02", "2026-12-13/2026-12-14", "2026-12-15/2026-12-16"]),
    ("2026-12-05T19:00:00", "2026-12-05T20:00:00", None, "FREQ=WEEKLY", ["2026-12-12T19:00:00"], [],
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-19T12:00/2026-12-19T13:00", LATER]),
]  # fmt: skip
# Occurrences over a change of the clock, all of the same duration (RFC 5545 §3.8.5.3). recurring-ical-events, like some
# calendars, adds the duration to the wall clock, so only their starts are compared.
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
    event: dict[str, Any] = {"title": "Hội", "start": start}
    event |= {
        name: value for name, value in (("end", end), ("timezone", zone)) if value
    }
    if rule:
        event["recurrence"] = {"rrule": rule, "exdates": exdates, "rdates": rdates}
    return event


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
    occurrences = [as_text(event.start, event.end) for event in islice(read, most)]
    if case in LASTING:
        assert [text.split("/")[0] for text in occurrences] == [
            text.split("/")[0] for text in wanted
        ]
    else:
        assert occurrences == wanted
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
    daily = {"rrule": "FREQ=DAILY;COUNT=3"}
    assert seen(recurrence=daily)[0] == 9
    assert seen(recurrence=daily, end="2026-12-05T21:00:00")[0] == 10
    assert editor.send("DELETE", "/events/e").status_code == 204
    assert client.get("/entries/e.ics").status_code == 410
    assert seen(recurrence=daily)[0] == 12, "deleted, and restored"
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
    editor: ApiClient,
    client: FlaskClient,
    clock: Clock,
    tick: Callable[[], None],
    days: int,
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
    tick()
    for window, is_inside in WINDOWS.items():
        calendar = calendar_of(client, f"/feeds/events.ics?{window}")
        assert len(calendar.events) == is_inside, window
        other = calendar_of(client, f"/feeds/events/van-hoa.ics?{window}")
        assert len(other.events) == 0, window
