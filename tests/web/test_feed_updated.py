"""The update time of feeds: the latest change that they show; others leave their bytes."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient
from icalendar import Calendar

from feedsvc.services import get_services
from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock

HOUR = timedelta(hours=1)
FORMATS = ("rss", "atom", "json")


@pytest.fixture
def seeded_editor(editor: ApiClient, clock: Clock) -> ApiClient:
    """Store six articles in three categories, the oldest one of 2025."""
    editor.put("/categories/y-te", {"title": "Y tế", "description": "Sức khoẻ"})
    editor.put(
        "/articles/old", {"title": "Cũ", "date_published": "2025-03-04T08:00:00"}
    )
    for number, slugs in enumerate(
        [["giao-thong"], ["van-hoa"], ["giao-thong", "van-hoa"], ["y-te"], []]
    ):
        clock.forward(minutes=1)
        editor.put(
            f"/articles/{number}", {"title": f"Tin {number}", "categories": slugs}
        )
    clock.forward(hours=1)
    return editor


@pytest.fixture
def changed(
    seeded_editor: ApiClient, client: FlaskClient, clock: Clock
) -> Callable[..., tuple[set[str], set[str]]]:
    """Return a function that sends a request and compares feeds before and after it.

    It returns the paths with other bytes, and those with another Last-Modified.
    """

    def run(
        paths: list[str], method: str, path: str, document: object = None
    ) -> tuple[set[str], set[str]]:
        before = {path: client.get(path) for path in paths}
        assert seeded_editor.send(method, path, document).status_code < 300
        clock.forward(hours=1)
        after = {path: client.get(path) for path in paths}
        for path in paths:
            same = before[path].data == after[path].data
            assert same == (before[path].headers["ETag"] == after[path].headers["ETag"])
        bytes_changed = {
            path for path in paths if before[path].data != after[path].data
        }
        dates = {
            path
            for path in paths
            if before[path].last_modified != after[path].last_modified
        }
        return bytes_changed, dates

    return run


def test_edit_that_a_feed_does_not_show_leaves_its_bytes(
    changed: Callable[..., tuple[set[str], set[str]]],
) -> None:
    whole = [f"/feeds/news.{format}" for format in FORMATS]
    partial = [
        f"/feeds/news.{format}?{query}"
        for format in FORMATS
        for query in ("limit=5", "lang=en")
    ]
    bytes_changed, dates = changed(
        [*whole, *partial], "PATCH", "/articles/old", {"title": "Cũ, sửa"}
    )
    assert bytes_changed == set(whole)
    assert dates == {*whole, *partial}, "the version moves all the same"


def test_description_changes_only_feeds_that_name_the_category(
    changed: Callable[..., tuple[set[str], set[str]]],
) -> None:
    named = [
        "/feeds/news/y-te.rss",
        "/feeds/events/y-te.ics",
        "/feeds/news/van-hoa,y-te.atom",
    ]
    named.append("/feeds/news/-y-te.rss")
    others = [f"/feeds/news.{format}" for format in FORMATS]
    others += [
        "/feeds/events.ics",
        "/feeds/news/giao-thong.rss",
        "/feeds/news.atom?archive=2026-11",
    ]
    description = {"description": "Khác"}
    bytes_changed, dates = changed(
        [*named, *others], "PATCH", "/categories/y-te", description
    )
    assert bytes_changed == dates == set(named)


def test_category_title_changes_feeds_that_show_it(
    changed: Callable[..., tuple[set[str], set[str]]],
) -> None:
    labelled = [
        "/feeds/news.rss",
        "/feeds/news/giao-thong.json",
        "/feeds/news/van-hoa.atom",
    ]
    others = ["/feeds/news/y-te.rss", "/feeds/events.rss", "/feeds/news.rss?limit=1"]
    title = {"title": "Văn hoá – Thể thao"}
    bytes_changed, dates = changed(
        [*labelled, *others], "PATCH", "/categories/van-hoa", title
    )
    assert bytes_changed == set(labelled)
    assert dates == {*labelled, "/feeds/news.rss?limit=1"}


def dates_of(client: FlaskClient, path: str = "/feeds/news") -> set[datetime]:
    """Return the dates that the formats of a feed state."""
    dates = set()
    for format in ("rss", "atom"):
        parsed = feedparser.parse(
            client.get(f"{path}.{format}").data
        ).feed.updated_parsed
        dates.add(datetime.fromtimestamp(timegm(parsed), UTC))
    text = client.get(f"{path}.json").get_json(force=True)["_feed"]["date_modified"]
    return {*dates, datetime.fromisoformat(text).astimezone(UTC)}


@pytest.mark.both_databases
def test_feed_is_updated_by_the_latest_change_that_it_shows(
    seeded_editor: ApiClient, client: FlaskClient, clock: Clock, storage: Storage
) -> None:
    scheduled = {"title": "Sau", "date_published": (clock.now + HOUR).isoformat()}
    before = dates_of(client)
    seeded_editor.put("/articles/later", scheduled)
    seeded_editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    assert dates_of(client) == before, "what nobody sees is no change"
    clock.forward(hours=1, seconds=1)
    storage.apply_scheduled_changes()
    assert dates_of(client) == {clock.now}, "an entry has appeared"
    clock.forward(hours=1)
    seeded_editor.send("DELETE", "/articles/4")
    assert dates_of(client) == {clock.now}, "an entry has left, in every format"
    clock.forward(hours=1)
    seeded_editor.put("/articles/0", {"title": "Tin 0", "categories": ["van-hoa"]})
    assert dates_of(client) == dates_of(client, "/feeds/news/van-hoa") == {clock.now}


def test_dates_of_empty_feeds_do_not_come_from_the_clock(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    created_at = clock.now
    editor.put("/categories/y-te", {"title": "Y tế"})
    clock.forward(hours=1)
    editor.put("/articles/a", {"title": "A"})
    for _ in range(2):
        clock.forward(hours=1)
        assert dates_of(client, "/feeds/news/y-te") == {created_at}
        assert dates_of(client, "/feeds/events") == {datetime(2000, 1, 1, tzinfo=UTC)}


@pytest.mark.both_databases
def test_calendar_is_updated_by_changes_that_other_formats_show(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    def modified() -> datetime:
        calendar: Any = Calendar.from_ical(client.get("/feeds/events.ics").data)
        moment: datetime = calendar["LAST-MODIFIED"].dt
        return moment

    for id in ("a", "b", "c"):
        editor.put(f"/events/{id}", {"title": id, "start": "2026-12-24T19:00:00"})
        clock.forward(hours=1)
    for document in ({"status": "draft"}, None):
        clock.forward(hours=1)
        editor.send(
            "PATCH" if document else "DELETE",
            "/events/a" if document else "/events/b",
            document,
        )
        assert modified() == clock.now
        clock.forward(hours=1)
        assert modified() == clock.now - HOUR


def test_dates_are_whole_seconds_in_every_format(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.forward(microseconds=123_456)
    for title in ("Một", "Hai"):
        editor.put("/articles/a", {"title": title})
        event = {
            "title": title,
            "start": "2026-12-24T19:00:00.5",
            "end": "2026-12-24T20:00:00.25",
        }
        editor.put("/events/e", event)
    editor.put("/articles/gone", {"title": "Xoá"})
    assert editor.send("DELETE", "/articles/gone").status_code == 204
    for kind in ("news", "events"):
        for format in ("rss", "atom", "json", "html"):
            text = client.get(f"/feeds/{kind}.{format}").text
            assert "00:00." not in text, format
    for path in ("/entries/a", "/entries/e"):
        assert "00:00." not in client.get(path).text


@pytest.mark.parametrize("offset", [timedelta(), timedelta(seconds=0.2)])
def test_lifetimes_end_where_a_scheduled_entry_appears(
    editor: ApiClient, client: FlaskClient, clock: Clock, offset: timedelta
) -> None:
    clock.now += offset
    date = clock.now + timedelta(seconds=45) - offset
    editor.put("/articles/later", {"title": "Sau", "date_published": date.isoformat()})
    for seconds in (0, 20, 24):
        clock.forward(seconds=seconds)
        control = client.get("/feeds/news.atom").headers["Cache-Control"]
        left = -(-(date - clock.now) // timedelta(seconds=1))
        ages = f"max-age={left}, s-maxage={left}"
        assert control == f"public, {ages}, stale-if-error=86400"
    assert get_services(client.application).config.max_age == 60
