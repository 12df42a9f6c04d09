"""JSON Feed: every member of a feed and an item."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from feedsvc.formats import render_feed
from feedsvc.models import Attachment, Entry, Recurrence
from tests.formats.feeds import BARE, CONCERT, FAIR, FULL, SITE, feed

HIDDEN = {"content_text", "translation_key", "expires"}


def read_entries(document: bytes) -> tuple[int, list[str]]:
    items = json.loads(document)["items"]
    return len(items), [item.get("content_html", "") for item in items]


def parsed(kind: str, *entries: Entry, **parameters: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        render_feed(feed(kind, "json", *entries, **parameters))
    )
    return document


@pytest.mark.parametrize(("duration", "shown"), [(61.5, "62"), (728.0, "728")])
def test_durations_are_whole_seconds(duration: float, shown: str) -> None:
    file = Attachment(
        "https://media.example/a.mp3", "audio/mpeg", duration=duration
    )
    document = render_feed(
        feed("news", "json", replace(BARE, attachments=(file,)))
    ).decode()
    (item,) = json.loads(document, parse_int=str)["items"]
    assert item["attachments"][0]["duration_in_seconds"] == shown


def test_event_has_the_occurrence_that_other_formats_show() -> None:
    assert CONCERT.event
    weekly = replace(CONCERT.event, recurrence=Recurrence("FREQ=WEEKLY"))
    next_start = datetime(2026, 12, 31, 12, tzinfo=UTC)
    series = replace(CONCERT, event=weekly, starts=next_start)
    single, next_one, fair = (
        item["_event"]
        for item in parsed("events", CONCERT, series, FAIR)["items"]
    )
    first = {
        "start": "2026-12-24T19:00:00+07:00",
        "end": "2026-12-24T21:30:00+07:00",
    }
    assert single["occurrence"] == first
    assert next_one.items() >= first.items()
    assert next_one["occurrence"] == {
        "start": "2026-12-31T19:00:00+07:00",
        "end": "2026-12-31T21:30:00+07:00",
    }
    assert fair["occurrence"] == {"start": "2026-12-05", "end": "2026-12-08"}
    rss = render_feed(feed("events", "rss", series)).decode()
    assert next_one["occurrence"]["start"] in rss


def test_feed_without_rights_has_no_member_for_them() -> None:
    site = replace(SITE, rights="")
    assert parsed("news")["_feed"]["rights"] == SITE.rights
    assert parsed("news", site=site)["_feed"].keys() == {
        "about",
        "date_modified",
    }


def test_summary_feed_has_no_content_html() -> None:
    (item,) = parsed("news", FULL, content="summary")["items"]
    assert "content_html" not in item
    assert item["content_text"] == item["summary"] == "Một & hai < ba"
