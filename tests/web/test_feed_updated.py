"""The date of a feed: the latest change of the entries that it shows."""

from calendar import timegm
from datetime import UTC, datetime, timedelta

import feedparser
import pytest
from flask.testing import FlaskClient

from tests.conftest import ApiClient
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.web.feeds import calendar

NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def seeded_editor(editor: ApiClient, clock: Clock) -> ApiClient:
    """Store an old article, and one in each of some sets of categories."""
    editor.put("/categories/y-te", {"title": "Y tế", "description": "Sức khoẻ"})
    old = {"title": "Cũ", "date_published": "2025-03-04T08:00:00"}
    editor.put("/articles/old", old)
    for number, slugs in enumerate([["giao-thong"], ["van-hoa"], ["y-te"]]):
        clock.forward(minutes=1)
        article = {"title": f"Tin {number}", "categories": slugs}
        editor.put(f"/articles/{number}", article)
    clock.forward(hours=1)
    return editor


def dates_of(client: FlaskClient, path: str = "/feeds/news") -> set[datetime]:
    """Return the dates that the formats of a feed state."""
    dates = set()
    for format in ("rss", "atom"):
        parsed = feedparser.parse(client.get(f"{path}.{format}").data).feed
        dates.add(datetime.fromtimestamp(timegm(parsed.updated_parsed), UTC))
    feed = client.get(f"{path}.json").get_json(force=True)["_feed"]
    return {
        *dates,
        datetime.fromisoformat(feed["date_modified"]).astimezone(UTC),
    }


@pytest.mark.both_databases
def test_feed_is_updated_by_the_latest_change_that_it_shows(
    seeded_editor: ApiClient,
    client: FlaskClient,
    clock: Clock,
    wait: Wait,
) -> None:
    date = (clock.now + timedelta(hours=1)).isoformat()
    before = dates_of(client)
    seeded_editor.put("/articles/later", {"title": "Sau", "date_published": date})
    seeded_editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    assert dates_of(client) == before
    wait(hours=1, seconds=1)
    assert dates_of(client) == {clock.now}
    clock.forward(hours=1)
    article = {"title": "Tin 0", "categories": ["van-hoa"]}
    seeded_editor.put("/articles/0", article)
    assert dates_of(client) == dates_of(client, "/feeds/news/van-hoa") == {clock.now}


def test_date_of_an_empty_feed_does_not_come_from_the_clock(
    seeded_editor: ApiClient, client: FlaskClient
) -> None:
    assert dates_of(client, "/feeds/events") == {NEVER}
    assert dates_of(client, "/feeds/events/y-te") == {NEVER}
    assert calendar(client)["LAST-MODIFIED"].dt == NEVER


def test_dates_are_whole_seconds_in_every_format(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.forward(microseconds=123_456)
    times = {"start": "2026-12-24T19:00:00.5", "end": "2026-12-24T20:00:00.25"}
    for title in ("Một", "Hai"):
        editor.put("/events/e", {"title": title, **times})
    feeds = [f"/feeds/events.{format}" for format in ("rss", "atom", "json", "html")]
    for path in ("/entries/e", *feeds):
        assert "00:00." not in client.get(path).text, path
