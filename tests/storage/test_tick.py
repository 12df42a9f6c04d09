"""Changes that come with the time."""

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

DUE_COUNT = 101
"""More entries than one transaction of a tick changes."""


def test_series_shows_its_next_occurrence_and_stays_unchanged(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    event = {
        "title": "Lớp",
        "start": "2026-11-26T19:00:00+07:00",
        "recurrence": {"rrule": "FREQ=WEEKLY;COUNT=2"},
    }
    editor.put("/events/e", event)

    def writes() -> list[str]:
        return [client.get(path).text for path in ("/api/v1/changes", "/readyz")]

    before = writes()
    for expected in (["2026-11-26"], ["2026-12-03"], []):
        shown = items(client, "/feeds/events.json?date=start")
        assert [each["date_published"][:10] for each in shown] == expected
        wait(days=5)
    assert writes() == before


def test_series_ends_on_a_day_of_its_zone(
    editor: ApiClient, client: FlaskClient
) -> None:
    # In UTC, each occurrence is on the day before.
    event = {
        "title": "Class",
        "language": "en",
        "start": "2026-12-05T06:00:00+07:00",
        "end": "2026-12-05T06:30:00+07:00",
        "recurrence": {"rrule": "FREQ=DAILY;COUNT=3"},
    }
    editor.put("/events/e", event)
    assert "Every day until 7 December 2026;" in client.get("/feeds/events.rss").text


@pytest.mark.both_databases
def test_one_tick_applies_all_that_is_due(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    document = {
        "action": "put",
        "kind": "news",
        "title": "x",
        "date_published": "2026-11-25T04:00:00Z",
        "expires": "2026-11-25T05:00:00Z",
    }
    batch = [{**document, "id": number} for number in range(DUE_COUNT)]
    assert editor.send("POST", "/batch", batch).status_code == 200
    for action in ("put", "delete"):
        wait(hours=1)
        page = client.get("/api/v1/changes?limit=1000").get_json()
        actions = [change["action"] for change in page["changes"]]
        assert actions == [action] * DUE_COUNT


def test_clock_that_was_wrong_publishes_nothing_scheduled(
    editor: ApiClient, client: FlaskClient, clock: Clock, wait: Wait
) -> None:
    later = {"title": "Một", "date_published": "2027-03-01"}
    editor.put("/articles/a", later)
    clock.forward(days=365)
    editor.put("/categories/moi", {"title": "Mới"})
    wait(days=-365)
    assert items(client, "/feeds/news.json") == []
    assert editor.put("/articles/b", later).get_json()["public"] is False
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

    for name, is_expected in (("date_published", True), ("expires", False)):
        moment = utcnow() + timedelta(seconds=1)
        document = {"title": "x", name: moment.isoformat()}
        service.put("/articles/a", document)
        wait_until(lambda: is_shown() == is_expected)  # noqa: B023
        assert utcnow() >= moment
