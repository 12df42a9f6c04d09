"""Calendars of Outlook, Exchange and others: series, zones and several versions of one event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import ApiClient
from tests.importers.helpers import (
    FIXTURES,
    import_file,
    stored_entries,
)

EASTERN = """BEGIN:VTIMEZONE
TZID:{}
BEGIN:STANDARD
DTSTART:16010101T020000
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=1SU;BYMONTH=11
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=2SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""
MINUTES = ",".join(map(str, range(60)))

ImportEvents = Callable[..., tuple[list[dict[str, Any]], list[str]]]


@pytest.fixture
def import_events(app: Flask, editor: ApiClient) -> ImportEvents:
    """Import events, given as their lines; returns them as the API answers, and the warnings."""

    def run(
        *events: str, zone: str = ""
    ) -> tuple[list[dict[str, Any]], list[str]]:
        blocks = "".join(
            f"BEGIN:VEVENT\nDTSTAMP:20261101T000000Z\n{event.strip()}\nEND:VEVENT\n"
            for event in events
        )
        text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{zone}{blocks}END:VCALENDAR\n"
        result = import_file(app, text.replace("\n", "\r\n").encode())
        stored = editor.send("GET", "/events").get_json()["items"]
        return stored, result.stderr.splitlines()

    return run


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;INTERVAL=0;BYMONTH=2;BYMONTHDAY=30",
        # Some 20,000 dates a day.
        f"FREQ=DAILY;BYMINUTE={MINUTES};BYSECOND={MINUTES};BYHOUR=1,2,3,4,5,6",
    ],
)
def test_rule_that_cannot_be_read_costs_no_event(
    import_events: ImportEvents, rule: str
) -> None:
    (event,), (warning,) = import_events(
        f"UID:1\nSUMMARY:x\nDTSTART:20261125T190000\nRRULE:{rule}"
    )
    assert (event["start"], event.get("recurrence")) == (
        "2026-11-25T19:00:00+07:00",
        None,
    )
    assert "of an unknown kind" in warning


@pytest.mark.parametrize(
    ("start", "until", "expected"),
    [
        ("DTSTART;VALUE=DATE:20261125", "20261231T000000Z", "20261231"),
        ("DTSTART;VALUE=DATE:20261125", "20261230T170000Z", "20261231"),
        ("DTSTART;VALUE=DATE:20261125", "20261231T190000", "20261231"),
        ("DTSTART;VALUE=DATE:20261125", "20261231", "20261231"),
        ("DTSTART:20261125T190000", "20261231", "20261231T165959Z"),
        ("DTSTART:20261125T190000", "20261231T190000", "20261231T120000Z"),
        ("DTSTART:20261125T190000", "20261231T120000Z", "20261231T120000Z"),
        (
            "DTSTART;TZID=Europe/Paris:20261125T190000",
            "20261231T190000",
            "20261231T180000Z",
        ),
    ],
)
def test_until_gets_the_type_of_the_start(
    start: str, until: str, expected: str, import_events: ImportEvents
) -> None:
    (event,), warnings = import_events(
        f"UID:1\nSUMMARY:Họp\n{start}\nRRULE:FREQ=DAILY;UNTIL={until}"
    )
    assert event["recurrence"]["rrule"] == f"FREQ=DAILY;UNTIL={expected}"
    assert warnings == []


def test_last_event_of_a_uid_without_sequence_wins(
    import_events: ImportEvents,
) -> None:
    versions = [
        f"UID:1\nSUMMARY:Bản {number}\nDTSTART:20261125T190000"
        for number in range(3)
    ]
    (event,), warnings = import_events(*versions)
    assert event["title"] == "Bản 2"
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("tzid", "definition", "zone", "start"),
    [
        ("Eastern Standard Time", "", "America/New_York", "2026-07-05T19:00:00-04:00"),
        ("US Eastern Standard Time", EASTERN, "America/Indianapolis", "2026-07-05T19:00:00-04:00"),
        ("SE Asia Standard Time", "", "Asia/Ho_Chi_Minh", "2026-07-05T19:00:00+07:00"),
        ("Asia/Bangkok", "", "Asia/Ho_Chi_Minh", "2026-07-05T19:00:00+07:00"),
        ("Custom", EASTERN, "America/New_York", "2026-07-05T19:00:00-04:00"),
        ("Nowhere", "", "Asia/Ho_Chi_Minh", "2026-07-05T19:00:00+07:00"),
    ],
)  # fmt: skip
def test_foreign_zone_names_are_resolved(
    tzid: str,
    definition: str,
    zone: str,
    start: str,
    import_events: ImportEvents,
) -> None:
    (event,), _ = import_events(
        f'UID:1\nSUMMARY:Họp\nDTSTART;TZID="{tzid}":20260705T190000',
        zone=definition.format(tzid),
    )
    assert (event["timezone"], event["start"]) == (zone, start)


def test_zone_that_had_other_offsets_is_kept(
    import_events: ImportEvents,
) -> None:
    novosibirsk = "DTSTART;TZID=Asia/Novosibirsk:{}0705T190000"
    events, _ = import_events(
        *(
            f"UID:{year}\nSUMMARY:x\n{novosibirsk.format(year)}"
            for year in (2010, 2020)
        )
    )
    zones = {event["guid"]: event["timezone"] for event in events}
    assert zones == {"2010": "Asia/Novosibirsk", "2020": "Asia/Ho_Chi_Minh"}


