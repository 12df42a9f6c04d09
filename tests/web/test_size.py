"""Feeds are bounded in bytes, and few large ones are rendered at once."""

from __future__ import annotations

import json
import tracemalloc
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import etree

from feedsvc.feed_query import FORMATS
from feedsvc.http.response_slots import ResponseSlots
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock

MAX_FEED = 512 * 1024
CONTENTS: dict[str, dict[str, str]] = {
    "words": {"content_html": "<p>" + "chữ " * 12_500 + "</p>"},
    "ampersands": {"content_html": "<p>" + "&amp;" * 12_500 + "</p>"},
    "less-than signs": {"content_text": "<" * 37_500},
    "quotes": {"content_text": '"\\' * 25_000},
    "lines": {"content_text": "a\n\nb\n" * 10_000},
    "commas": {"content_text": ",;" * 31_250},
}


@pytest.fixture
def small_client(make_app: MakeApp) -> FlaskClient:
    """Return a client of an application whose documents have at most MAX_FEED."""
    return make_app(max_feed=MAX_FEED).test_client()


def fill(
    editor: ApiClient,
    clock: Clock,
    kind: str,
    count: int,
    content: dict[str, str],
    prefix: str = "",
) -> None:
    for number in range(count):
        clock.forward(seconds=1)
        start = {"start": "2026-12-24T19:00:00"} if kind == "events" else {}
        editor.put(
            f"/{kind}/{prefix}{number:02}",
            {"title": f"Bài {number}", "summary": "Tóm tắt.", **content, **start},
        )
    clock.forward(seconds=5)


@pytest.mark.parametrize("content", CONTENTS)
def test_document_is_bounded_whatever_its_entries_hold(
    editor: ApiClient, small_client: FlaskClient, clock: Clock, content: str
) -> None:
    fill(editor, clock, "articles", 16, CONTENTS[content])
    fill(editor, clock, "events", 16, CONTENTS[content], prefix="e")
    for name, form in FORMATS.items():
        path = f"/feeds/{form.kinds[0]}.{name}"
        response = small_client.get(f"{path}?content=full")
        assert response.status_code == 200
        assert len(response.data) <= MAX_FEED, path


def bodies(client: FlaskClient, path: str, format: str) -> list[int]:
    """Return the lengths of the bodies of a feed's entries, in its order."""
    data = client.get(path).data
    if format == "json":
        return [len(item.get("content_html", "")) for item in json.loads(data)["items"]]
    root: Any = etree.fromstring(data, etree.XMLParser(huge_tree=True))
    name = (
        "{*}content"
        if format == "atom"
        else "{http://purl.org/rss/1.0/modules/content/}encoded"
    )
    return [len(entry.findtext(name) or "") for entry in root.iter("{*}entry", "item")]


@pytest.mark.parametrize("format", ["rss", "atom", "json"])
def test_oldest_entries_of_a_large_feed_are_summaries(
    editor: ApiClient, small_client: FlaskClient, clock: Clock, format: str
) -> None:
    fill(editor, clock, "articles", 12, CONTENTS["words"])
    lengths = bodies(small_client, f"/feeds/news.{format}", format)
    assert len(lengths) == 12
    assert [length > 0 for length in lengths] == [True] * 5 + [False] * 7
    text = small_client.get(f"/feeds/news.{format}").text
    summary = small_client.get(f"/feeds/news.{format}?content=summary").text
    assert text.count("Tóm tắt.") >= 12
    assert summary.count("Tóm tắt.") >= 12


def test_limit_is_a_setting(make_app: MakeApp, editor: ApiClient, clock: Clock) -> None:
    fill(editor, clock, "articles", 6, {"content_text": "x" * 30_000})
    client = make_app(max_feed=100_000).test_client()
    assert [length > 0 for length in bodies(client, "/feeds/news.json", "json")] == [
        True
    ] * 2 + [False] * 4


def test_entries_whose_summaries_do_not_fit_are_in_the_archives(
    make_app: MakeApp, editor: ApiClient, clock: Clock
) -> None:
    client = make_app(max_feed=65_536).test_client()
    for number in range(20):
        clock.forward(seconds=1)
        editor.put(f"/articles/{number}", {"title": "x", "summary": "tóm " * 400})
    clock.forward(seconds=5)
    page = json.loads(client.get("/feeds/news.json").data)
    assert 1 <= len(page["items"]) < 20
    seen = {item["id"] for item in page["items"]}
    while "next_url" in page:
        page = json.loads(
            client.get(page["next_url"].removeprefix("https://feeds.example")).data
        )
        seen |= {item["id"] for item in page["items"]}
    assert len(seen) == 20


def test_bodies_that_are_not_sent_are_not_loaded(
    editor: ApiClient, small_client: FlaskClient, clock: Clock
) -> None:
    fill(editor, clock, "articles", 40, {"content_text": "x" * 120_000})
    small_client.get("/feeds/news.rss?limit=1")
    for path, max_mib in (
        ("/feeds/news.json?limit=200&content=summary", 1),
        ("/feeds/news.json?limit=200", 4),
    ):
        tracemalloc.start()
        response = small_client.get(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert response.status_code == 200
        assert peak < max_mib * 1024 * 1024


def test_busy_is_503_with_retry_after(
    make_app: MakeApp, editor: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.web.feeds.ResponseSlots", partial(ResponseSlots, 0, 0))
    monkeypatch.setattr("feedsvc.web.feeds.LARGE_DOCUMENT", 1)
    editor.put("/articles/a", {"title": "x"})
    response = make_app().test_client().get("/feeds/news.json")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.get_json()["title"] == "Server busy"
