"""JSON Feed: every member of a feed and an item."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from feedsvc.formats import render_feed
from feedsvc.models import Attachment, Entry
from tests.formats.feeds import BARE, FULL, feed

HIDDEN = {"content_text", "translation_key"}


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
    file = Attachment("https://media.example/a.mp3", "audio/mpeg", duration=duration)
    document = render_feed(
        feed("news", "json", replace(BARE, attachments=(file,)))
    ).decode()
    (item,) = json.loads(document, parse_int=str)["items"]
    assert item["attachments"][0]["duration_in_seconds"] == shown


def test_summary_feed_has_no_content_html() -> None:
    (item,) = parsed("news", FULL, content="summary")["items"]
    assert "content_html" not in item
    assert item["content_text"] == item["summary"] == "Một & hai < ba"


@pytest.mark.parametrize(
    ("duration", "shown", "exact"),
    [(61.5, "62", [61.5]), (0.25, "0", [0.25]), (728.0, "728", [])],
)
def test_durations_are_rounded_and_exact_in_the_extension(
    duration: float, shown: str, exact: list[float]
) -> None:
    file = Attachment("https://media.example/a.mp3", "audio/mpeg", duration=duration)
    document = render_feed(feed("news", "json", replace(BARE, attachments=(file,))))
    (item,) = json.loads(document, parse_int=str)["items"]
    assert item["attachments"][0]["duration_in_seconds"] == shown
    files = item["_entry"].get("attachments", [])
    assert [each["duration_in_seconds"] for each in files] == exact