def test_series_in_utc_recurs_in_utc(
    import_events: ImportEvents, client: FlaskClient
) -> None:
    # In Hanoi it starts on a Thursday.
    (event,), warnings = import_events(
        "UID:1\nSUMMARY:x\nDTSTART:20261125T200000Z\n"
        "RRULE:FREQ=WEEKLY;BYDAY=WE;UNTIL=20261216\nEXDATE:20261202T200000Z"
    )
    assert warnings == []
    assert (event["timezone"], event["start"]) == (
        "UTC",
        "2026-11-25T20:00:00+00:00",
    )
    calendar = client.get("/feeds/events.ics").text
    assert "DTSTART:20261125T200000Z\r\n" in calendar
    assert "RRULE:FREQ=WEEKLY;UNTIL=20261216T235959Z;BYDAY=WE\r\n" in calendar
    assert "EXDATE:20261202T200000Z\r\n" in calendar
    assert "BEGIN:VTIMEZONE" not in calendar


def test_event_that_cannot_be_read_is_named_and_skipped(
    import_events: ImportEvents,
) -> None:
    (event,), warnings = import_events(
        "UID:1\nSUMMARY:Hỏng\nDTSTART:hôm qua",
        "UID:2\nSUMMARY:Lành\nDTSTART:20260705T190000\nLOCATION:Nhà A\nLOCATION:Nhà B",
    )
    assert event["title"] == "Lành"
    assert "skipped: “Hỏng”: it has no start" in warnings


def test_event_with_a_contradictory_end_loses_the_end_alone(
    import_events: ImportEvents,
) -> None:
    events, warnings = import_events(
        "UID:1\nSUMMARY:Hai\nDTSTART:20260705T190000\nDTEND:20260705T200000\nDURATION:PT1H",
        "UID:2\nSUMMARY:Lệch\nDTSTART;VALUE=DATE:20260705\nDTEND:20260705T200000",
    )
    assert [event.get("end") for event in events] == [None, None]
    assert "left out: “Hai”: its end" in str(warnings)
    assert "left out: “Lệch”: its end" in str(warnings)


def test_cancelled_date_without_its_series_is_a_cancelled_event(
    import_events: ImportEvents,
) -> None:
    (event,), _ = import_events(
        "UID:1\nRECURRENCE-ID:20260705T190000\nSUMMARY:x\nSTATUS:CANCELLED\n"
        "DTSTART:20260705T190000"
    )
    assert event["event_status"] == "cancelled"


def test_google_calendar(app: Flask, client: FlaskClient) -> None:
    result = import_file(app, (FIXTURES / "google.ics").read_bytes())
    assert "skipped: “Khám răng”: it is not public" in result.stderr
    events = stored_entries(app, "events")
    music = events["5k1q0p2v8d3@google.com"]
    assert music["start"] == "2026-12-05T19:00:00+07:00"
    assert music["location"] == {
        "name": "Công viên Thống Nhất, Hà Nội, Việt Nam"
    }
    assert 'href="https://quan.example/nhac"' in music["content_html"]
    series = events["7abc@google.com"]["recurrence"]
    assert series["exdates"] == ["2026-12-16T19:00:00", "2026-12-23T19:00:00"]
    overridden = events["7abc@google.com/2026-12-23T19:00:00+07:00"]
    assert (overridden["start"], overridden["all_day"]) == (
        "2026-12-24T18:00:00+07:00",
        False,
    )
    assert events["9def@google.com"]["all_day"] is True
    calendar = client.get("/feeds/events.ics").text
    assert "UID:5k1q0p2v8d3@google.com\r\n" in calendar


ONLINE = "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://live.example/?a=1"


@pytest.mark.parametrize(
    ("lines", "members"),
    [
        ("SUMMARY:Họ\x01p", {"title": "Họp"}),
        ("DURATION:PT1H30M", {"end": "2027-01-01T20:30:00+07:00"}),
        ("IMAGE;VALUE=URI:https://a.example/c.jpg", {"image": {"url": "https://a.example/c.jpg"}}),
        (
            "ATTACH;FMTTYPE=application/pdf:https://a.example/b.pdf\n"
            "ATTACH;FMTTYPE=image/png:https://a.example/d.png",
            {
                "attachments": [{"url": "https://a.example/b.pdf", "mime_type": "application/pdf"}],
                "image": {"url": "https://a.example/d.png"},
            },
        ),
        (ONLINE, {"attendance": "online", "online_url": "https://live.example/?a=1"}),
        (
            f"LOCATION:Hall\nCONFERENCE;VALUE=URI:tel:+841\n{ONLINE}",
            {"attendance": "mixed", "online_url": "https://live.example/?a=1"},
        ),
        ("CONFERENCE;VALUE=URI:tel:+841", {"attendance": "in_person", "online_url": None}),
        # The status is read from our titles.
        *(
            (f"SUMMARY:{summary}\nSTATUS:{status}", {"title": title, "event_status": event_status})
            for summary, status, title, event_status in (
                ("Hủy: Hội", "CANCELLED", "Hội", "cancelled"),
                ("Đã gỡ: Hội", "CANCELLED", "Hội", "cancelled"),
                ("Cancelled: Fair", "CANCELLED", "Fair", "cancelled"),
                ("Hoãn: Hội", "TENTATIVE", "Hội", "postponed"),
                ("Dự kiến: Hội", "TENTATIVE", "Hội", "tentative"),
                ("Hủy: Hội", "CONFIRMED", "Hủy: Hội", "confirmed"),
                ("Hội", "CANCELLED", "Hội", "cancelled"),
            )
        ),
    ],
)  # fmt: skip
def test_properties_are_members(
    import_events: ImportEvents, lines: str, members: dict[str, Any]
) -> None:
    summary = "" if "SUMMARY" in lines else "SUMMARY:x\n"
    (event,), warnings = import_events(
        f"UID:1\n{summary}DTSTART:20270101T190000\n{lines}"
    )
    assert warnings == []
    assert {name: event.get(name) for name in members} == members
