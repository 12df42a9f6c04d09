"""The probes, `/healthz` and `/readyz`."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient

from tests.conftest import ApiClient
from tests.data.fixtures import Wait
from tests.fake_clock import Clock


def test_readyz_has_the_time_of_the_last_write(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/articles/a", {"title": "Một", "status": "draft"})
    written_at = f"{clock():%Y-%m-%dT%H:%M:%SZ}"
    clock.forward(hours=3)
    assert client.get("/readyz").text == f"ready\nlast write: {written_at}\n"


def test_end_of_an_event_is_no_write(
    editor: ApiClient, client: FlaskClient, clock: Clock, wait: Wait
) -> None:
    start = clock() + timedelta(hours=1)
    editor.put("/events/e", {"title": "Hội sách", "start": start.isoformat()})
    written = client.get("/readyz").text
    wait(hours=3)
    assert client.get("/feeds/events.json").get_json()["items"] == []
    assert client.get("/readyz").text == written


def test_readyz_of_an_empty_database_says_never(client: FlaskClient) -> None:
    assert client.get("/readyz").text == "ready\nlast write: never\n"
