"""Feeds with `from` and `to`: a series shows its first occurrence in these days."""

from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient

from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.web.feeds import calendar, get_page, items

pytestmark = pytest.mark.both_databases

WEEK = "from=2026-12-14&to=2026-12-20"
TABLES = read_tables("web")
EVENTS = TABLES["week"]


@pytest.fixture
def client_with_events(editor: ApiClient) -> FlaskClient:
    for id, members in EVENTS.items():
        editor.put(f"/events/{id}", {"title": id, **members})
    return editor.client


def items_of(client: FlaskClient, query: str) -> dict[str, Any]:
    """Return the items of the JSON Feed with a query by their ids, in its order."""
    found = items(client, f"/feeds/events.json?{query}")
    return {item["_entry"]["id"]: item for item in found}


def starts_of(client: FlaskClient, query: str) -> dict[str, str]:
    """Return the start of the shown occurrences by the ids of the events."""
    return {
        id: item["_event"]["occurrence"]["start"][:10]
        for id, item in items_of(client, query).items()
    }


IN_WEEK: dict[str, str] = TABLES["in_week"]
"""The starts that are shown, by the ids of the events, in this order."""

IN_WORDS = (
    "Thứ Hai hằng tuần đến 15/03/2027, trong đó có 19:00 – 21:00, thứ Hai 14/12/2026"
)


def test_series_shows_its_first_occurrence_in_the_window(
    client_with_events: FlaskClient, wait: Wait
) -> None:
    for days in (0, 21, 21):  # before, in and after the window
        wait(days=days)
        assert starts_of(client_with_events, WEEK) == IN_WEEK


def test_order_by_start_goes_by_the_window_and_so_do_pages(
    client_with_events: FlaskClient,
) -> None:
    query = f"{WEEK}&order=start"
    starts = starts_of(client_with_events, query)
    assert list(starts.values()) == sorted(IN_WEEK.values())
    pages: list[str] = []
    for number in (1, 2, 3):
        page = f"{query}&limit=2&page={number}"
        pages += items_of(client_with_events, page)
    assert pages == list(starts)


def test_order_of_past_series_goes_by_the_window(
    client_with_events: FlaskClient, wait: Wait
) -> None:
    wait(days=365)
    starts = starts_of(client_with_events, f"{WEEK}&order=start&when=past")
    past = {id: start for id, start in IN_WEEK.items() if id != "all-day"}
    assert starts == past
    assert list(starts.values()) == sorted(past.values(), reverse=True)


def test_every_format_shows_the_occurrence_in_the_window(
    client_with_events: FlaskClient,
) -> None:
    for format in ("rss", "atom"):
        path = f"/feeds/events.{format}?{WEEK}&date=start"
        entries = feedparser.parse(client_with_events.get(path).data).entries
        entry = next(entry for entry in entries if entry.title == "weekly")
        assert entry.ev_startdate == "2026-12-14T19:00:00+07:00"
        assert entry.published_parsed[:4] == (2026, 12, 14, 12)
        assert IN_WORDS in entry.summary
    item = items_of(client_with_events, WEEK)["weekly"]
    assert item["_event"]["start"] == "2026-11-30T19:00:00+07:00"
    assert item["summary"] == IN_WORDS
    assert IN_WORDS in item["content_html"]
    # The current or next one is called so.
    item = items_of(client_with_events, "from=2026-11-26")["weekly"]
    assert "buổi tới 19:00 – 21:00, thứ Hai 30/11/2026" in item["summary"]


def test_page_of_a_window_has_its_months_and_days(
    client_with_events: FlaskClient,
) -> None:
    path = "/feeds/events.html?from=2026-12-30&to=2027-01-09"
    page = get_page(client_with_events, path)
    assert [heading.text for heading in page.findall(".//h2[@class='month']")] == [
        "Đang diễn ra",
        "Tháng 12 năm 2026",
        "Tháng 1 năm 2027",
    ]
    days = [leaf.get("datetime") for leaf in page.findall(".//p[@class='when']/time")]
    assert days == ["2026-11-20", "2026-12-29", "2026-12-30", "2027-01-04"]


def test_calendar_of_a_window_has_the_whole_series(
    client_with_events: FlaskClient,
) -> None:
    events = calendar(client_with_events, f"/feeds/events.ics?{WEEK}").events
    starts = {str(event["SUMMARY"]): f"{event.start:%Y-%m-%d}" for event in events}
    assert starts == {id: EVENTS[id]["start"][:10] for id in IN_WEEK}


@pytest.mark.parametrize(("query", "heading", "days"), TABLES["headings"])
def test_heading_of_a_page_names_the_days(
    client: FlaskClient, query: str, heading: str, days: str
) -> None:
    page = get_page(client, f"/feeds/events.html?{query}")
    assert page.findtext(".//h1") == heading
    assert days in [each.text_content() for each in page.find_class("about")] + [""]


def test_heading_of_a_category_names_the_days(
    editor: ApiClient, client: FlaskClient
) -> None:
    page = get_page(client, "/feeds/events/van-hoa.html?from=2026-12-14")
    assert page.findtext(".//h1") == "Văn hoá"
    assert page.findtext(".//p[@class='about']") == "Từ 14/12/2026"
    title = page.findtext(".//title")
    assert title.startswith("Sự kiện – Văn hoá – từ 14/12/2026")


@pytest.mark.parametrize(
    ("days", "nearest"),
    [
        ("from=2027-01-05&to=2027-01-06", "2027-03-01"),
        ("from=2027-07-01&to=2027-07-02", "2026-11-27"),
        ("from=2026-10-05&to=2026-10-05", "2026-11-27"),
        ("period=today", "2026-11-27"),
    ],
)
def test_empty_days_lead_to_the_next_event(
    editor: ApiClient, client: FlaskClient, days: str, nearest: str
) -> None:
    for day in ("2026-11-27", "2027-03-01"):
        editor.put(f"/events/{day}", {"title": day, "start": day})
    page = get_page(client, f"/feeds/events.html?{days}")
    assert [each.text_content() for each in page.iter("h3")] == [nearest]
