"""A deletion erases an entry, and a withdrawal hides its content."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from feedsvc.storage.tables import Base
from tests.conftest import ApiClient
from tests.text_everywhere import event_with

pytestmark = pytest.mark.both_databases

WHOLE: dict[str, Any] = {
    **event_with("MARK"),
    "timezone": "Europe/Paris",
    "start": "2026-12-24T13:00:00",
    "recurrence": {
        "rrule": "FREQ=WEEKLY;COUNT=7",
        "exdates": ["2026-12-31T13:00:00"],
    },
}
TRACES = re.compile(
    r"MARK|lan@|so@|(media|bao|live|ve|nhac)\.example|/tin/|audio/mpeg|thanh-tuu|"
    "2031-1[01]|21:30|14:30|21[.,]024|150[.,]?000|WEEKLY|rescheduled|12-10|12-24|12-31|Paris"
)
"""Values of `WHOLE` that a deletion must erase everywhere."""

PUBLIC = """
/feeds/events.rss /feeds/events.atom /feeds/events.json /feeds/events.ics /feeds/events.html?when=all
/feeds/events/van-hoa.ics /entries/e /entries/e.ics /api/v1/changes /
""".split()


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
    if status != "draft":
        # Otherwise it never would have been public.
        editor.put("/events/e", WHOLE)
        assert all(TRACES.search(client.get(path).text) for path in PUBLIC)
    created = editor.put("/events/e", {**WHOLE, "status": status}).get_json()
    assert TRACES.search(values(database))
    for method, expected in (
        ("DELETE", 204),
        ("DELETE", 410),
        ("GET", 410),
        ("PATCH", 410),
    ):
        document = {"title": "x"} if method == "PATCH" else None
        answer = editor.send(method, "/events/e", document)
        assert answer.status_code == expected
    assert not TRACES.search(values(database))
    for path in PUBLIC:
        assert not TRACES.search(client.get(path).text), path
    assert not TRACES.search(editor.send("GET", "/events").text)
    assert created["guid"] in values(database)
    # A draft that was never public is named nowhere.
    was_public = status != "draft"
    assert client.get("/entries/e").status_code == (410 if was_public else 404)
    changes = client.get("/api/v1/changes").get_json()["changes"]
    assert len(changes) == was_public


def test_withdrawn_event_shows_only_its_notice(
    editor: ApiClient, client: FlaskClient
) -> None:
    notice = "Thông tin không đúng."
    document = {
        **WHOLE,
        "title": "Hội",
        "notice": notice,
        "url": "https://portal.example/e",
        "language": "vi",
        "start": "2026-12-04T19:00:00",
        "event_status": "confirmed",
        **dict.fromkeys(("expires", "end", "timezone", "recurrence")),
    }
    editor.put("/events/e", document)
    editor.put("/events/e", {**document, "status": "withdrawn"})
    for path in PUBLIC:
        text = client.get(path).text.replace("\r\n ", "")
        assert not TRACES.search(text), path
        assert path == "/" or notice in text, path
    assert client.get("/entries/e").status_code == 410
    # Editors may publish it again.
    assert "MARK" in editor.send("GET", "/events/e").text
