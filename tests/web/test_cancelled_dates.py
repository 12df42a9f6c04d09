"""Dates of a series that were announced and do not take place, in every format."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from feedsvc.formats import ics
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.web.feeds import as_text, calendar, get_page, items, occurrences
from tests.web.test_calendar import PARIS, document

OFF = {"start": "2026-12-12T19:00:00", "notice": "Bão"}
YOGA: dict[str, Any] = read_tables("web")["yoga"]
GOOGLE = "//div[@class='actions']/a[.='Google Calendar']"
FEED = "/feeds/events.json"
PAGE = "/entries/yoga"
WEEKLY = "Thứ Bảy hằng tuần đến 26/12/2026"


def yoga(*cancelled: Any, **changes: Any) -> dict[str, Any]:
    recurrence = {**YOGA["recurrence"], "cancelled": list(cancelled)}
    return {**YOGA, "recurrence": recurrence, **changes}


def tiles(page: Any) -> list[tuple[str, str]]:
    """Return the class and the text of the day of each event of a page."""
    return [
        (leaf.get("class"), " ".join(leaf.text_content().split()))
        for leaf in page.find_class("leaf")
    ]


@pytest.fixture
def client(editor: ApiClient) -> FlaskClient:
    """Return a client of a portal with a series of which one date is off."""
    editor.put("/events/yoga", YOGA)
    return editor.client


@pytest.mark.both_databases
def test_feeds_say_so_while_the_date_is_the_next(
    client: FlaskClient, wait: Wait
) -> None:
    (before,) = items(client, FEED)
    wait(days=12)
    (off,) = items(client, FEED)
    (hidden,) = items(client, f"{FEED}?cancelled=hide")
    wait(days=7)
    (after,) = items(client, FEED)
    assert before["title"] == after["title"] == "Yoga"
    assert off["title"] == hidden["title"] == "Hủy 12/12: Yoga"
    assert off["date_modified"] == before["date_modified"]
    assert off["summary"] == (
        f"Lý do: Bão. {WEEKLY}, buổi tới 19:00 – 20:00, thứ Bảy 19/12/2026 · "
        "Nhà văn hoá. Mang thảm."
    )
    ahead = "<strong>Buổi bị hủy: thứ Bảy 12/12/2026 – Bão</strong>"
    assert ahead in before["content_html"]
    assert ahead in off["content_html"]
    assert "hủy" not in after["content_html"]
    assert off["_event"]["occurrence"] == {
        "start": "2026-12-12T19:00:00+07:00",
        "end": "2026-12-12T20:00:00+07:00",
        "status": "cancelled",
        "notice": "Bão",
    }
    assert "status" not in before["_event"]["occurrence"]
    assert off["_event"]["event_status"] == "confirmed"
    assert off["_event"]["recurrence"]["cancelled"] == [OFF]
    # Reasons are not searched.
    assert items(client, f"{FEED}?q=yoga") == [after]
    assert items(client, f"{FEED}?q=bão") == []


def test_pages_say_so_while_the_date_is_the_next(
    client: FlaskClient, wait: Wait
) -> None:
    def texts(path: str) -> list[str]:
        found = get_page(client, "/feeds/events.html").xpath(path)
        return ["".join(each.itertext()).strip() for each in found]

    def google() -> dict[str, list[str]]:
        (link,) = get_page(client, PAGE).xpath(f"{GOOGLE}/@href")
        return parse_qs(urlsplit(link).query)

    assert texts("//*[@class='badge cancelled date']") == []
    assert (
        '"eventStatus": "https://schema.org/EventScheduled"'
        in client.get("/entries/yoga").text
    )
    wait(days=12)
    assert texts("//*[@class='badge cancelled date']") == ["Hủy 12/12"]
    assert texts("//*[@class='notice cancelled']") == ["Lý do: Bão"]
    assert texts("//*[@class='when']") == [
        # For screen readers the day, which others see as a leaf of a calendar.
        "thứ Bảy 12/12/2026: 19:00 – 20:00 · Nhà văn hoá · "
        "thứ Bảy hằng tuần, buổi tới 19/12"
    ]
    # The series is not struck out.
    assert texts("//s") == []
    entry = get_page(client, PAGE)
    assert entry.xpath("string(//*[@class='alert cancelled'])") == "Hủy 12/12"
    assert "Thêm vào lịch" in entry.text_content()
    # The tile of its page is the next date that takes place, those of lists are not.
    assert tiles(entry) == [("leaf", "Thứ Bảy 19 Tháng 12")]
    assert entry.findtext(".//title").startswith("Hủy 12/12: Yoga – ")
    data = entry.xpath("string(//script[@type='application/ld+json'])")
    assert '"startDate": "2026-12-12T19:00:00+07:00"' in data
    assert '"eventStatus": "https://schema.org/EventCancelled"' in data
    # The link adds the next date that takes place.
    assert google()["text"] == ["Yoga"]
    assert google()["dates"] == ["20261219T120000Z/20261219T130000Z"]


def test_last_dates_that_are_off(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    """Nothing follows while one of them is the next; then the series is over."""
    last = ["2026-12-19T19:00:00", "2026-12-26T19:00:00"]
    editor.put("/events/yoga", yoga(*last))
    wait(days=19)
    (item,) = items(client, FEED)
    assert item["title"] == "Hủy 19/12: Yoga"
    assert item["summary"].startswith(f"{WEEKLY} · Nhà văn hoá")
    page = get_page(client, PAGE)
    assert page.xpath(GOOGLE) == []
    assert tiles(page) == [("leaf off", "Thứ Bảy 19 Tháng 12")]
    wait(days=60)
    assert items(client, FEED) == []
    (item,) = items(client, f"{FEED}?when=past")
    assert item["title"] == "Yoga"
    assert item["_event"]["occurrence"]["start"].startswith("2026-12-12")
    # None is ahead; calendars have them still.
    assert "hủy" not in item["content_html"]
    assert "hủy" not in get_page(client, PAGE).text_content()
    assert len(calendar(client).events) == 3


@pytest.mark.both_databases
def test_window_shows_its_first_date_as_cancelled(client: FlaskClient) -> None:
    """Also in the order by start, beside an event of the day after."""
    editor_dates = {"2026-12-12": "Hủy 12/12: Yoga", "2026-12-13": "Yoga"}
    for day, title in editor_dates.items():
        (item,) = items(client, f"{FEED}?from={day}&order=start")
        assert item["title"] == title
    (item,) = items(client, f"{FEED}?from=2026-12-12&to=2026-12-12")
    assert f"{WEEKLY}, buổi tới 19:00 – 20:00, thứ Bảy 19/12/2026" in item["summary"]
    # Without a first day it is the next one.
    (item,) = items(client, f"{FEED}?to=2026-12-12")
    assert item["title"] == "Yoga"


OFF_ROW = ("leaf off", "Thứ Bảy 12 Tháng 12")
WINDOWS = [
    ("/feeds/events.html?period=today", 12),
    ("/feeds/events.html?period=weekend", 12),
    ("/feeds/events.html?period=2026-12-12", 0),
    ("/feeds/events.html?period=30", 12),
    ("/feeds/events.html?from=2026-12-12&to=2026-12-12", 0),
    ("/feeds/events.html?from=2026-12-06&to=2026-12-31&order=start", 0),
    ("/feeds/events.html?from=2026-12-12&content=full", 0),
    ("/feeds/events.html?from=2026-12-12&to=2026-12-14&when=past", 60),
    ("/feeds/events.html?from=2026-12-12&q=yoga", 0),
    ("/feeds/events.html?q=yoga", 12),
    ("/feeds/events/van-hoa.html", 12),
    ("/feeds/events.html", 12),
    ("/", 12),
]


@pytest.mark.parametrize(("path", "days"), WINDOWS, ids=str)
def test_row_of_a_list_shows_the_cancelled_date_that_it_is_about(
    client: FlaskClient, wait: Wait, path: str, days: int
) -> None:
    wait(days=days)
    page = get_page(client, path)
    assert tiles(page) == [OFF_ROW]
    assert page.xpath("string(//*[@class='badge cancelled date'])") == "Hủy 12/12"


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("/feeds/events.html?from=2026-12-05", "Thứ Bảy 5 Tháng 12"),
        ("/feeds/events.html?from=2026-12-13", "Thứ Bảy 19 Tháng 12"),
        ("/feeds/events.html?to=2026-12-12", "Thứ Bảy 5 Tháng 12"),
    ],
)
def test_row_about_another_date_is_not_cancelled(
    client: FlaskClient, path: str, tile: str
) -> None:
    page = get_page(client, path)
    assert tiles(page) == [("leaf", tile)]
    assert page.find_class("badge") == []


def test_rows_are_sorted_by_their_days_below_the_month(
    editor: ApiClient, wait: Wait
) -> None:
    """The next date that takes place is in another month."""
    for day in (30, 31):
        editor.put(f"/events/{day}", {"title": "x", "start": f"2026-12-{day}"})
    rule = {"rrule": "FREQ=WEEKLY;COUNT=3", "cancelled": ["2026-12-31T09:00:00"]}
    market = {"title": "Chợ", "start": "2026-12-24T09:00:00", "recurrence": rule}
    editor.put("/events/market", market)
    wait(days=30)
    rows = [
        ("leaf", "Thứ Tư 30 Tháng 12"),
        ("leaf", "Thứ Năm 31 Tháng 12"),
        ("leaf off", "Thứ Năm 31 Tháng 12"),
    ]
    for path in ("?period=30", "?order=start", "?from=2026-12-29&to=2027-01-31"):
        page = get_page(editor.client, f"/feeds/events.html{path}")
        months = page.xpath("//h2[@class='month']/text()")
        assert months == ["Tháng 12 năm 2026"]
        assert tiles(page) == rows


def test_moved_date_stands_on_its_new_day(
    editor: ApiClient, client: FlaskClient
) -> None:
    """A date is moved by leaving it out of the series, and adding the other."""
    dates = {"exdates": ["2026-12-12T19:00:00"], "rdates": ["2026-12-13T18:00:00"]}
    rule = {**YOGA["recurrence"], "cancelled": [], **dates}
    editor.put("/events/yoga", {**YOGA, "recurrence": rule})
    page = get_page(client, "/feeds/events.html?from=2026-12-12&to=2026-12-14")
    assert tiles(page) == [("leaf", "Chủ Nhật 13 Tháng 12")]
    assert page.xpath("string(//*[@class='when']/strong)") == "18:00 – 19:00"


def test_row_has_the_hours_of_its_date(editor: ApiClient, client: FlaskClient) -> None:
    """The next date that takes place has others."""
    recurrence = {**YOGA["recurrence"], "rdates": ["2026-12-13T09:00:00"]}
    editor.put("/events/yoga", {**YOGA, "recurrence": recurrence})
    page = get_page(client, "/feeds/events.html?period=2026-12-12")
    (row,) = page.find_class("when")
    assert row.findtext("strong") == "19:00 – 20:00"
    assert row.text_content().strip().endswith(", buổi tới 13/12")


def test_ten_dates_are_listed_with_a_count_of_the_rest(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    starts = [f"2026-12-{day:02}T19:00:00" for day in range(6, 19)]
    recurrence = {"rrule": "FREQ=DAILY", "cancelled": starts[::-1]}
    editor.put("/events/yoga", {**YOGA, "recurrence": recurrence})

    def dates() -> list[str]:
        path = "//dt[.='Buổi bị hủy']/following-sibling::dd/text()"
        return [str(text) for text in get_page(client, PAGE).xpath(path)]

    assert dates()[0] == "Chủ Nhật 06/12/2026"
    assert dates()[9:11] == ["thứ Ba 15/12/2026", "và 3 buổi khác"]
    wait(days=14)
    assert dates()[0] == "thứ Tư 09/12/2026"
    assert dates()[9] == "thứ Sáu 18/12/2026"
    (item,) = items(client, FEED)
    (series, *_) = calendar(client).events
    for text in (item["content_html"], series["DESCRIPTION"]):
        assert "thứ Sáu 18/12/2026" in text


def lines(client: FlaskClient, path: str) -> list[list[str]]:
    """Return the lines of each event of a calendar, in its order."""
    text = client.get(path).text.replace("\r\n ", "")
    return [
        part.partition("\r\nEND:VEVENT")[0].split("\r\n")
        for part in text.split("BEGIN:VEVENT\r\n")[1:]
    ]


ZONE = ";TZID=Asia/Ho_Chi_Minh:"


@pytest.mark.parametrize(
    ("path", "identity", "exdates"),
    [
        (
            "/feeds/events.ics?content=full",
            ["UID:{uid}-20261212T190000", "SEQUENCE:1", "RELATED-TO:{uid}"],
            [f"EXDATE{ZONE}20261219T190000,20261212T190000"],
        ),
        (
            "/entries/yoga.ics",
            ["UID:{uid}", "SEQUENCE:1", f"RECURRENCE-ID{ZONE}20261212T190000"],
            [],
        ),
    ],
)
def test_calendar_has_an_event_for_the_date(
    editor: ApiClient,
    client: FlaskClient,
    path: str,
    identity: list[str],
    exdates: list[str],
) -> None:
    dates = [{"start": "2026-12-19T19:00:00"}, OFF]
    stored = editor.put("/events/yoga", yoga(*dates)).get_json()
    series, event, other = lines(client, path)
    uid = stored["guid"].removeprefix("urn:uuid:")
    assert event == [
        "SUMMARY:Hủy: Yoga",
        f"DTSTART{ZONE}20261212T190000",
        f"DTEND{ZONE}20261212T200000",
        "DTSTAMP:20261125T030000Z",
        *[line.format(uid=uid) for line in identity],
        "CREATED:20261125T030000Z",
        "DESCRIPTION:Lý do: Bão\\n\\nhttps://feeds.example/entries/yoga",
        "LAST-MODIFIED:20261125T030000Z",
        "LOCATION:Nhà văn hoá",
        "TRANSP:TRANSPARENT",
        "URL:https://feeds.example/entries/yoga",
    ]
    assert f"DTSTART{ZONE}20261219T190000" in other
    assert {"SUMMARY:Yoga", "STATUS:CONFIRMED", "SEQUENCE:1"} <= set(series)
    assert [line for line in series if line.startswith("EXDATE")] == exdates


@pytest.mark.parametrize("case", read_tables("occurrences")["cancelled"])
def test_another_library_reads_each_date_once(
    shared_editor: ApiClient, case: dict[str, Any]
) -> None:
    shared_editor.put("/events/e", {"title": "Hội", **case["event"]})
    expected = case["expected"]

    def dates(path: str) -> list[str]:
        found = occurrences(shared_editor.client, path, len(expected))
        return [f"{as_text(each.start)} {each['SUMMARY']}" for each in found]

    assert dates("/entries/e.ics") == dates("/feeds/events.ics") == expected
    uids = [str(each["UID"]) for each in calendar(shared_editor.client).events]
    assert uids[1:] == [f"{uids[0]}-{case['value']}"]
    taking_place = [date for date in expected if "Hủy" not in date]
    hidden = dates("/feeds/events.ics?cancelled=hide")
    assert hidden[: len(taking_place)] == taking_place


def test_feed_shows_a_date_at_a_skipped_time_as_cancelled(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    event = document(
        "2027-03-27T02:30:00",
        timezone=PARIS,
        rule="FREQ=DAILY;COUNT=3",
        cancelled=["2027-03-28T02:30:00"],
    )
    editor.put("/events/yoga", event)
    wait(days=122)
    (item,) = items(client, FEED)
    assert item["title"] == "Hủy 28/03: Hội"
    assert item["_event"]["occurrence"]["start"] == "2027-03-28T03:30:00+02:00"


@pytest.mark.parametrize(
    "change", [{"event_status": "cancelled"}, {"status": "withdrawn"}], ids=str
)
def test_cancelled_or_withdrawn_series_has_no_cancelled_dates(
    editor: ApiClient, client: FlaskClient, wait: Wait, change: dict[str, Any]
) -> None:
    editor.put("/events/yoga", YOGA | change)
    wait(days=12)
    (series,) = lines(client, "/feeds/events.ics")
    assert "STATUS:CANCELLED" in series
    assert "EXDATE" not in "\n".join(series)
    (item,) = items(client, FEED)
    assert item["title"] in ("Hủy: Yoga", "Đã gỡ: Yoga")
    assert "status" not in item["_event"]["occurrence"]
    if "status" in change:
        for path in (FEED, "/feeds/events.rss", "/api/v1/changes"):
            assert "Bão" not in client.get(path).text
        stored = editor.send("GET", "/events/yoga").get_json()
        assert stored["recurrence"]["cancelled"] == [OFF]


def test_calendar_has_a_series_with_all_its_cancelled_dates_or_none(
    editor: ApiClient, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the series with which a calendar ends by its size or a limit."""
    for id in ("a", "b"):
        editor.put(f"/events/{id}", YOGA)
    whole = client.get("/feeds/events.ics")
    assert whole.text.count("BEGIN:VEVENT") == 6
    assert len(calendar(client, "/feeds/events.ics?limit=2").events) == 4
    monkeypatch.setattr(ics, "MAX_BYTES", len(whole.data) - 1)
    assert len(calendar(client, "/feeds/events.ics?limit=5").events) == 4


def test_longest_cancelled_dates_leave_room_in_a_calendar(
    editor: ApiClient, client: FlaskClient
) -> None:
    days = [f"2027-{1 + n // 28:02}-{1 + n % 28:02}" for n in range(98)]
    off = [{"start": f"{day}T18:00", "notice": "ế" * 500} for day in days]
    place = {"name": "ế" * 500, "address": "ế" * 1000}
    recurrence = {"rrule": "FREQ=DAILY", "cancelled": off}
    long = {"start": "2026-12-01T18:00", "recurrence": recurrence}
    editor.put("/events/long", {"title": "Dài", "location": place, **long})
    events = calendar(client, "/feeds/events.ics").events
    assert len(events) == 3  # Yoga, its cancelled date, and this one
    (long_event,) = (each for each in events if each["SUMMARY"] == "Dài")
    assert len(long_event["EXDATE"].dts) == 98
    assert len(calendar(client, "/entries/long.ics").events) == 1


def test_correction_stands_beside_the_reason(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    editor.put("/events/yoga", YOGA | {"notice": "Phòng 2."})
    wait(days=12)
    (item,) = items(client, FEED)
    assert item["summary"].startswith("Lý do: Bão. Đính chính: Phòng 2. Thứ Bảy")
