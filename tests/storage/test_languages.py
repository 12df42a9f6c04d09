"""Feeds of a language: read by an index, and empty without reading entries where no entry has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.services import get_services
from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.storage.query_plans import sqlite_plan

pytestmark = pytest.mark.both_databases


def put(editor: ApiClient, clock: Clock, id: str, language: str, **fields: Any) -> None:
    clock.forward(seconds=1)
    editor.put(f"/articles/{id}", {"title": id, "language": language, **fields})


def ids(client: FlaskClient, path: str) -> list[str]:
    return [
        item["_entry"]["id"] for item in client.get(path).get_json(force=True)["items"]
    ]


@pytest.fixture
def statements(storage: Storage) -> list[str]:
    """The SQL statements that are executed from now on."""
    executed: list[str] = []
    listen = sa.event.listens_for(storage.database.engine, "before_cursor_execute")
    listen(lambda *given: executed.append(given[2]))
    return executed


def test_language_range_matches_narrower_tags(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    for id, language in (
        ("vi", "vi"),
        ("en", "en"),
        ("gb", "en-GB"),
        ("us", "en-US"),
        ("enm", "enm"),
    ):
        put(editor, clock, id, language, categories=["van-hoa"])
    put(editor, clock, "other", "en-GB", categories=["giao-thong"])
    assert ids(client, "/feeds/news.json?lang=en") == ["other", "us", "gb", "en"]
    assert ids(client, "/feeds/news.json?lang=en-gb") == ["other", "gb"]
    assert ids(client, "/feeds/news.json?lang=EN-gb") == ["other", "gb"]
    assert ids(client, "/feeds/news.json?lang=en&limit=2") == ["other", "us"]
    assert ids(client, "/feeds/news/van-hoa.json?lang=en") == ["us", "gb", "en"]
    assert ids(client, "/feeds/news/giao-thong,van-hoa.json?lang=en") == [
        "other",
        "us",
        "gb",
        "en",
    ]
    assert ids(client, "/feeds/news/-giao-thong.json?lang=en") == ["us", "gb", "en"]
    assert ids(client, "/feeds/news.json?lang=en&archive=2026-11") == [
        "other",
        "us",
        "gb",
        "en",
    ]


def test_draft_has_its_language_when_it_is_published(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    put(editor, clock, "a", "en", status="draft")
    put(editor, clock, "a", "en")
    assert ids(client, "/feeds/news.json?lang=en") == ["a"]


def test_language_of_an_entry_changes(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    put(editor, clock, "a", "en", categories=["van-hoa"])
    put(editor, clock, "a", "fr", categories=["van-hoa"])
    for place in ("", "/van-hoa"):
        assert ids(client, f"/feeds/news{place}.json?lang=en") == []
        assert ids(client, f"/feeds/news{place}.json?lang=fr") == ["a"]


def test_language_without_entries_is_read_from_no_entry(
    editor: ApiClient, client: FlaskClient, clock: Clock, statements: list[str]
) -> None:
    put(editor, clock, "a", "vi")
    put(editor, clock, "draft", "th", status="draft")
    statements.clear()
    for path in (
        "news.json?lang=qa-1",
        "news.json?lang=th",
        "news/van-hoa.atom?lang=fr",
        "events.ics?lang=fr",
    ):
        response = client.get(f"/feeds/{path}")
        assert response.status_code == 200
        assert response.headers["ETag"]
    assert not [
        one
        for one in statements
        if "FROM entries" in one or "FROM entry_categories" in one
    ]
    assert (
        client.get("/feeds/news.json?lang=qa-1")
        .get_json(force=True)["feed_url"]
        .endswith("?lang=qa-1")
    )


def test_events_of_a_language_are_filtered_in_any_order(
    editor: ApiClient, client: FlaskClient
) -> None:
    for id, language in (("a", "vi"), ("b", "en"), ("c", "en-GB")):
        event = {"title": id, "language": language, "start": "2027-01-01T08:00:00"}
        editor.put(f"/events/{id}", event)
    for query in ("", "&order=start", "&when=all&order=start", "&from=2027-01-01"):
        found = ids(client, f"/feeds/events.json?lang=en{query}")
        assert sorted(found) == ["b", "c"], query


def test_languages_without_entries_take_no_place_in_the_cache(
    editor: ApiClient, client: FlaskClient
) -> None:
    client.get("/feeds/news.json")
    kept = get_services(client.application).cache
    before = kept.stats()[0], len(kept._aliases)
    for number in range(50):
        assert (
            client.get(f"/feeds/news.json?lang=qa-{number}&limit=7").status_code == 200
        )
    assert (kept.stats()[0], len(kept._aliases)) == before


def test_language_is_found_by_the_next_request_after_a_write(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    assert ids(client, "/feeds/news.json?lang=fr") == []
    put(editor, clock, "a", "fr")
    assert ids(client, "/feeds/news.json?lang=fr") == ["a"]
    assert editor.send("DELETE", "/articles/a").status_code == 204
    assert ids(client, "/feeds/news.json?lang=fr") == []


def test_language_of_a_scheduled_entry_appears_with_it(
    editor: ApiClient, client: FlaskClient, clock: Clock, storage: Storage
) -> None:
    moment = (clock.now + timedelta(hours=1)).isoformat()
    put(editor, clock, "a", "fr", date_published=moment)
    assert ids(client, "/feeds/news.json?lang=fr") == []
    clock.forward(hours=2)
    storage.apply_scheduled_changes()
    assert ids(client, "/feeds/news.json?lang=fr") == ["a"]


@pytest.mark.sqlite
@pytest.mark.parametrize("slug", [None, "van-hoa"])
@pytest.mark.parametrize(
    "query",
    [
        FeedQuery("news", "rss", lang="fr"),
        FeedQuery("events", "rss", lang="fr", when="past"),
    ],
)
def test_rare_language_is_read_from_an_index(
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
    query: FeedQuery,
    slug: str | None,
) -> None:
    fields = {"categories": ["van-hoa"], "language": "fr", "title": "x"}
    editor.put("/articles/a", fields)
    editor.put("/events/e", {**fields, "start": "2026-01-01"})
    selector = CategoryFilter.create([slug] if slug else [])
    plan = sqlite_plan(storage, replace(query, category_filter=selector), clock.now)
    assert f"ix_{'entry_categories' if slug else 'entries'}_lang" in plan[0]
    assert "lang=?" in plan[0]
    assert len(plan) == 1, "no sort"


@pytest.mark.sqlite
def test_upcoming_events_of_a_common_language_are_read_by_their_end(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    editor.put("/events/e", {"title": "x", "start": "2027-01-01"})
    plan = sqlite_plan(storage, FeedQuery("events", "rss", lang="vi"), clock.now)
    assert "ix_entries_ends" in plan[0]
    assert "ends>?" in plan[0]
