"""URLs as keys of the response cache."""

from __future__ import annotations

import random

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.feed import Feed
from feedsvc.formats import render_feed
from tests.conftest import ApiClient, RecordMeasurement


@pytest.mark.parametrize(
    "count", [500, pytest.param(100_000, marks=pytest.mark.soak)]
)
def test_random_query_strings_are_rendered_once(
    client: FlaskClient,
    editor: ApiClient,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    record_measurement: RecordMeasurement,
) -> None:
    editor.put("/articles/a", {"title": "Một"})
    paths: list[str] = []

    def render(feed: Feed) -> bytes:
        paths.append(feed.query.path)
        return render_feed(feed)

    monkeypatch.setattr("feedsvc.web.feeds.render_feed", render)
    generator = random.Random(1)
    for _ in range(count):
        query = "".join(generator.choices("abxyz=&%1;+", k=12))
        assert client.get(f"/feeds/news.rss?{query}").status_code == 200
    record_measurement(
        f"renders of one feed for {count:,} random query strings",
        f"{len(paths)}",
        "1",
    )
    assert paths == ["/feeds/news.rss"]


def test_encoded_question_mark_is_part_of_the_path(
    client: FlaskClient, editor: ApiClient
) -> None:
    editor.put("/articles/a", {"title": "Một"})
    assert client.get("/entries/a?ui=en").status_code == 200
    assert client.get("/entries/a%3Fui=en").status_code == 404
