"""Events over HTTP: posted as JSON, read as iCalendar by another library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from flask.testing import FlaskClient

from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.web.feeds import calendar

PARIS, SYDNEY, SANTIAGO = (
    "Europe/Paris",
    "Australia/Sydney",
    "America/Santiago",
)
CHATHAM, HOWE, KIRITIMATI = "Pacific/Chatham", "Australia/Lord_Howe", "Pacific/Kiritimati"  # fmt: skip
EVENT = "/entries/e.ics"
LATER = "…"
"""Stands for the rest of a series without an end."""


def document(
    start: str,
    end: str | None = None,
    *,
    timezone: str | None = None,
    rule: str = "",
    **dates: list[str],
) -> dict[str, Any]:
    """Return an event; by default in the zone of the site, Hanoi's."""
    recurrence = {"rrule": rule, **dates} if rule else None
    times = {"start": start, "end": end, "timezone": timezone}
    return {"title": "Hội", **times, "recurrence": recurrence}


# Events with their occurrences, in UTC or as dates with the exclusive end.
CASES: list[tuple[dict[str, Any], list[str]]] = [
    # Hanoi, UTC+7 all year
    (document("2026-12-24T19:00:00", "2026-12-24T21:30:00"), ["2026-12-24T12:00/2026-12-24T14:30"]),
    (document("2026-12-24T19:00:00+07:00", "2026-12-24T21:30:00+07:00"), ["2026-12-24T12:00/2026-12-24T14:30"]),
    (document("2026-12-24T19:00:00"), ["2026-12-24T12:00/2026-12-24T12:00"]),
    (document("2026-12-24T08:00:00", "2026-12-27T17:00:00"), ["2026-12-24T01:00/2026-12-27T10:00"]),
    # far east, odd minutes
    (document("2027-01-01T00:00:00", "2027-01-01T02:00:00", timezone=KIRITIMATI), ["2026-12-31T10:00/2026-12-31T12:00"]),
    (document("2026-12-24T19:00:00", "2026-12-24T20:00:00", timezone=CHATHAM), ["2026-12-24T05:15/2026-12-24T06:15"]),
    # over a change of the clock, in the hour that it skips, in either pass of the hour that it repeats
    (document("2027-03-28T01:00:00", "2027-03-28T04:00:00", timezone=PARIS), ["2027-03-28T00:00/2027-03-28T02:00"]),
    (document("2027-03-28T02:30:00", "2027-03-28T04:00:00", timezone=PARIS), ["2027-03-28T01:30/2027-03-28T02:00"]),
    (document("2027-03-28T01:00:00", "2027-03-28T02:30:00", timezone=PARIS), ["2027-03-28T00:00/2027-03-28T01:30"]),
    (document("2027-10-31T02:30:00", "2027-10-31T03:30:00", timezone=PARIS), ["2027-10-31T00:30/2027-10-31T02:30"]),
    (document("2027-10-31T02:30:00+01:00", "2027-10-31T03:30:00+01:00", timezone=PARIS), ["2027-10-31T01:30/2027-10-31T02:30"]),
    (document("2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00", timezone=PARIS), ["2027-10-31T00:30/2027-10-31T01:30"]),
    (document("2027-09-05T00:30:00", "2027-09-05T02:00:00", timezone=SANTIAGO), ["2027-09-05T04:30/2027-09-05T05:00"]),
    (document("2027-10-03T02:15:00", "2027-10-03T04:00:00", timezone=HOWE), ["2027-10-02T15:45/2027-10-02T17:00"]),
    # all-day: dates stay dates, wherever
    (document("2026-12-24"), ["2026-12-24/2026-12-25"]),
    (document("2027-01-01", timezone=KIRITIMATI), ["2027-01-01/2027-01-02"]),
    (document("2027-09-05", "2027-09-06", timezone=SANTIAGO), ["2027-09-05/2027-09-06"]),
    # series: COUNT; UNTIL, the last start that may be, in UTC; without an end
    (document("2026-12-05T22:00:00", "2026-12-06T02:00:00", rule="FREQ=WEEKLY;COUNT=2"),
     ["2026-12-05T15:00/2026-12-05T19:00", "2026-12-12T15:00/2026-12-12T19:00"]),
    (document("2026-12-05T19:00:00", "2026-12-05T20:00:00", rule="FREQ=WEEKLY;UNTIL=20261212T120000Z"),
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-12T12:00/2026-12-12T13:00"]),
    (document("2026-12-05T19:00:00", "2026-12-05T20:00:00", rule="FREQ=WEEKLY", exdates=["2026-12-12T19:00:00"]),
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-19T12:00/2026-12-19T13:00", LATER]),
    # left out, added
    (document("2026-12-05T19:00:00", "2026-12-05T20:00:00", rule="FREQ=WEEKLY;COUNT=3", exdates=["2026-12-05T12:00:00Z"]),
     ["2026-12-12T12:00/2026-12-12T13:00", "2026-12-19T12:00/2026-12-19T13:00"]),
    (document("2026-12-05T19:00:00", "2026-12-05T20:00:00", rule="FREQ=WEEKLY;COUNT=2", rdates=["2026-12-08T18:00:00"]),
     ["2026-12-05T12:00/2026-12-05T13:00", "2026-12-08T11:00/2026-12-08T12:00", "2026-12-12T12:00/2026-12-12T13:00"]),
    # over changes of the clock: the wall clock stays
    (document("2027-03-27T19:00:00", "2027-03-27T21:00:00", timezone=SYDNEY, rule="FREQ=WEEKLY;COUNT=3", exdates=["2027-04-03T19:00:00"], rdates=["2027-04-14T19:00:00"]),
     ["2027-03-27T08:00/2027-03-27T10:00", "2027-04-10T09:00/2027-04-10T11:00", "2027-04-14T09:00/2027-04-14T11:00"]),
    (document("2027-03-20T20:00:00", "2027-03-20T22:00:00", timezone=PARIS, rule="FREQ=WEEKLY;UNTIL=20270403T180000Z"),
     ["2027-03-20T19:00/2027-03-20T21:00", "2027-03-27T19:00/2027-03-27T21:00", "2027-04-03T18:00/2027-04-03T20:00"]),
    # at a time that a change skips, or repeats
    (document("2027-03-27T02:30:00", "2027-03-27T03:30:00", timezone=PARIS, rule="FREQ=DAILY;COUNT=3", exdates=["2027-03-28T02:30:00"]),
     ["2027-03-27T01:30/2027-03-27T02:30", "2027-03-29T00:30/2027-03-29T01:30"]),
    (document("2027-10-30T02:30:00", "2027-10-30T02:45:00", timezone=PARIS, rule="FREQ=DAILY;COUNT=3"),
     ["2027-10-30T00:30/2027-10-30T00:45", "2027-10-31T00:30/2027-10-31T00:45", "2027-11-01T01:30/2027-11-01T01:45"]),
    # all-day
    (document("2026-12-05", "2026-12-07", rule="FREQ=WEEKLY;COUNT=2"), ["2026-12-05/2026-12-07", "2026-12-12/2026-12-14"]),
    (document("2026-12-05", rule="FREQ=DAILY;UNTIL=20261206"), ["2026-12-05/2026-12-06", "2026-12-06/2026-12-07"]),
    (document("2026-12-05", rule="FREQ=WEEKLY;COUNT=3", exdates=["2026-12-12"], rdates=["2026-12-24"]),
     ["2026-12-05/2026-12-06", "2026-12-19/2026-12-20", "2026-12-24/2026-12-25"]),
]  # fmt: skip


def as_text(start: Any, end: Any) -> str:
    def text(moment: Any) -> str:
        if isinstance(moment, datetime):
            return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"
        return str(moment)

    return f"{text(start)}/{text(end)}"


@pytest.mark.parametrize(("event", "expected"), CASES)
def test_calendar_has_the_occurrences_of_an_event(
    shared_editor: ApiClient, event: dict[str, Any], expected: list[str]
) -> None:
    shared_editor.put("/events/e", event)
    wanted = [text for text in expected if text != LATER]
    most = len(wanted) + (wanted == expected)
    whole = calendar(shared_editor.client, EVENT)
    read = (
        recurring_ical_events.of(whole).after(datetime(2026, 1, 1, tzinfo=UTC))
        if event["recurrence"]
        else whole.events
    )
    occurrences = [
        as_text(each.start, each.end) for each in islice(read, most)
    ]
    assert occurrences == wanted


@pytest.mark.parametrize(
    ("start", "end", "rule", "lines"),
    [
        ("02:30:00+02:00", "02:45:00+02:00", "", ["DTSTART:20271031T003000Z", "DTEND:20271031T004500Z"]),
        ("02:30:00+01:00", "03:30:00+01:00", "", ["DTSTART:20271031T013000Z", "DTEND;TZID=Europe/Paris:20271031T033000"]),
        ("02:30:00+02:00", "03:30:00+01:00", "FREQ=DAILY", ["DTSTART;TZID=Europe/Paris:20271031T023000"]),
    ],
)  # fmt: skip
def test_times_in_a_repeated_hour_are_in_utc_but_in_a_series(
    shared_editor: ApiClient, start: str, end: str, rule: str, lines: list[str]
) -> None:
    """Calendar programs take a local time there for either pass, or drop the event."""
    day = "2027-10-31T"
    event = document(day + start, day + end, timezone=PARIS, rule=rule)
    shared_editor.put("/events/e", event)
    text = shared_editor.client.get(EVENT).text
    assert set(lines) <= set(text.splitlines())


@pytest.mark.parametrize("zone", [PARIS, SYDNEY, "Asia/Gaza"])
def test_vtimezone_has_the_later_years_of_a_series(
    shared_editor: ApiClient, zone: str
) -> None:
    """For clients that know no zone by its name; Gaza's follow no rule."""
    rule = "FREQ=YEARLY;COUNT=3"
    event = document("2026-12-05T19:00:00", timezone=zone, rule=rule)
    shared_editor.put("/events/e", event)
    (timezone,) = calendar(shared_editor.client, EVENT).timezones
    assert timezone.tz_name == zone
    rules = timezone.to_tz(lookup_tzid=False)
    noon = datetime(2026, 12, 5, 12)  # noqa: DTZ001
    while noon.year < 2029:
        expected = noon.replace(tzinfo=ZoneInfo(zone)).utcoffset()
        assert noon.replace(tzinfo=rules).utcoffset() == expected, noon
        noon += timedelta(days=1)


def test_calendar_follows_the_changes_of_an_event(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    """Rename, move, postpone, cancel, delete and restore an event."""

    def seen(**fields: Any) -> tuple[Any, ...]:
        clock.forward(minutes=1)
        event = {"title": "Hội", "start": "2026-12-05T19:00:00"}
        editor.put("/events/e", {**event, "location": {"name": "A"}, **fields})
        (event,) = calendar(client, EVENT).events
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
    first = {"title": "x", "start": "2026-12-01"}
    scheduled = {**first, "date_published": created.isoformat()}
    guid = editor.put("/events/e", scheduled).get_json()["guid"]
    uid = guid.removeprefix("urn:uuid:")
    clock.now = created
    on_5 = "2026-12-05T12:00/2026-12-05T12:00"
    on_6 = "2026-12-06T12:00/2026-12-06T12:00"
    assert seen() == (1, "CONFIRMED", "Hội", on_5)
    assert seen(title="Hội sách") == (1, "CONFIRMED", "Hội sách", on_5)
    assert seen(offers=[{"price": "0", "currency": "VND"}])[0] == 1
    assert seen(location={"name": "B"}) == (2, "CONFIRMED", "Hội", on_5)
    moved = {"location": {"name": "B"}, "start": "2026-12-06T19:00:00"}
    assert seen(**moved) == (3, "CONFIRMED", "Hội", on_6)
    assert seen(event_status="tentative")[:3] == (
        4,
        "TENTATIVE",
        "Dự kiến: Hội",
    )
    assert seen(event_status="postponed") == (
        5,
        "TENTATIVE",
        "Hoãn: Hội",
        on_5,
    )
    assert seen(event_status="cancelled") == (6, "CANCELLED", "Hủy: Hội", on_5)
    for number, count in ((7, 2), (8, 3)):
        assert (
            seen(recurrence={"rrule": f"FREQ=DAILY;COUNT={count}"})[0]
            == number
        )
    daily = {"rrule": "FREQ=DAILY;COUNT=3"}
    assert seen(recurrence=daily, end="2026-12-05T21:00:00")[0] == 9
    assert editor.send("DELETE", "/events/e").status_code == 204
    assert client.get("/entries/e.ics").status_code == 410
    assert seen()[0] == 11, "deleted, and restored"
    online = {"attendance": "online", "online_url": "https://live.example/"}
    assert seen(**online)[0] == 12
    again = client.get("/entries/e.ics").data
    clock.forward(days=400)
    assert client.get("/entries/e.ics").data == again, (
        "nothing comes from the clock"
    )


def test_withdrawn_event_is_cancelled_in_its_calendar_for_30_days(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    event = {"title": "Hội", "start": "2026-12-05", "content_text": "Thân"}
    guid = editor.put("/events/e", event).get_json()["guid"]
    (first,) = calendar(client, EVENT).events
    withdrawn = {"status": "withdrawn", "notice": "Đăng nhầm."}
    editor.send("PATCH", "/events/e", withdrawn)
    (last,) = calendar(client, EVENT).events
    assert last["UID"] == first["UID"] == guid.removeprefix("urn:uuid:")
    assert last["SEQUENCE"] > first["SEQUENCE"]
    assert (last["STATUS"], last["SUMMARY"]) == ("CANCELLED", "Đã gỡ: Hội")
    assert "Thân" not in last["DESCRIPTION"]
    wait(days=31)
    assert client.get("/entries/e.ics").status_code == 410


def test_only_events_have_calendars(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/a", {"title": "Tin"})
    editor.put("/articles/b.ics", {"title": "Tin"})
    assert client.get("/entries/a.ics").status_code == 404
    assert client.get("/entries/khong-co.ics").status_code == 404
    assert client.get("/entries/b.ics").mimetype == "text/html", (
        "the page of that id"
    )


@pytest.mark.parametrize(
    ("start", "end", "is_inside"),
    [
        ("2026-12-05T00:00:00", None, True),
        ("2026-12-04T22:00:00", "2026-12-05T00:00:00", False),
    ],
)
def test_last_occurrence_that_ends_with_the_day_before_is_outside_a_window(
    editor: ApiClient,
    client: FlaskClient,
    start: str,
    end: str | None,
    is_inside: bool,
) -> None:
    """One without duration, at the begin of the window, is inside."""
    event = document(start, end, rule="FREQ=WEEKLY;COUNT=2")
    editor.put("/events/e", event)
    events = calendar(client, "/feeds/events.ics?from=2026-12-12").events
    assert len(events) == is_inside


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
    editor: ApiClient, client: FlaskClient, wait: Wait, days: int
) -> None:
    """The window is the same before, during and after the series."""
    start, left_out = "2026-12-05T19:00:00", ["2026-12-12T19:00:00"]
    event = document(start, rule="FREQ=WEEKLY;COUNT=4", exdates=left_out)
    editor.put("/events/e", event)
    wait(days=days)
    for window, is_inside in WINDOWS.items():
        events = calendar(client, f"/feeds/events.ics?{window}").events
        assert len(events) == is_inside, window
        other = calendar(client, f"/feeds/events/van-hoa.ics?{window}")
        assert len(other.events) == 0, window


def put_events(
    editor: ApiClient, starts: list[datetime], **fields: Any
) -> None:
    """Put events of these starts, whose ids are their numbers."""
    batch = [
        {"action": "put", "kind": "events", "id": f"{number}", "title": "Hội"}
        | {"start": start.isoformat(), **fields}
        for number, start in enumerate(starts)
    ]
    assert editor.send("POST", "/batch", batch).status_code == 200


def note_of(client: FlaskClient, query: str) -> str:
    """Return the note of a calendar, which the panel of its page has too."""
    whole = calendar(client, f"/feeds/events.ics{query}")
    description = str(whole["DESCRIPTION"])
    assert whole["X-WR-CALDESC"] == description
    note = description.partition("Lịch này có")[2]
    panel = client.get(f"/feeds/events.html{query}").text
    assert f"Lịch này có{note}</p>" in panel or not note
    assert note or "Lịch này có" not in panel
    return note


@pytest.mark.both_databases
def test_calendar_has_events_that_are_over_up_to_500_events(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    hours = [*range(-501, 0), *range(1, 4)]
    starts = [clock.now + timedelta(hours=number) for number in hours]
    put_events(editor, starts)
    events = calendar(client, "/feeds/events.ics").events
    assert sorted(event.start for event in events) == starts[-500:]
    for limit, count in ((4, 4), (2, 2), (501, 500)):
        path = f"/feeds/events.ics?limit={limit}"
        assert len(calendar(client, path).events) == count
    past = calendar(client, "/feeds/events.ics?when=past").events
    assert len(past) == 501
    # Those that are not over are all in.
    put_events(editor, [start + timedelta(days=30) for start in starts])
    assert len(calendar(client, "/feeds/events.ics").events) == 504
    assert note_of(client, "") == ""


@pytest.mark.both_databases
def test_calendar_without_later_events_and_its_panel_say_so(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    # 10:00, 20:00 and 6:00 on the day after, in the site's zone
    starts = [
        clock.now + timedelta(hours=number) for number in (-1, 1, 11, 21)
    ]
    put_events(editor, starts)
    assert "đến hết 25/11/2026. Lịch của từng" in note_of(client, "?limit=2")
    for query in ("", "?limit=3", "?limit=2&when=past"):
        assert note_of(client, query) == ""


def test_calendar_that_is_cut_by_its_length_says_so(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    starts = [clock.now + timedelta(days=number) for number in range(-2, 9)]
    put_events(editor, starts, content_text="x" * 250_000)
    response = client.get("/feeds/events.ics?content=full")
    assert 750_000 < len(response.data) < 1_000_000
    text = response.text.replace("\r\n ", "")
    assert "Lịch này có các sự kiện đến hết 28/11/2026." in text
    clock.forward(days=7, hours=1)
    get_services(client.application).background.tick()
    text = client.get("/feeds/events.ics?content=full").text
    assert "Lịch này có" not in text  # those that are left out are over


LONG = "x" * 8 + " "


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            {
                "content_html": '<p>Mang:</p><ul><li>nước</li><li><a href="https://a.example/">mũ</a></li></ul>'
            },
            "Mang:\n\n- nước\n- mũ (https://a.example/)",
        ),
        ({"content_text": "Một\n\nHai"}, "Một\n\nHai"),
        ({"content_text": f"Một\n\n{LONG * 40}"}, f"Một\n\n{LONG * 32}…"),
        (
            {
                "content_html": f'<p>{LONG * 31}<a href="https://a.example/{LONG[:40]}">x</a></p>'
            },
            f"{LONG * 31}x…",
        ),
        ({"content_text": "Một", "summary": "Hai"}, "Hai"),
        ({"content_text": "Một", "summary": "Một"}, "Một"),
        ({"summary": "Hai"}, "Hai"),
        ({}, ""),
    ],
)
def test_description_without_a_summary_is_the_beginning_of_the_body(
    shared_editor: ApiClient, members: dict[str, str], expected: str
) -> None:
    shared_editor.put("/events/e", {**document("2026-12-24"), **members})
    (event,) = calendar(shared_editor.client).events
    text = event["DESCRIPTION"].removesuffix(event["URL"]).rstrip("\n")
    assert text == expected.replace(" …", "…")
