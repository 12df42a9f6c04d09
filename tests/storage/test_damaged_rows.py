"""A row that cannot be read costs its entry and nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

EVENT = {
    "title": "Chợ phiên",
    "start": "2026-12-05T19:00:00",
    "recurrence": {"rrule": "FREQ=WEEKLY"},
}
FEEDS = [
    f"/feeds/events.{form}{query}"
    for form in ("rss", "atom", "json", "html", "ics")
    for query in ("", "?from=2026-12-01")
]

SHAPES = {
    "a zone that there is no longer": ("event_details", "timezone", "Europe/Atlantis"),
    "the zone of the host": ("event_details", "timezone", "localtime"),
    "a start that is no time": ("event_details", "start", "soon"),
    "a recurrence without a rule": ("event_details", "recurrence", "{}"),
    "a rule that is none": (
        "event_details",
        "recurrence",
        '{"rrule": "FREQ=SOMETIMES"}',
    ),
    "a rule that is a number": ("event_details", "recurrence", '{"rrule": 5}'),
    "a place that is a list": ("event_details", "location", "[1]"),
    "authors that are a number": ("entries", "authors", "5"),
    "an author with a number for a name": ("entries", "authors", '[{"name": 5}]'),
    "a picture without a URL": ("entries", "image", '{"alt": "x"}'),
}
UNDECODABLE = {
    "a recurrence that is no JSON": ("event_details", "recurrence", "{"),
    "authors that are no JSON": ("entries", "authors", "[{"),
    "a date that is none": ("entries", "starts", "2026-13-45 99:00"),
}

Damage = Callable[[tuple[str, str, str]], None]


@pytest.fixture
def damage(storage: Storage, editor: ApiClient) -> Damage:
    """Damage a column of the event `bad`, beside a good one."""
    for id in ("good", "bad"):
        editor.put(f"/events/{id}", {**EVENT, "title": f"Chợ {id}"})

    def change(place: tuple[str, str, str]) -> None:
        table, column, value = place
        key = "(SELECT pk FROM entries WHERE id = 'bad')"
        where = f"pk = {key}" if table == "entries" else f"entry_pk = {key}"
        with storage._database.write() as connection:
            cast = (
                "CAST(:value AS JSON)"
                if connection.dialect.name == "postgresql" and value[0] in "{[5"
                else ":value"
            )
            connection.execute(
                sa.text(f"UPDATE {table} SET {column} = {cast} WHERE {where}"),
                {"value": value},
            )

    return change


@pytest.mark.parametrize("place", SHAPES.values(), ids=list(SHAPES))
def test_a_row_of_a_wrong_shape_costs_its_entry_alone(
    place: tuple[str, str, str],
    damage: Damage,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    damage(place)
    exported = [json.loads(line) for line in storage.dump()]
    assert [row["entries"]["id"] for row in exported if "entries" in row] == [
        "good",
        "bad",
    ]
    check(editor, storage, clock)


@pytest.mark.sqlite
@pytest.mark.parametrize("place", UNDECODABLE.values(), ids=list(UNDECODABLE))
def test_a_row_that_cannot_be_decoded_costs_its_entry_alone(
    place: tuple[str, str, str],
    damage: Damage,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    damage(place)
    exported = [json.loads(line) for line in storage.dump()]
    assert [row["entries"]["id"] for row in exported if "entries" in row] == ["good"]
    keys = {
        row["event_details"]["entry_pk"] for row in exported if "event_details" in row
    }
    assert len(keys) == 1
    assert exported[-1] == {"end": len(exported) - 2}
    check(editor, storage, clock)


def check(editor: ApiClient, storage: Storage, clock: Clock) -> None:
    """Look at everything that reads entries, and put the damaged one again."""
    client: FlaskClient = editor.client
    for path in FEEDS:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "Chợ good" in answer.text.replace("\r\n ", "")
        assert "Chợ bad" not in answer.text
    assert client.get("/").status_code == 200
    assert client.get("/entries/good").status_code == 200
    assert client.get("/entries/bad").status_code == 404
    assert editor.send("GET", "/events/bad").status_code == 404
    pages: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = editor.send("GET", f"/events?limit=1{cursor}").get_json()
        pages += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None  # type: ignore[assignment]
    assert pages == ["good"]
    changes = client.get("/api/v1/changes?limit=1").get_json()
    assert [change["id"] for change in changes["changes"]] == ["good"]
    following = client.get(f"/api/v1/changes?after={changes['next']}").get_json()[
        "changes"
    ]
    assert [(change["id"], change["action"]) for change in following] == [
        ("bad", "delete")
    ]
    clock.forward(days=20)
    settled = 0
    for _ in range(5):
        settled += storage.apply_scheduled_changes()
    assert settled == 1, "the damaged one does not keep the scheduler busy"
    clock.forward(days=-20)
    lines = "".join(
        json.dumps({"action": "put", "kind": "events", "id": id, **EVENT}) + "\n"
        for id in ("bad", "new")
    )
    batch = editor.send(
        "POST", "/batch", data=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert [result["status"] for result in batch.get_json()["results"]] == [200, 201], (
        batch.text
    )
    assert editor.send("GET", "/events/bad").get_json()["title"] == "Chợ phiên"
    assert "Chợ phiên" in client.get("/feeds/events.rss").text


def test_a_damaged_row_is_replaced_or_deleted(
    damage: Damage, editor: ApiClient
) -> None:
    guid = editor.send("GET", "/events/bad").get_json()["guid"]
    damage(SHAPES["a zone that there is no longer"])
    editor.put("/events/bad", EVENT)
    assert editor.send("GET", "/events/bad").get_json()["guid"] == guid
    damage(SHAPES["a zone that there is no longer"])
    assert editor.send("DELETE", "/events/bad").status_code == 204
    assert editor.send("GET", "/events/bad").status_code in (404, 410)
    assert editor.client.get("/feeds/events.ics").status_code == 200


@pytest.mark.sqlite
def test_a_damaged_row_is_logged_once(
    damage: Damage,
    editor: ApiClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feedsvc.storage.readable._logged", set())
    damage(SHAPES["a zone that there is no longer"])
    with caplog.at_level(logging.ERROR):
        for limit in range(1, 9):
            editor.client.get(f"/feeds/events.rss?limit={limit}")
    assert [
        record.message
        for record in caplog.records
        if "cannot be read" in record.message
    ] == [
        "The entry with the key 2 cannot be read and is left out: "
        "ValueError('“Europe/Atlantis” is not an IANA time zone.')"
    ]
