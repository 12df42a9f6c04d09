"""Searches that are bounded: pages of the API, and windows of events."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from feedsvc.storage import feed_entries
from feedsvc.storage.feed_entries import MAX_FIRST
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=rare", ["9", "1"]),
        ("category=van-hoa", ["9", "1"]),
        ("status=draft", ["9", "1"]),
        ("limit=3", [str(number) for number in reversed(range(12))]),
    ],
)
def test_pages_of_a_bounded_search_lead_to_every_entry(
    editor: ApiClient, monkeypatch: pytest.MonkeyPatch, query: str, expected: list[str]
) -> None:
    monkeypatch.setattr("feedsvc.storage.entry_reader.MAX_SEARCHED", 4)
    for number in range(12):
        rare = number in (1, 9)
        document = {
            "title": "Rare" if rare else "x",
            "categories": ["van-hoa"] if rare else [],
        }
        editor.put(
            f"/articles/{number}",
            {**document, "status": "draft" if rare else "published"},
        )
        editor.put(f"/events/e{number}", {"title": "x", "start": "2027-01-01"})
    ids: list[str] = []
    cursor = ""
    for _ in range(20):
        page = editor.send("GET", f"/articles?{query}{cursor}").get_json()
        ids += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert ids == expected


def test_window_examines_the_events_that_start_last(
    editor: ApiClient,
    client: FlaskClient,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feedsvc.storage.feed_entries.MAX_IN_WINDOW", 3)
    for day in range(1, 10):
        clock.forward(seconds=1)
        editor.put(f"/events/{day}", {"title": "x", "start": f"2027-01-0{day}"})
    editor.put(
        "/events/daily",
        {"title": "x", "start": "2026-12-20", "recurrence": {"rrule": "FREQ=DAILY"}},
    )
    clock.forward(seconds=5)

    def ids(query: str) -> set[str]:
        items = client.get(f"/feeds/events.json?{query}").get_json(force=True)["items"]
        return {item["_entry"]["id"] for item in items}

    assert ids("from=2027-01-02&to=2027-01-03") == {"2", "3", "daily"}
    assert ids("from=2027-01-01&to=2027-01-09") == {"7", "8", "9", "daily"}
    assert ids("from=2027-02-01&to=2027-02-02") == {"daily"}
    assert ids("from=2027-01-09") == {"9", "daily"}
    assert ids("to=2027-01-01") == {"1", "daily"}


@pytest.mark.parametrize("first", [MAX_FIRST, 1], ids=["first", "index"])
def test_feeds_list_the_matches_of_a_search(
    editor: ApiClient,
    client: FlaskClient,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    first: int,
) -> None:
    # The matches are among the first entries, or are read from the index.
    monkeypatch.setattr(feed_entries, "MAX_FIRST", first)
    for id, language, start, categories in (
        ("1", "vi", "2026-12-09", ["giao-thong"]),
        ("2", "en", "2026-12-03", ["giao-thong", "van-hoa"]),
        ("3", "vi", "2026-12-06", ["van-hoa"]),
        ("4", "vi", "2026-11-01", []),
    ):
        clock.forward(seconds=2)
        event = {
            "title": "Cầu",
            "language": language,
            "start": start,
            "categories": categories,
        }
        editor.put(f"/events/{id}", event)
    editor.put("/events/other", {"title": "Hội", "start": "2026-12-03"})
    clock.forward(seconds=2)
    for path, expected in (
        (".json?q=cau", "321"),
        (".json?limit=2&q=cau", "32"),
        (".json?limit=2&order=start&q=cau", "23"),
        (".json?q=cau&when=past", "4"),
        (".json?q=cau&from=2026-12-05&to=2026-12-07", "3"),
        ("/giao-thong.json?q=cau", "21"),
        ("/giao-thong,van-hoa.json?q=cau", "321"),
        ("/giao-thong+van-hoa.json?q=cau", "2"),
        ("/-giao-thong.json?q=cau", "3"),
        (".json?lang=en&q=cau", "2"),
        (".json?lang=vi&q=cau", "31"),
        (".json?lang=fr&q=cau", ""),
    ):
        items = client.get(f"/feeds/events{path}").get_json(force=True)["items"]
        assert "".join(item["_entry"]["id"] for item in items) == expected, path
