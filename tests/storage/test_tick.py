"""Changes that come with the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from feedsvc.models import utcnow
from tests.conftest import ApiClient
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.server import Service
from tests.waiting import wait_until
from tests.web.feeds import items

DUE_COUNT = 150
"""More entries than one transaction of a tick changes."""


@pytest.mark.both_databases
def test_series_shows_its_next_occurrence_and_stays_unchanged(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    event = {
        "title": "Lớp",
        "start": "2026-11-26T19:00:00+07:00",
        "end": "2026-11-26T20:00:00+07:00",
        "recurrence": {"rrule": "FREQ=WEEKLY;COUNT=2"},
    }
    editor.put("/events/e", event)
    path = "/feeds/events.json?date=start"
    changes = client.get("/api/v1/changes").get_json()
    (before,) = items(client, path)
    assert before["date_published"] == "2026-11-26T19:00:00+07:00"
    wait(days=2)
    (after,) = items(client, path)
    assert after["date_published"] == "2026-12-03T19:00:00+07:00"
    wait(days=7)
    assert items(client, path) == []
    assert client.get("/api/v1/changes").get_json() == changes


@pytest.mark.both_databases
def test_one_tick_applies_all_that_is_due(
    editor: ApiClient, client: FlaskClient, clock: Clock, wait: Wait
) -> None:
    published = clock.now + timedelta(hours=1)
    document = {
        "action": "put",
        "kind": "news",
        "title": "x",
        "date_published": published.isoformat(),
        "expires": (published + timedelta(hours=1)).isoformat(),
    }
    batch = [{**document, "id": str(number)} for number in range(DUE_COUNT)]
    assert editor.send("POST", "/batch", batch).status_code == 200
    cursor = 0
    for action in ("put", "delete"):
        wait(hours=1)
        path = f"/api/v1/changes?after={cursor}&limit=1000"
        page = client.get(path).get_json()
        actions = [change["action"] for change in page["changes"]]
        assert actions == [action] * DUE_COUNT
        cursor = page["next"]


@pytest.mark.both_databases
def test_clock_that_was_wrong_publishes_nothing_scheduled(
    editor: ApiClient, client: FlaskClient, clock: Clock, wait: Wait
) -> None:
    later = (clock.now + timedelta(days=100)).isoformat()
    editor.put("/articles/a", {"title": "Một", "date_published": later})
    clock.forward(days=365)
    editor.put("/categories/moi", {"title": "Mới"})
    wait(days=-365)
    assert items(client, "/feeds/news.json") == []
    response = editor.put(
        "/articles/b", {"title": "Hai", "date_published": later}
    )
    assert response.get_json()["public"] is False
    response = editor.put("/articles/c", {"title": "Ba"})
    assert response.get_json()["date_published"].startswith("2026-11-25")


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    """Start one worker: another one would show the entry later."""
    running = Service(database_url, WEB_CONCURRENCY="1")
    running.make_token("news:write")
    with running:
        yield running


def test_running_service_publishes_and_expires_in_time(
    service: Service,
) -> None:
    def is_shown() -> bool:
        return bool(service.request("GET", "/feeds/news.json").json()["items"])

    published = utcnow() + timedelta(seconds=1)
    document = {"title": "x", "date_published": published.isoformat()}
    service.put("/articles/a", document)
    wait_until(is_shown)
    assert utcnow() >= published
    expires = utcnow() + timedelta(seconds=1)
    document["expires"] = expires.isoformat()
    service.put("/articles/a", document)
    wait_until(lambda: not is_shown())
    assert utcnow() >= expires
