"""Events over HTTP: posted as JSON, read as iCalendar by another library."""

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from feedsvc.services import get_services
from feedsvc.storage.database import Database
from feedsvc.storage.tables import EntryContentRow
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.web.feeds import as_text, calendar, get_page, occurrences

PARIS = "Europe/Paris"
EVENT = "/entries/e.ics"
DAY_OFF = "2026-12-02T09:00:00"
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


@pytest.mark.parametrize("case", read_tables("occurrences")["occurrences"])
def test_calendar_has_the_occurrences_of_an_event(
    shared_editor: ApiClient, case: dict[str, Any]
) -> None:
    event, expected = case["event"], case["expected"]
    shared_editor.put("/events/e", {"title": "Hội", **event})
    wanted = [text for text in expected if text != LATER]
    most = len(wanted) + (wanted == expected)
    assert wanted == [
        f"{as_text(each.start)}/{as_text(each.end)}"
        for each in occurrences(shared_editor.client, EVENT, most)
    ]


@pytest.mark.parametrize(
    ("start", "end", "rule", "lines"), read_tables("web")["repeated_hour"]
)
def test_times_in_a_repeated_hour_are_in_utc_but_in_a_series(
    shared_editor: ApiClient, start: str, end: str, rule: str, lines: list[str]
) -> None:
    """Calendar programs take a local time there for either pass, or drop the event."""
    day = "2027-10-31T"
    event = document(day + start, day + end, timezone=PARIS, rule=rule)
    shared_editor.put("/events/e", event)
    text = shared_editor.client.get(EVENT).text
    assert set(lines) <= set(text.splitlines())


