"""A row that cannot be read costs its entry and nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.feed_query import FORMATS
from feedsvc.storage import Storage
from feedsvc.storage.tables import entries
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
    for form in FORMATS
    for query in ("", "?from=2026-12-01")
]

DOCUMENTS: dict[str, tuple[str, Any]] = {
    "a zone that there is no longer": ("event.timezone", "Europe/Atlantis"),
    "a rule that is none": ("event.recurrence", {"rrule": "FREQ=SOMETIMES"}),
    "an author with a number for a name": ("authors", [{"name": 5}]),
    "a document that is no JSON": ("", None),
}
"""A member of the document, and its damaged value; None removes it."""

Damage = Callable[[str, Any], None]


@pytest.fixture
def events(editor: ApiClient) -> None:
    """Store the event that a test damages, `bad`, beside a good one."""
    for id in ("good", "bad"):
        editor.put(f"/events/{id}", {**EVENT, "title": f"Chợ {id}"})


@pytest.fixture
def damage_document(storage: Storage, events: None) -> Damage:
    """Set a member of the document of the event `bad`."""

    def change(path: str, value: Any) -> None:
        bad = entries.c.id == "bad"
        with storage.database.write() as connection:
            text = connection.scalar(sa.select(entries.c.document).where(bad))
            document = json.loads(text or "")
            *parents, name = path.split(".")
            place = document
            for parent in parents:
                place = place[parent]
            if value is None:
                place.pop(name, None)
            else:
                place[name] = value
            damaged = json.dumps(document) if path else "{"
            connection.execute(entries.update().where(bad).values(document=damaged))

    return change


@pytest.mark.parametrize(("path", "value"), DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_damaged_document_costs_its_entry_alone(
    path: str,
    value: Any,
    damage_document: Damage,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    damage_document(path, value)
    exported = [json.loads(line) for line in storage.dump()]
    assert [row["entries"]["id"] for row in exported if "entries" in row] == [
        "good",
        "bad",
    ]
    check(editor, storage, clock)


def damage_column(storage: Storage, column: str) -> None:
    """Store a date that is none in a column of the event `bad`; only SQLite does."""
    statement = f"UPDATE entries SET {column} = '2026-13-45 99:00' WHERE id = 'bad'"
    with storage.database.write() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.sqlite
def test_damaged_date_costs_its_entry_alone(
    events: None, editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    for id in ("good", "bad"):
        document = {**EVENT, "title": f"Chợ {id}", "categories": ["van-hoa"]}
        editor.put(f"/events/{id}", document)
    damage_column(storage, "starts")
    exported = [json.loads(line) for line in storage.dump()]
    (good,) = (row["entries"] for row in exported if "entries" in row)
    assert good["id"] == "good"
    (category,) = (
        row["entry_categories"] for row in exported if "entry_categories" in row
    )
    assert category["entry_pk"] == good["pk"]
    assert exported[-1] == {"end": len(exported) - 2}
    check(editor, storage, clock)


@pytest.mark.sqlite
def test_damaged_publication_date_costs_its_entry_alone(
    events: None, editor: ApiClient, storage: Storage
) -> None:
    damage_column(storage, "published")
    for path in FEEDS:
        response = editor.client.get(path)
        assert response.status_code == 200, path
        assert "Chợ good" in response.text.replace("\r\n ", "")
    assert editor.send("PUT", "/events/bad", EVENT).status_code == 200
    assert "Chợ phiên" in editor.client.get("/feeds/events.rss").text
    damage_column(storage, "published")
    assert editor.send("DELETE", "/events/bad").status_code == 204
    assert editor.client.get("/feeds/events.ics").status_code == 200


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


def test_damaged_entry_is_replaced_or_deleted(
    damage_document: Damage, editor: ApiClient
) -> None:
    guid = editor.send("GET", "/events/bad").get_json()["guid"]
    damage_document("event.timezone", "Europe/Atlantis")
    editor.put("/events/bad", EVENT)
    assert editor.send("GET", "/events/bad").get_json()["guid"] == guid
    damage_document("event.timezone", "Europe/Atlantis")
    assert editor.send("DELETE", "/events/bad").status_code == 204
    assert editor.send("GET", "/events/bad").status_code in (404, 410)
    assert editor.client.get("/feeds/events.ics").status_code == 200


@pytest.mark.sqlite
def test_damaged_entry_is_logged_once(
    damage_document: Damage,
    editor: ApiClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feedsvc.storage.damaged_rows._logged", set())
    damage_document("event.timezone", "Europe/Atlantis")
    with caplog.at_level(logging.ERROR):
        for limit in range(1, 9):
            editor.client.get(f"/feeds/events.rss?limit={limit}")
    assert [
        record.message for record in caplog.records if "unreadable" in record.message
    ] == [
        "Entry with key 2 is unreadable and left out: "
        "ValueError('“Europe/Atlantis” is not an IANA time zone.')"
    ]
