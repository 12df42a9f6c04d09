"""Calendars of Outlook, Exchange and others: series, zones and several versions of one event."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.errors import BadRequest
from feedsvc.importers.importer import Importer, read
from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.fake_clock import HANOI
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
FIXED = """BEGIN:VTIMEZONE
TZID:{}
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0330
TZOFFSETTO:+0315
END:STANDARD
END:VTIMEZONE
"""

ImportEvents = Callable[..., tuple[list[dict[str, Any]], list[str]]]


@pytest.fixture
def import_events(app: Flask, editor: ApiClient) -> ImportEvents:
    """Import events, given as their lines; returns them as the API answers, and the warnings."""

    def run(*events: str, zone: str = "") -> tuple[list[dict[str, Any]], list[str]]:
        blocks = "".join(
            f"BEGIN:VEVENT\nDTSTAMP:20261101T000000Z\n{event.strip()}\nEND:VEVENT\n"
            for event in events
        )
        text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{zone}{blocks}END:VCALENDAR\n"
        services = get_services(app)
        importer = Importer(services.storage, services.schemas["events"])
        for _ in importer.run(read(text.replace("\n", "\r\n").encode(), HANOI)):
            pass
        return editor.send("GET", "/events").get_json()["items"], importer.warnings

    return run


def test_series_starts_at_the_first_date_that_matches_its_rule(
    import_events: ImportEvents,
) -> None:
    (event,), warnings = import_events(
        "UID:1\nSUMMARY:Họp\nDTSTART:20261125T190000\nDTEND:20261125T203000\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3"
    )
    assert (event["start"], event["end"]) == (
        "2026-11-30T19:00:00+07:00",
        "2026-11-30T20:30:00+07:00",
    )
    assert event["recurrence"]["rrule"] == "FREQ=WEEKLY;COUNT=3;BYDAY=MO"
    assert warnings == [
        "“Họp” starts on 2026-11-30: its first date does not match its rule."
    ]


def test_all_day_series_starts_at_the_first_date_that_matches(
    import_events: ImportEvents,
) -> None:
    (event,), warnings = import_events(
        "UID:1\nSUMMARY:Hội\nDTSTART;VALUE=DATE:20261125\nDTEND;VALUE=DATE:20261127\nRRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"
    )
    assert (event["start"], event["end"]) == ("2026-12-24", "2026-12-26")
    assert len(warnings) == 1


@pytest.mark.parametrize("year", [1999, 2026])
def test_series_starts_years_later_on_leap_day(
    import_events: ImportEvents, year: int
) -> None:
    (event,), _ = import_events(
        f"UID:1\nSUMMARY:Hội\nDTSTART;VALUE=DATE:{year}1125\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"
    )
    assert event["start"] == {1999: "2000-02-29", 2026: "2028-02-29"}[year]


@pytest.mark.parametrize("frequency", ["SECONDLY", "DAILY"])
def test_series_that_never_takes_place_is_skipped_quickly(
    import_events: ImportEvents, frequency: str
) -> None:
    rule = f"FREQ={frequency};INTERVAL=2;BYMONTH=2;BYMONTHDAY=30"
    begun = time.process_time()
    assert list(rrulestr(rule, dtstart=datetime(9200, 1, 1, tzinfo=UTC))) == []
    imported = time.process_time()
    events, (warning,) = import_events(
        f"UID:1\nSUMMARY:x\nDTSTART:20261125T190000\nRRULE:{rule}"
    )
    # All years until 9999 take ten times as long as the last 800.
    assert time.process_time() - imported < 4 * (imported - begun)
    assert events == []
    assert warning.startswith("skipped: “x”: recurrence/rrule: ")


def test_series_without_an_interval_is_skipped(import_events: ImportEvents) -> None:
    events, (warning,) = import_events(
        "UID:1\nSUMMARY:x\nDTSTART:20261125T190000\n"
        "RRULE:FREQ=YEARLY;INTERVAL=0;BYMONTH=2;BYMONTHDAY=30"
    )
    assert events == []
    assert "INTERVAL=0" in warning


def test_rule_of_a_zone_can_state_the_time_of_day(import_events: ImportEvents) -> None:
    """As those of HCL Notes do."""
    zone = EASTERN.format("Eastern").replace(
        "FREQ=YEARLY;INTERVAL=1", "FREQ=YEARLY;BYMINUTE=0;BYHOUR=2"
    )
    (event,), _ = import_events(
        "UID:1\nSUMMARY:x\nDTSTART;TZID=Eastern:20261125T190000", zone=zone
    )
    assert event["start"] == "2026-11-25T19:00:00-05:00"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=YEARLY;INTERVAL=0",
        "FREQ=YEARLY;BYHOUR=1,2",
        "FREQ=YEARLY;BYMINUTE=1,2",
        "FREQ=YEARLY;BYSECOND=1,2",
    ],
)
def test_zone_that_changes_all_the_time_is_refused(
    import_events: ImportEvents, rule: str
) -> None:
    zone = EASTERN.format("Nhanh").replace("FREQ=YEARLY;INTERVAL=1", rule)
    with pytest.raises(BadRequest, match="“Nhanh” changes too often"):
        import_events("UID:1\nSUMMARY:x\nDTSTART;TZID=Nhanh:20261125T190000", zone=zone)


DAMAGED = (
    "UID:1\nSUMMARY:x\nDTSTART;TZID=Eastern:20261125T190000",
    "UID:2\nEND:VALARM",
)


def test_zones_of_a_damaged_calendar_are_used(import_events: ImportEvents) -> None:
    (event,), warnings = import_events(*DAMAGED, zone=EASTERN.format("Eastern"))
    assert event["start"] == "2026-11-25T19:00:00-05:00"
    assert event["timezone"] == "America/New_York"
    assert len(warnings) == 2


def test_damaged_zones_of_a_damaged_calendar_are_not_used(
    import_events: ImportEvents,
) -> None:
    zone = EASTERN.format("Eastern").replace("FREQ=", "FREQUENCY=")
    (event,), _ = import_events(*DAMAGED, zone=zone)
    assert event["start"] == "2026-11-25T19:00:00+07:00"


def test_zones_of_a_damaged_calendar_are_checked(import_events: ImportEvents) -> None:
    zone = EASTERN.format("Eastern").replace("FREQ=YEARLY", "FREQ=SECONDLY")
    with pytest.raises(BadRequest, match="changes too often"):
        import_events(*DAMAGED, zone=zone)


def test_zones_of_another_calendar_are_not_used(import_events: ImportEvents) -> None:
    event = "UID:1\nSUMMARY:x\nDTSTART;TZID=Eastern:20261125T190000"
    import_events(event, zone=EASTERN.format("Eastern"))
    (stored,), _ = import_events(event)
    assert stored["start"] == "2026-11-25T19:00:00+07:00"


def test_matching_start_of_a_series_is_kept(import_events: ImportEvents) -> None:
    (event,), warnings = import_events(
        "UID:1\nSUMMARY:Họp\nDTSTART:20261125T190000\nRRULE:FREQ=WEEKLY"
    )
    assert event["start"] == "2026-11-25T19:00:00+07:00"
    assert warnings == []


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
        ("DTSTART:20261125T190000Z", "20261231T190000", "20261231T190000Z"),
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


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_highest_sequence_of_a_uid_wins(
    order: tuple[int, ...], import_events: ImportEvents
) -> None:
    versions = [
        f"UID:1\nSUMMARY:Bản {number}\nSEQUENCE:{number}\nDTSTART:20261125T190000"
        for number in range(3)
    ]
    (event,), warnings = import_events(*(versions[number] for number in order))
    assert event["title"] == "Bản 2"
    assert len(warnings) == 2
    assert all("higher SEQUENCE" in warning for warning in warnings)


def test_last_event_of_a_uid_without_sequence_wins(import_events: ImportEvents) -> None:
    versions = [
        f"UID:1\nSUMMARY:Bản {number}\nDTSTART:20261125T190000" for number in range(3)
    ]
    assert [event["title"] for event in import_events(*versions)[0]] == ["Bản 2"]


@pytest.mark.parametrize(
    ("tzid", "definition", "expected"),
    [
        ("Eastern Standard Time", "", "America/New_York"),
        ("SE Asia Standard Time", "", "Asia/Bangkok"),
        ("(UTC-05:00) Eastern Time (US & Canada)", EASTERN, "America/New_York"),
        ("Customized Time Zone", EASTERN, "America/New_York"),
        ("Customized Time Zone 2", FIXED, ""),
        ("Nowhere", "", ""),
    ],
)
def test_foreign_zone_names_are_resolved(
    tzid: str, definition: str, expected: str, import_events: ImportEvents
) -> None:
    (event,), warnings = import_events(
        f'UID:1\nSUMMARY:Họp\nDTSTART;TZID="{tzid}":20260705T190000\nDTEND;TZID="{tzid}":20260705T200000\n'
        f'RRULE:FREQ=WEEKLY;COUNT=30\nEXDATE;TZID="{tzid}":20260712T190000',
        zone=definition.format(tzid),
    )
    if expected:
        offset = "+07:00" if expected.startswith("Asia") else "-04:00"
        assert (event["timezone"], event["start"]) == (
            expected,
            f"2026-07-05T19:00:00{offset}",
        )
        assert warnings == []
    else:
        assert event["timezone"] == "Asia/Ho_Chi_Minh"
        hour = "22:45" if definition else "19:00"  # by its own offset where it has one
        assert event["start"] == f"2026-07-05T{hour}:00+07:00"
        assert warnings == [
            f"“Họp” is set to Asia/Ho_Chi_Minh: unknown time zone “{tzid}”."
        ]
    assert [moment[:10] for moment in event["recurrence"]["exdates"]] == ["2026-07-12"]


def test_google_calendar(app: Flask, client: FlaskClient) -> None:
    result = import_file(app, (FIXTURES / "google.ics").read_bytes())
    assert "skipped: “Khám răng”: it is not public" in result.stderr
    events = stored_entries(app, "events")
    music = events["5k1q0p2v8d3@google.com"]
    assert music["start"] == "2026-12-05T19:00:00+07:00"
    assert music["location"] == {"name": "Công viên Thống Nhất, Hà Nội, Việt Nam"}
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


def test_media_type_of_attachments_is_guessed(app: Flask) -> None:
    lines = (
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "UID:u",
        "SUMMARY:a",
        "DTSTART:20261205T120000Z",
    )
    more = ("ATTACH:https://a.example/b.pdf", "END:VEVENT", "END:VCALENDAR", "")
    import_file(app, "\r\n".join(lines + more).encode())
    assert (
        stored_entries(app, "events")["u"]["attachments"][0]["mime_type"]
        == "application/pdf"
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "CONFERENCE;VALUE=URI:https://live.example/",
            ("online", "https://live.example/"),
        ),
        (
            "LOCATION:Hall\nCONFERENCE;VALUE=URI:tel:+841\n"
            "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://live.example/?a=1",
            ("mixed", "https://live.example/?a=1"),
        ),
        ("CONFERENCE;VALUE=URI:tel:+841", ("in_person", None)),
    ],
)
def test_conference_is_an_online_event(
    import_events: ImportEvents, lines: str, expected: tuple[str, str | None]
) -> None:
    (event,), warnings = import_events(
        f"UID:1\nSUMMARY:x\nDTSTART:20270101T190000Z\n{lines}"
    )
    assert not warnings
    assert (event["attendance"], event.get("online_url")) == expected


def test_event_with_an_invalid_conference_is_imported_without_it(
    import_events: ImportEvents,
) -> None:
    url = "https://live.example:99999/"
    (event,), (warning,) = import_events(
        f"UID:1\nSUMMARY:x\nDTSTART:20270101T190000Z\nCONFERENCE;VALUE=URI:{url}"
    )
    assert event["attendance"] == "in_person"
    assert warning == "left out: online_url of “x”: Not a valid URL."


@pytest.mark.parametrize(
    ("summary", "status", "title", "event_status"),
    [
        ("SUMMARY:Hủy: Hội", "CANCELLED", "Hội", "cancelled"),
        ("SUMMARY:Đã gỡ: Hội", "CANCELLED", "Hội", "cancelled"),
        ("SUMMARY:Cancelled: Fair", "CANCELLED", "Fair", "cancelled"),
        ("SUMMARY:Hoãn: Hội", "TENTATIVE", "Hội", "postponed"),
        ("SUMMARY:Dự kiến: Hội", "TENTATIVE", "Hội", "tentative"),
        ("SUMMARY:Hủy: Hội", "CONFIRMED", "Hủy: Hội", "confirmed"),
        ("SUMMARY:Hội", "CANCELLED", "Hội", "cancelled"),
    ],
)
def test_status_is_read_from_our_titles(
    import_events: ImportEvents,
    summary: str,
    status: str,
    title: str,
    event_status: str,
) -> None:
    (event,), _ = import_events(
        f"UID:1\n{summary}\nSTATUS:{status}\nDTSTART:20270101T190000Z"
    )
    assert (event["title"], event["event_status"]) == (title, event_status)