def test_calendar_follows_the_changes_of_an_event(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    """Publish, rename, move, postpone, cancel, withdraw, repeat, delete and restore it."""

    def seen(start: str = "05", **fields: Any) -> tuple[Any, ...]:
        clock.forward(minutes=1)
        times = {"start": f"2026-12-{start}T19:00:00"}
        editor.put("/events/e", {"title": "Hội", **times, **fields})
        (event,) = calendar(client, EVENT).events
        assert event["LAST-MODIFIED"].dt == event["DTSTAMP"].dt == clock.now
        assert event["UID"] == uid
        assert event["CREATED"].dt == created
        assert as_text(event.start) == f"2026-12-{start}T12:00"
        return event["SEQUENCE"], event["STATUS"], event["SUMMARY"]

    created = clock.now + timedelta(minutes=1)
    first = {"title": "x", "start": "2026-12-01"}
    scheduled = {**first, "date_published": created.isoformat()}
    guid = editor.put("/events/e", scheduled).get_json()["guid"]
    uid = guid.removeprefix("urn:uuid:")
    clock.now = created
    assert seen() == (1, "CONFIRMED", "Hội")
    assert seen(title="Hội sách") == (1, "CONFIRMED", "Hội sách")
    assert seen("06") == (2, "CONFIRMED", "Hội")
    states = read_tables("web")["states"]
    for number, (status, *shown) in enumerate(states, 3):
        assert seen("06", event_status=status) == (number, *shown)
    withdrawal = {"status": "withdrawn", "notice": "Nhầm."}
    assert seen("06", **withdrawal) == (number + 1, "CANCELLED", "Đã gỡ: Hội")
    assert "DESCRIPTION:Đã gỡ: Nhầm.\\n" in client.get(EVENT).text
    assert seen(recurrence={"rrule": "FREQ=DAILY;COUNT=2"})[0] == number + 2
    editor.send("DELETE", "/events/e")
    assert client.get(EVENT).status_code == 410
    assert seen()[0] == number + 4, "deleted, and restored"
    document = client.get(EVENT).data
    clock.forward(days=400)
    assert client.get(EVENT).data == document, "nothing is the clock's"


@pytest.mark.both_databases
def test_status_of_a_later_version_is_shown_as_confirmed(
    editor: ApiClient, client: FlaskClient, database: Database
) -> None:
    """An instance of this version may run beside one that stores it."""

    def read_all() -> dict[str, str]:
        return {
            path: client.get(path).text
            for path in (
                *(f"/feeds/events.{suffix}" for suffix in FORMATS),
                "/",
                "/entries/e",
                EVENT,
            )
        }

    event = {"title": "Hội", "start": "2030-12-24T19:00:00"}
    editor.put("/events/e", {**event, "event_status": "tentative"})
    editor.put("/events/e", event)
    confirmed = read_all()
    with database.write() as transaction:
        row = transaction.session.scalars(sa.select(EntryContentRow)).one()
        assert '"status":"confirmed","timezone"' in row.document
        row.document = row.document.replace(
            '"status":"confirmed","timezone"',
            '"status":"later","timezone"',
        )
        transaction.next_revision("events")
    assert read_all() == confirmed
    assert editor.send("GET", "/events/e").status_code == 200
    assert client.get("/api/v1/changes").status_code == 200


def test_only_events_have_calendars(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/articles/a", {"title": "Tin"})
    editor.put("/articles/b.ics", {"title": "Tin"})
    assert client.get("/entries/a.ics").status_code == 404
    assert client.get("/entries/khong-co.ics").status_code == 404
    assert client.get("/entries/b.ics").mimetype == "text/html", "the page of that id"


@pytest.mark.parametrize("days", [0, 20, 100])
def test_window_has_series_with_an_occurrence_in_it(
    editor: ApiClient, client: FlaskClient, wait: Wait, days: int
) -> None:
    """The window is the same before, during and after the series."""
    times = ("2026-12-05T22:00:00", "2026-12-06T00:00:00")
    left_out = ["2026-12-12T22:00:00"]
    event = document(*times, rule="FREQ=WEEKLY;COUNT=4", exdates=left_out)
    editor.put("/events/e", event)
    # Without a duration, at the begin of two windows.
    moment = document("2026-11-29T00:00:00", rule="FREQ=WEEKLY;COUNT=5")
    editor.put("/events/moment", {**moment, "categories": ["van-hoa"]})
    wait(days=days)
    for window, is_inside in read_tables("web")["series_windows"]:
        query = f"/feeds/events/-van-hoa.ics?{window}"
        events = calendar(client, query).events
        assert len(events) == is_inside, window
    for day, count in ((26, 1), (27, 1), (28, 0)):
        path = f"/feeds/events/van-hoa.ics?from=2026-12-{day}"
        assert len(calendar(client, path).events) == count, day


def put_events(editor: ApiClient, starts: list[datetime], **fields: Any) -> None:
    """Put events of these starts, whose ids are their numbers."""
    batch = [
        {"action": "put", "kind": "events", "id": f"{number}", "title": "Hội"}
        | {"start": start.isoformat(), **fields}
        for number, start in enumerate(starts)
    ]
    assert editor.send("POST", "/batch", batch).status_code == 200


def note_of(client: FlaskClient, query: str) -> str:
    """Return the note of a calendar that it lacks later events."""
    whole = calendar(client, f"/feeds/events.ics{query}")
    description = str(whole["DESCRIPTION"])
    assert whole["X-WR-CALDESC"] == description
    return description.partition("Lịch này có")[2]


def panel_note(client: FlaskClient) -> str:
    """Return the note beside the calendar's address on the page of events."""
    page = client.get("/feeds/events.html").text
    match = re.search('<p class="hint">(Lịch này .*?)</p>', page)
    return match[1] if match else ""


def test_calendar_has_events_that_are_over_up_to_500_events(
    editor: ApiClient, client: FlaskClient, clock: Clock, wait: Wait
) -> None:
    def count(query: str = "") -> int:
        return client.get(f"/feeds/events.ics{query}").text.count("BEGIN:VEV")

    starts = [clock.now + timedelta(hours=number) for number in range(1, 505)]
    put_events(editor, starts)
    # Those that are not over are all in.
    assert count() == 504
    assert note_of(client, "") == ""
    assert panel_note(client) == (
        "Lịch này có các sự kiện gần nhất. Lịch của từng chuyên mục có nhiều hơn."
    )
    wait(hours=4)
    assert panel_note(client) == ""
    wait(hours=497)
    events = calendar(client).events
    assert sorted(event.start for event in events) == starts[-500:]
    assert [count(f"?limit={limit}") for limit in (2, 4, 501)] == [2, 4, 500]
    assert count("?when=past") == 501


@pytest.mark.both_databases
def test_calendar_without_later_events_says_so(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    # 10:00, 20:00 and 6:00 on the day after, in the site's zone
    starts = [clock.now + timedelta(hours=number) for number in (-1, 1, 11, 21)]
    put_events(editor, starts)
    assert "đến hết 25/11/2026. Lịch của từng" in note_of(client, "?limit=2")
    for query in ("", "?limit=3", "?limit=2&when=past"):
        assert note_of(client, query) == ""


def test_calendar_that_is_cut_by_its_length_says_so(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    starts = [clock.now + timedelta(days=number) for number in range(-2, 15)]
    put_events(editor, starts, content_text="x" * 90_000)
    response = client.get("/feeds/events.ics?content=full")
    assert 930_000 < len(response.data) < 1_000_000
    text = response.text.replace("\r\n ", "")
    assert "Lịch này có các sự kiện đến hết 05/12/2026." in text
    clock.forward(days=12, hours=1)
    get_services(client.application).background.tick()
    text = client.get("/feeds/events.ics?content=full").text
    assert "Lịch này có" not in text  # those that are left out are over


@pytest.mark.parametrize(
    ("summary", "body", "expected"), read_tables("words")["beginnings"]
)
def test_description_without_a_summary_is_the_beginning_of_the_body(
    shared_editor: ApiClient, summary: str, body: str, expected: str
) -> None:
    event = {**document("2026-12-24"), "summary": summary}
    shared_editor.put("/events/e", {**event, "content_html": body})
    (event,) = calendar(shared_editor.client).events
    text = event["DESCRIPTION"].removesuffix(event["URL"]).rstrip("\n")
    assert text == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (None, "https://meet.example/ph%C3%B2ng?a=1,2"),
        ("Nhà hát, tầng 2", "Nhà hát, tầng 2"),
    ],
)
def test_online_event_without_a_place_has_its_address_as_location(
    editor: ApiClient, client: FlaskClient, location: str | None, expected: str
) -> None:
    url = "https://meet.example/phòng?a=1,2"
    event = {"title": "x", "start": "2026-12-01T09:00:00", "location": location}
    event["attendance"] = "mixed" if location else "online"
    days = {"rrule": "FREQ=DAILY;COUNT=3", "cancelled": [{"start": DAY_OFF}]}
    series = {**event, "online_url": url, "recurrence": days}
    assert editor.put("/events/e", series).status_code == 201
    for path in (EVENT, "/feeds/events.ics"):
        series_and_off = calendar(client, path).events
        assert len(series_and_off) == 2
        for each in series_and_off:
            assert each["LOCATION"] == expected
    page = get_page(client, "/entries/e")
    (link,) = page.xpath("//a[contains(@href, 'action=TEMPLATE')]/@href")
    (given,) = parse_qs(urlsplit(link).query)["location"]
    assert given == expected


def test_zone_of_an_old_series_has_the_changes_of_the_next_years(
    editor: ApiClient, client: FlaskClient
) -> None:
    series = {"start": "2001-01-06T19:00:00", "recurrence": {"rrule": "FREQ=WEEKLY"}}
    editor.put("/events/e", {"title": "x", "timezone": "Asia/Jerusalem", **series})
    text = client.get("/entries/e.ics").get_data(as_text=True)
    assert "RDATE:20270326T020000" in text
