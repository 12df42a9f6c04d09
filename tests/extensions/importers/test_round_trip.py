"""Feeds of one service, imported into another."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.models import EVENT_STATUSES
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.extensions.importers.helpers import import_file, stored_entries

ENTRIES: dict[str, dict[str, Any]] = read_tables("round_trip")
ARTICLE, EVENT, SERIES = ENTRIES.values()


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
    if content == "full":
        # The body of a feed begins with the picture.
        body = imported.get("content_html", "")
        assert body.endswith(original.get("content_html", ""))
    elif format == "atom" and removed != "image":
        original["image"] = {"url": original["image"]["url"]}
    for name in {*article, "summary", "guid"} - {"content_html"}:
        assert imported.get(name) == original.get(name)


@pytest.mark.parametrize("status", EVENT_STATUSES)
def test_event_of_a_calendar_keeps_its_members(
    client: FlaskClient, editor: ApiClient, second_app: Flask, status: str
) -> None:
    event = EVENT | {"event_status": status}
    moved = event | {"previous_start": "2026-12-10T19:00:00+07:00"}
    original = editor.put("/events/a", moved).get_json()
    calendar = client.get("/feeds/events.ics?content=full").data
    imported = import_into(second_app, calendar, "events")
    original["content_text"] += "\n\nOrganised by: Sở Văn hoá; so@portal.example"
    for name in (*event, "guid", "url"):
        assert imported[name] == original[name], (
            "feedsvc/formats/ics.py, feedsvc/extensions/importers/ics.py"
        )


def test_event_of_a_calendar_of_summaries_has_its_summary(
    client: FlaskClient, editor: ApiClient, second_app: Flask
) -> None:
    editor.put("/events/a", EVENT | {"summary": "Ngắn.", "organizer": None})
    calendar = client.get("/feeds/events.ics").data
    imported = import_into(second_app, calendar, "events")
    assert imported["summary"] == imported["content_text"] == "Ngắn."


@pytest.mark.parametrize("case", read_tables("occurrences")["cancelled"])
def test_cancelled_date_comes_back_in_each_form(
    client: FlaskClient, editor: ApiClient, second_app: Flask, case: dict[str, Any]
) -> None:
    original = editor.put("/events/e", {"title": "Hội", **case["event"]}).get_json()
    calendar = client.get("/feeds/events.ics").data
    imported = import_into(second_app, calendar, "events")
    assert imported["recurrence"] == {
        name: original["recurrence"].get(name, []) for name in imported["recurrence"]
    }
    # Calendars of 3.1 have overrides, as the file of an event has.
    again = import_file(second_app, client.get("/entries/e.ics").data)
    assert again.stdout.startswith("0 new, 0 changed, 1 unchanged")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_calendar_comes_back_as_it_was(
    client: FlaskClient, editor: ApiClient, second_app: Flask, language: str
) -> None:
    posted = editor.put("/events/a", SERIES | {"language": language})
    original = posted.get_json()
    editor.put("/events/b", EVENT)
    calendar = client.get("/feeds/events.ics").data
    assert import_file(second_app, calendar).stderr == ""
    imported = stored_entries(second_app, "events")[original["guid"]]
    for name in ("recurrence", "start"):
        assert imported[name] == original[name]
    back = second_app.test_client().get("/feeds/events.ics").data
    # The text of a calendar repeats what has no property.
    lines, lines_back = (
        re.sub("(?m)^DESCRIPTION.*", "", text.decode().replace("\r\n ", ""))
        for text in (calendar, back)
    )
    assert lines_back == lines
