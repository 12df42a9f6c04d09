"""A deletion erases an entry, and a withdrawal hides its content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from icalendar import Calendar

from config import Config
from feedsvc.storage.database import Database
from feedsvc.storage.tables import Base
from tests.conftest import ApiClient
from tests.full_entries import MEMBERS, SCHEMAS, TEXT_MEMBERS

pytestmark = pytest.mark.both_databases

PERSON = {
    "name": "MARK-name",
    "url": "https://mark.example/person",
    "email": "mark@private.example",
}
WHOLE: dict[str, Any] = {
    **{name: f"MARK-{name}" for names in TEXT_MEMBERS.values() for name in names},
    "language": "mr-Mark",
    "url": "https://mark.example/entry",
    "authors": [PERSON],
    "source": {"name": "MARK-source", "url": "https://mark.example/source"},
    "categories": ["van-hoa"],
    "image": {
        "url": "https://mark.example/image.jpg",
        "alt": "MARK-alt",
        "caption": "MARK-caption",
    },
    "attachments": [
        {
            "url": "https://mark.example/a.pdf",
            "mime_type": "mark/mark",
            "title": "MARK-file",
        }
    ],
    "date_published": "2026-11-20T08:00:00+07:00",
    "status": "published",
    "translation_key": "MARK-key",
    "expires": "2031-03-04T05:06:07+07:00",
    "start": "2026-12-05T19:00:00+01:00",
    "end": "2026-12-05T21:22:23+01:00",
    "timezone": "Europe/Paris",
    "location": {
        "name": "MARK-place",
        "address": "MARK-address",
        "latitude": 12.345,
        "longitude": 54.321,
    },
    "organizer": PERSON,
    "attendance": "mixed",
    "online_url": "https://mark.example/live",
    "offers": [
        {
            "name": "MARK-offer",
            "price": "12.345",
            "currency": "VND",
            "url": "https://mark.example/tickets",
            "availability": "sold_out",
        }
    ],
    "performers": [{"name": "MARK-performer", "url": "https://mark.example/band"}],
    "recurrence": {"rrule": "FREQ=WEEKLY;COUNT=7", "exdates": ["2026-12-12T19:00:00"]},
    "event_status": "tentative",
}
TRACES = re.compile(
    r"(?i)mark|2031-03-0|21:22:23|20:22:23|12\.345|WEEKLY|tentative|12-12|Paris|12-05"
)
"""Values of `WHOLE` that a deletion must erase everywhere."""

PUBLIC = [
    "/feeds/events.rss",
    "/feeds/events.atom",
    "/feeds/events.json",
    "/feeds/events.ics",
    "/feeds/events.html?when=all",
    "/feeds/events/van-hoa.ics",
    "/entries/e",
    "/entries/e.ics",
    "/api/v1/changes",
    "/",
]


def test_every_member_of_an_entry_is_marked() -> None:
    """A member that is added must be erased, too."""
    unmarked = MEMBERS.keys() - {"id", "guid", "content_html"} - WHOLE.keys()
    assert not unmarked, f"WHOLE in tests/api/test_deletion.py lacks {unmarked}"


def whole(collection: str) -> dict[str, Any]:
    """Return the members of `WHOLE` that entries of a collection have."""
    members = SCHEMAS[collection]._declared_fields
    return {name: value for name, value in WHOLE.items() if name in members}


def values(database: Database) -> str:
    """Return all values in the database but those of tokens, as text."""
    with database.read() as session:
        return "\n".join(
            str(row)
            for table in Base.metadata.sorted_tables
            if table.name != "tokens"
            for row in session.execute(sa.select(table))
        )


@pytest.mark.parametrize("status", ["published", "draft", "withdrawn"])
def test_deleted_event_leaves_no_trace(
    editor: ApiClient, client: FlaskClient, database: Database, status: str
) -> None:
    document = {**whole("events"), "status": status}
    created = editor.put("/events/e", document).get_json()
    if status == "published":
        assert all(TRACES.search(client.get(path).text) for path in PUBLIC)
    assert TRACES.search(values(database))
    assert editor.send("DELETE", "/events/e").status_code == 204
    assert not TRACES.search(values(database))
    for path in PUBLIC:
        assert not TRACES.search(client.get(path).text), path
    assert not TRACES.search(editor.send("GET", "/events").text)
    assert created["guid"] in values(database)
    gone = 404 if status == "draft" else 410
    assert client.get("/entries/e").status_code == gone


def test_deleted_article_leaves_no_trace(editor: ApiClient, database: Database) -> None:
    editor.put("/articles/a", whole("articles"))
    assert TRACES.search(values(database))
    editor.send("DELETE", "/articles/a")
    assert not TRACES.search(values(database))


@pytest.mark.sqlite
def test_deleted_text_is_overwritten_in_the_files(
    editor: ApiClient, config: Config
) -> None:
    file = Path(config.database_url.removeprefix("sqlite:///"))
    # Several pages of the file.
    long = "".join(f"<p>MARK-{number}</p>" for number in range(2000))

    def is_stored() -> bool:
        return any(b"MARK-" in path.read_bytes() for path in file.parent.glob("*.db*"))

    editor.put("/articles/a", {"title": "Tin", "content_html": long})
    assert is_stored()
    editor.send("DELETE", "/articles/a")
    assert not is_stored()


def test_withdrawn_event_shows_only_its_notice(
    editor: ApiClient, client: FlaskClient
) -> None:
    harmless: dict[str, Any] = {
        "title": "Hội",
        "notice": "Thông tin không đúng.",
        "url": "https://portal.example/e",
        "language": "vi",
        "expires": None,
        "start": "2026-12-04T19:00:00",
        "end": None,
        "timezone": None,
        "recurrence": None,
        "event_status": "confirmed",
    }
    document = {
        name: value
        for name, value in {**whole("events"), **harmless}.items()
        if value is not None
    }
    editor.put("/events/e", {**document, "status": "withdrawn"})
    for path in PUBLIC:
        text = client.get(path).text.replace("\r\n ", "")
        assert not TRACES.search(text), path
        assert path == "/" or "Thông tin không đúng." in text, path
    assert client.get("/entries/e").status_code == 410
    # Editors may publish it again.
    assert "MARK-content" in editor.send("GET", "/events/e").text


def test_restored_event_keeps_its_guid_and_raises_sequence(
    editor: ApiClient, client: FlaskClient
) -> None:
    event = {"title": "Hội sách", "start": "2026-12-05T19:00:00"}
    guid = editor.put("/events/e", event).get_json()["guid"]

    def sequence() -> int:
        (shown,) = Calendar.from_ical(client.get("/feeds/events.ics").data).events
        assert shown["UID"] == guid.removeprefix("urn:uuid:")
        return int(str(shown["SEQUENCE"]))

    numbers = [sequence()]
    for _ in range(2):
        editor.send("DELETE", "/events/e")
        restored = editor.put("/events/e", event)
        assert restored.status_code == 201
        assert restored.get_json()["guid"] == guid
        numbers.append(sequence())
    assert numbers == sorted(set(numbers))


def test_draft_that_was_never_public_is_named_nowhere(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/a", {"title": "x", "status": "draft"})
    editor.send("DELETE", "/articles/a")
    assert client.get("/entries/a").status_code == 404
    assert client.get("/api/v1/changes").get_json()["changes"] == []
