"""Feeds of one service, imported into another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import ApiClient, MakeApp
from tests.importers.helpers import import_file, stored_entries

ARTICLE: dict[str, Any] = {
    "title": "Cầu mới <b>thông xe</b> & hai làn",
    "content_html": '<p>Đoạn một &amp; hai.</p>\n<p><a href="https://portal.example/x">Xem</a></p>',
    "summary": "Một & hai < ba",
    "language": "en",
    "authors": [{"name": "Lan"}],
    "categories": ["giao-thong", "van-hoa"],
    "image": {
        "url": "https://media.example/c.jpg",
        "caption": "Cây cầu <mới> & sông",
        "credit": "Nam",
    },
    "attachments": [
        {
            "url": "https://media.example/a.mp3",
            "mime_type": "audio/mpeg",
            "size_in_bytes": 5,
        }
    ],
    "date_published": "2026-11-01T01:00:00Z",
}
EVENT: dict[str, Any] = {
    "title": "Hội & hè; xuân",
    "content_text": "Dòng một,\ndòng hai.\n\nĐoạn hai.",
    "language": "en",
    "categories": ["giao-thong", "van-hoa"],
    "date_published": "2026-11-01T01:00:00Z",
    "start": "2026-12-24T19:00:00+07:00",
    "end": "2026-12-24T21:30:00+07:00",
    "location": {"name": "Phố sách"},
    "organizer": {"name": "Sở Văn hoá", "email": "so@portal.example"},
}


@pytest.fixture
def second_app(make_app: MakeApp, tmp_path: Path) -> Flask:
    """Return an app with a database of its own."""
    return make_app(database_url=f"sqlite:///{tmp_path}/second.db")


def import_into(app: Flask, feed: bytes, kind: str) -> dict[str, Any]:
    """Import a feed with one entry, and return that entry."""
    result = import_file(app, feed, "--kind", kind)
    assert result.stderr == ""
    (entry,) = stored_entries(app, kind).values()
    return entry


@pytest.mark.parametrize("format", ["rss", "atom"])
@pytest.mark.parametrize("content", ["full", "summary"])
@pytest.mark.parametrize("removed", ["", "summary", "content_html", "image"])
def test_article_keeps_its_members(
    client: FlaskClient,
    editor: ApiClient,
    second_app: Flask,
    format: str,
    content: str,
    removed: str,
) -> None:
    article = {name: ARTICLE[name] for name in ARTICLE if name != removed}
    original = editor.put("/articles/a", article).get_json()
    feed = client.get(f"/feeds/news.{format}?content={content}").data
    imported = import_into(second_app, feed, "news")
    # The body of a feed begins with the picture.
    body = original.pop("content_html", "")
    imported_body = imported.pop("content_html", "")
    if content == "full":
        assert imported_body.endswith(body)
    if (format, content) == ("atom", "summary") and "image" in original:
        original["image"] = {"url": original["image"]["url"]}
    names = {*article, "summary", "guid"} - {"content_html"}
    assert {name: imported.get(name) for name in names} == {
        name: original.get(name) for name in names
    }


@pytest.mark.parametrize(
    "status", ["confirmed", "tentative", "postponed", "cancelled"]
)
def test_event_of_a_calendar_keeps_its_members(
    client: FlaskClient, editor: ApiClient, second_app: Flask, status: str
) -> None:
    event = EVENT | {"event_status": status}
    original = editor.put("/events/a", event).get_json()
    calendar = client.get("/feeds/events.ics?content=full").data
    imported = import_into(second_app, calendar, "events")
    facts = "\n\nOrganised by: Sở Văn hoá; so@portal.example"
    assert imported["content_text"] == original["content_text"] + facts
    assert imported["url"] == "https://feeds.example/entries/a"
    names = {*event, "guid"} - {"content_text"}
    assert {name: imported[name] for name in names} == {
        name: original[name] for name in names
    }


def test_event_of_a_calendar_of_summaries_has_its_summary(
    client: FlaskClient, editor: ApiClient, second_app: Flask
) -> None:
    event = {name: EVENT[name] for name in EVENT if name != "organizer"}
    original = editor.put("/events/a", event | {"summary": "Ngắn."}).get_json()
    calendar = client.get("/feeds/events.ics").data
    imported = import_into(second_app, calendar, "events")
    assert (
        imported["summary"] == imported["content_text"] == original["summary"]
    )


@pytest.mark.parametrize("format", ["rss", "atom"])
def test_event_of_a_feed_keeps_time_and_place(
    client: FlaskClient, editor: ApiClient, second_app: Flask, format: str
) -> None:
    original = editor.put("/events/a", EVENT).get_json()
    feed = client.get(f"/feeds/events.{format}").data
    imported = import_into(second_app, feed, "events")
    for name in ("guid", "title", "start", "end", "location"):
        assert imported[name] == original[name]


SERIES: dict[str, Any] = {
    "title": "Yoga",
    "start": "2026-12-05T19:00:00+07:00",
    "end": "2026-12-05T20:00:00+07:00",
    "date_published": "2026-11-01T01:00:00Z",
    "recurrence": {
        "rrule": "FREQ=WEEKLY;COUNT=9",
        "exdates": ["2026-12-12T19:00:00"],
        "rdates": ["2026-12-31T19:00:00"],
        "cancelled": [
            {"start": "2026-12-19T19:00:00"},
            {"start": "2026-12-26T19:00:00", "notice": "Bão"},
        ],
    },
}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_calendar_comes_back_as_it_was(
    client: FlaskClient, editor: ApiClient, second_app: Flask, language: str
) -> None:
    series = SERIES | {"language": language}
    posted = editor.put("/events/a", series).get_json()
    editor.put("/events/b", EVENT)
    calendar = client.get("/feeds/events.ics").data
    result = import_file(second_app, calendar)
    assert result.stderr == ""
    imported = stored_entries(second_app, "events")
    assert imported[posted["guid"]]["recurrence"] == posted["recurrence"]
    assert imported[posted["guid"]]["start"] == posted["start"]
    back = second_app.test_client().get("/feeds/events.ics").data
    # The text of a calendar repeats what has no property.
    lines, lines_back = (
        [
            line
            for line in data.decode().replace("\r\n ", "").splitlines()
            if not line.startswith("DESCRIPTION")
        ]
        for data in (calendar, back)
    )
    assert lines_back == lines
