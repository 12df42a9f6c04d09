"""What a deletion, a withdrawal or an edit of a hidden entry changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar
from werkzeug.test import TestResponse

from config import Config
from feedsvc.api.schemas import EventSchema, ModelSchema
from feedsvc.feed_query import FORMATS
from feedsvc.models import WITHDRAWN_EVENT_MEMBERS, WITHDRAWN_MEMBERS
from feedsvc.services import get_services
from feedsvc.storage import Storage, feed_tombstones
from feedsvc.storage.entry_writer import KEPT_EVENT_MEMBERS, KEPT_MEMBERS
from feedsvc.storage.tables import (
    entries,
    entry_categories,
    metadata,
    tombstones,
)
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.full_entries import TEXT_MEMBERS
from tests.test_feed_query import REJECTED, SELECTED, VALUES, query_string

pytestmark = pytest.mark.both_databases

CALENDAR = "/feeds/events.ics"
EVENT = {"title": "Hội sách", "start": "2026-12-05T19:00:00", "categories": ["van-hoa"]}
SECRET = {
    "title": "SECRET merger",
    "start": "2027-02-03T08:00:00",
    "url": "https://evil.example/",
    "location": {"name": "Secret place"},
    "status": "draft",
}


def cancelled(client: FlaskClient, path: str = CALENDAR) -> list[Any]:
    """Return the cancelled events of a calendar."""
    calendar = Calendar.from_ical(client.get(path).data)
    return [event for event in calendar.events if event["STATUS"] == "CANCELLED"]


def left(client: FlaskClient, path: str) -> list[str]:
    """Return the guids in the tombstones of an Atom feed."""
    return re.findall(r'deleted-entry ref="([^"]+)"', client.get(path).text)


def changes(client: FlaskClient, after: int = 0) -> tuple[list[tuple[str, str]], int]:
    """Return the changes after a step, and the last step."""
    answer = client.get(f"/api/v1/changes?after={after}&limit=1000").get_json()
    return [(change["action"], change["id"]) for change in answer["changes"]], answer[
        "next"
    ]


def delete(editor: ApiClient) -> None:
    assert editor.send("DELETE", "/events/e").status_code == 204


def unpublish(editor: ApiClient) -> None:
    editor.put("/events/e", {**EVENT, "status": "draft"})


# Edits of a hidden entry.


def test_calendar_shows_nothing_of_a_draft_that_is_deleted(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/events/e", EVENT)
    unpublish(editor)
    editor.put("/events/e", SECRET)
    delete(editor)
    clock.forward(seconds=5)
    text = client.get(CALENDAR).text
    assert "SECRET" not in text
    assert "evil.example" not in text
    (event,) = cancelled(client)
    assert event["DTSTART"].dt.isoformat() == "2026-12-05T19:00:00+07:00", (
        "as readers last saw it"
    )


def test_workers_agree_on_feeds_after_writes_to_hidden_entries(
    editor: ApiClient,
    client: FlaskClient,
    clock: Clock,
    make_app: MakeApp,
    storage: Storage,
) -> None:
    """One worker has a cached response of everything, the other one has none."""
    paths = [
        f"/feeds/events{selector}.{format}"
        for format in ("ics", "atom", "json")
        for selector in (
            "",
            "/van-hoa",
            "/giao-thong",
            "/giao-thong,van-hoa",
            "/-giao-thong",
        )
    ]
    paths += [
        f"{path}?{query}"
        for path in paths[:6]
        for query in ("lang=vi", "cancelled=hide")
    ]
    published = {**EVENT, "categories": ["van-hoa"]}
    hidden = {
        **SECRET,
        "language": "en",
        "event_status": "cancelled",
        "categories": ["giao-thong"],
    }
    seen: dict[tuple[str, str], str] = {}
    for document in (
        published,
        hidden,
        None,
        hidden,
        None,
        {**hidden, "status": "published"},
        None,
        published,
    ):
        if document is None:
            delete(editor)
        else:
            editor.put("/events/e", document)
        clock.forward(seconds=5)
        cold = make_app().test_client()
        for path in paths:
            warm, fresh = client.get(path), cold.get(path)
            assert warm.data == fresh.data, (path, document)
            stamp = warm.headers["Last-Modified"]
            assert stamp == fresh.headers["Last-Modified"]
            assert (
                seen.setdefault((path, stamp), warm.headers["ETag"])
                == warm.headers["ETag"]
            ), (
                path,
                document,
            )


def test_restored_draft_stays_cancelled_in_calendars(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/events/e", EVENT)
    delete(editor)
    clock.forward(seconds=5)
    before = client.get(CALENDAR)
    editor.put("/events/e", SECRET)
    clock.forward(seconds=5)
    delete(editor)
    clock.forward(seconds=5)
    after = client.get(CALENDAR)
    assert after.data == before.data
    assert after.headers["Last-Modified"] == before.headers["Last-Modified"]
    assert len(cancelled(client)) == 1


def test_feed_that_loses_a_tombstone_changes(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/articles/a", {"title": "Tin", "categories": ["van-hoa"]})
    editor.send("DELETE", "/articles/a")
    clock.forward(seconds=5)
    path = "/feeds/news/van-hoa.atom"
    before = client.get(path)
    editor.put("/articles/a", {"title": "Tin", "categories": ["giao-thong"]})
    clock.forward(seconds=5)
    after = client.get(path)
    assert left(client, path) == []
    assert after.headers["Last-Modified"] != before.headers["Last-Modified"]


# What a deletion erases.

PERSON = {
    "name": "MARK-name",
    "url": "https://mark.example/person",
    "email": "mark@private.example",
}
WHOLE: dict[str, Any] = {
    **{name: f"MARK-{name}" for name in TEXT_MEMBERS if name != "content_text"},
    "content_html": "<p>MARK-html</p>",
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
    r"(?i)mark|2031-03-0|21:22:23|20:22:23|12\.345|WEEKLY|tentative|12-12"
)
"""What of them must not be left anywhere."""

KEPT = {"id", "categories", "date_published", "start", "timezone"}
ONLY_ANSWERED = {"guid", "kind", "version", "date_modified", "all_day"}
EITHER = {"content_text"}
"""Members of an event's document: those that a deletion keeps, and those that nobody sends; EITHER stands for the
body that is not in `WHOLE`, which has the other one."""


def test_every_member_of_an_entry_is_kept_or_erased() -> None:
    """A member that is added is sent in `WHOLE`, with a mark that a deletion must erase, or is kept."""
    members = EventSchema._declared_fields.keys()
    assert members == (WHOLE.keys() | KEPT | ONLY_ANSWERED | EITHER), (
        "tests/api/test_deletion.py: WHOLE or KEPT lacks a member"
    )
    assert members > KEPT
    nested: Mapping[str, Any] = {
        "authors": WHOLE["authors"][0],
        "organizer": WHOLE["organizer"],
        "offers": WHOLE["offers"][0],
        "performers": WHOLE["performers"][0],
    }
    for name, value in nested.items():
        schema: ModelSchema = _nested(name)
        assert schema.fields.keys() == value.keys(), name


def _nested(name: str) -> Any:
    field: Any = EventSchema._declared_fields[name]
    return getattr(field, "inner", field).schema


ERASED_COLUMNS = {
    entries: "next_change_at starts ends series_start event_status lang translation_key "
    "content_html content_text document",
    entry_categories: "starts ends lang",
}
SET_COLUMNS = {
    entries: {"status", "is_visible", "size", "content_size", "imported"},
    entry_categories: {"is_visible"},
}
KEPT_COLUMNS = {
    entries: {
        *"pk id guid kind published version sequence".split(),
        *"was_visible seq updated changed_at".split(),
    },
    entry_categories: {
        *"entry_pk category_id position kind published guid".split(),
    },
}
ELSEWHERE = {
    "tombstones": "entry_pk category_id kind published time deleted start timezone sequence",
    "entry_search": "entry_pk key words",
}
"""Other tables with something of an entry; the rows of `entry_search` are erased."""

OF_NO_ENTRY = set(
    "change_sequence changes feed_versions archive_parts languages categories category_slug_history tokens "
    "hubs sanitizer".split()
)


def test_every_column_is_kept_or_erased() -> None:
    """A column that is added must be listed here: as kept by a deletion, or as erased by it."""
    for table, names in ERASED_COLUMNS.items():
        decided = KEPT_COLUMNS[table] | set(names.split()) | SET_COLUMNS[table]
        assert {column.name for column in table.columns} == decided, table.name
    for name, columns in ELSEWHERE.items():
        assert {column.name for column in metadata.tables[name].columns} == set(
            columns.split()
        ), name
    known = {table.name for table in ERASED_COLUMNS} | ELSEWHERE.keys() | OF_NO_ENTRY
    assert metadata.tables.keys() <= known, (
        "a new table: does it hold anything of an entry?"
    )


def test_kept_members_of_a_deleted_entry_are_listed() -> None:
    """All other members are erased, one that is added too."""
    assert {"id", "kind", "published", "guid", "version", "sequence"} == KEPT_MEMBERS
    assert {"start", "timezone"} == KEPT_EVENT_MEMBERS


def test_members_that_a_withdrawn_entry_shows_are_listed() -> None:
    """All other members are hidden, one that is added too."""
    shown = "id kind title language status url categories event notice expires published guid updated version"
    assert {*shown.split(), "withdrawn", "sequence", "starts", "changed"} == WITHDRAWN_MEMBERS  # fmt: skip
    assert {"start", "end", "timezone", "status", "recurrence"} == WITHDRAWN_EVENT_MEMBERS  # fmt: skip


def stored(storage: Storage) -> Iterator[tuple[str, str, Any]]:
    """Yield every value in the database, with its table and column."""
    with storage.database.read() as connection:
        for table in metadata.sorted_tables:
            # The languages that entries have or once had: a tag does not say which entry had it.
            if table.name in ("tokens", "languages"):
                continue
            for row in connection.execute(sa.select(table)).mappings():
                for name, value in row.items():
                    yield table.name, name, value


PUBLIC = [
    *(
        f"/feeds/events{where}"
        for where in (
            ".rss",
            ".atom",
            ".json",
            ".ics",
            ".html?when=all",
            "/van-hoa.ics",
        )
    ),
    "/feeds/events.json?archive=2026-11",
    "/entries/e",
    "/entries/e.ics",
    "/api/v1/changes",
    "/",
]


def test_deleted_event_leaves_no_trace(
    editor: ApiClient, client: FlaskClient, storage: Storage, clock: Clock
) -> None:
    created = editor.send("POST", "/events", {"id": "e", **WHOLE})
    assert created.status_code == 201
    editor.send(
        "PATCH",
        "/events/e",
        {"event_status": "postponed", "start": "2026-12-05T20:00:00+01:00"},
    )
    editor.send(
        "PATCH", "/events/e", {"event_status": "tentative", "start": WHOLE["start"]}
    )
    assert all(TRACES.search(client.get(path).text) for path in PUBLIC[:9])
    guid = created.get_json()["guid"]
    delete(editor)
    for table, column, value in stored(storage):
        assert not TRACES.search(str(value)), (table, column, value)
    lines = [line for line in storage.dump() if not line.startswith('{"languages"')]
    assert not [line for line in lines if TRACES.search(line)]
    for path in PUBLIC:
        assert not TRACES.search(client.get(path).text), path
    assert not TRACES.search(editor.send("GET", "/events").text)
    with storage.database.read() as connection:
        row = connection.execute(sa.select(entries).where(entries.c.id == "e")).one()
    assert (row.guid, row.kind, row.status) == (guid, "events", "deleted")
    assert row.published.isoformat() == "2026-11-20T01:00:00+00:00"
    assert json.loads(row.document) == {
        "id": "e",
        "kind": "events",
        "language": "",
        "title": "",
        "summary": "",
        "status": "deleted",
        "published": "2026-11-20T01:00:00Z",
        "event": {
            "start": "2026-12-05T19:00:00",
            "timezone": "Europe/Paris",
            "status": "confirmed",
            "attendance": "in_person",
        },
    }


def test_deleted_draft_leaves_no_trace(editor: ApiClient, storage: Storage) -> None:
    editor.put("/events/e", {**WHOLE, "status": "draft"})
    delete(editor)
    for table, column, value in stored(storage):
        assert not TRACES.search(str(value)), (table, column, value)


@pytest.mark.sqlite
def test_deleted_text_is_overwritten_in_the_file(
    editor: ApiClient, storage: Storage, config: Config
) -> None:
    file = Path(config.database_url.removeprefix("sqlite:///"))
    long = "".join(
        f"<p>MARK-{number}</p>" for number in range(2000)
    )  # several pages of the file
    editor.put("/articles/a", {"title": "Tin", "content_html": long})
    checkpoint(storage)
    assert b"MARK-" in file.read_bytes()
    editor.send("DELETE", "/articles/a")
    checkpoint(storage)
    assert b"MARK-" not in file.read_bytes()


def checkpoint(storage: Storage) -> None:
    """Copy the write-ahead log of SQLite into the file."""
    with storage.database.read() as connection:
        engine = connection.engine
    with engine.connect() as connection:
        assert connection.connection.driver_connection
        cursor = connection.connection.driver_connection.execute(
            "PRAGMA wal_checkpoint(TRUNCATE)"
        )
        assert cursor.fetchone()[0] == 0, "the log was in use"


def test_withdrawn_event_shows_only_its_notice(
    editor: ApiClient, client: FlaskClient
) -> None:
    kept: dict[str, Any] = {
        "title": "Hội",
        "notice": "Thông tin không đúng.",
        "url": "https://portal.example/e",
    }
    kept |= {
        "language": "vi",
        "expires": None,
        "end": None,
        "recurrence": None,
        "event_status": "confirmed",
    }
    document = {
        name: value for name, value in {**WHOLE, **kept}.items() if value is not None
    }
    editor.put("/events/e", {**document, "status": "withdrawn"})
    for path in PUBLIC:
        response = client.get(
            path, headers={"Accept": "text/html"} if path.startswith("/entries") else {}
        )
        assert not TRACES.search(response.text), path
        if path.startswith("/feeds") and "archive" not in path:
            assert "Thông tin không đúng." in unfolded(response), path
    assert client.get("/entries/e").status_code == 410
    assert "MARK-html" in editor.send("GET", "/events/e").text, (
        "editors may publish it again"
    )


def unfolded(response: TestResponse) -> str:
    return response.text.replace("\r\n ", "")


def test_restored_event_keeps_guid_and_raises_sequence(
    editor: ApiClient, client: FlaskClient
) -> None:
    guid = editor.put("/events/e", EVENT).get_json()["guid"]

    def sequence() -> int:
        (event,) = Calendar.from_ical(client.get(CALENDAR).data).events
        assert event["UID"] == guid.removeprefix("urn:uuid:")
        return int(str(event["SEQUENCE"]))

    numbers = [sequence()]
    for _ in range(2):
        delete(editor)
        numbers.append(sequence())
        restored = editor.put("/events/e", EVENT)
        assert restored.status_code == 201
        assert restored.get_json()["guid"] == guid
        numbers.append(sequence())
    assert numbers == sorted(set(numbers))


# How deletions are published.


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("start", ["2026-12-05T19:00:00", "2026-12-05"])
def test_calendar_shows_only_the_cancellation(
    make_app: MakeApp, clock: Clock, language: str, start: str
) -> None:
    app = make_app(site_language=language)
    editor = _editor(app)
    event = {
        "title": "Hội",
        "start": start,
        "timezone": "Europe/Paris",
        "organizer": PERSON,
    }
    guid = editor.put(
        "/events/e", {**event, "location": {"name": "Nhà hát"}}
    ).get_json()["guid"]
    delete(editor)
    (shown,) = cancelled(editor.client)
    assert shown.keys() == {
        "UID",
        "DTSTAMP",
        "DTSTART",
        "SEQUENCE",
        "STATUS",
        "SUMMARY",
    }
    assert shown["UID"] == guid.removeprefix("urn:uuid:")
    assert shown["SUMMARY"] == {"vi": "Đã hủy", "en": "Cancelled"}[language]
    assert shown["DTSTART"].params.get("TZID") == (
        "Europe/Paris" if "T" in start else None
    )
    assert shown["DTSTART"].dt.isoformat()[: len(start)] == start


def _editor(app: Flask) -> ApiClient:
    token = get_services(app).storage.tokens.create("all", ["events:write"])
    return ApiClient(app.test_client(), token)


def batch_of(
    editor: ApiClient, action: str, kind: str, count: int, **fields: Any
) -> None:
    lines = [
        {"action": action, "kind": kind, "id": f"{kind}-{number}", **fields}
        for number in range(count)
    ]
    assert editor.send("POST", "/batch", lines).status_code == 200


def test_every_deleted_event_is_in_the_calendar_for_30_days(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    batch_of(editor, "put", "events", 80, title="x", start="2026-12-05")
    batch_of(editor, "delete", "events", 80)
    assert len(cancelled(client)) == 80
    assert len(cancelled(client, f"{CALENDAR}?limit=1")) == 80
    clock.forward(days=29, hours=23)
    assert len(cancelled(client)) == 80
    clock.forward(hours=1, seconds=1)
    assert cancelled(client) == []


def test_tombstones_are_limited(
    editor: ApiClient,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    assert (feed_tombstones.MAX_TOMBSTONES, feed_tombstones.MAX_CANCELLED) == (
        1_000,
        10_000,
    )
    monkeypatch.setattr(feed_tombstones, "MAX_TOMBSTONES", 3)
    monkeypatch.setattr(feed_tombstones, "MAX_CANCELLED", 5)
    batch_of(
        editor,
        "put",
        "events",
        7,
        title="x",
        start="2026-12-05",
        categories=["van-hoa", "giao-thong"],
    )
    guids = [
        editor.send("GET", f"/events/events-{n}").get_json()["guid"] for n in range(7)
    ]
    batch_of(editor, "delete", "events", 7)
    for where in ("", "/van-hoa", "/giao-thong,van-hoa", "/giao-thong+van-hoa"):
        assert left(client, f"/feeds/events{where}.atom") == guids[:3:-1], where
        uids = [
            f"urn:uuid:{event['UID']}"
            for event in cancelled(client, f"/feeds/events{where}.ics")
        ]
        assert uids == guids[:1:-1], where


def test_all_deletions_are_listed_where_fewer_entries_than_the_limit_are_shown(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    batch_of(editor, "put", "news", 80, title="x")
    batch_of(editor, "delete", "news", 80)
    clock.forward(days=400)
    editor.put("/articles/new", {"title": "Mới"})
    assert len(left(client, "/feeds/news.atom")) == 80
    assert (
        len(client.get("/feeds/news.json").get_json(force=True)["_deleted"]["items"])
        == 80
    )
    assert left(client, "/feeds/news.atom?limit=1") == [], (
        "none left since the oldest entry shown"
    )


def test_damaged_tombstone_is_left_out(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    batch_of(editor, "put", "events", 2, title="x", start="2026-12-05")
    batch_of(editor, "delete", "events", 2)
    with storage.database.write() as connection:
        first = sa.select(sa.func.min(tombstones.c.entry_pk)).scalar_subquery()
        damaged = tombstones.update().where(tombstones.c.entry_pk == first)
        connection.execute(damaged.values(timezone="localtime"))
    assert len(cancelled(client)) == 1
    assert len(left(client, "/feeds/events.atom")) == 2


def test_moved_entry_has_no_tombstone(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/articles/a", {"title": "Tin", "categories": ["van-hoa"]})
    editor.put("/articles/a", {"title": "Tin", "categories": ["giao-thong"]})
    for where in ("", "/van-hoa", "/giao-thong"):
        assert left(client, f"/feeds/news{where}.atom") == []


def test_deletions_of_an_archive_are_those_of_its_month(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    for month in ("10", "09"):
        fields = {
            "title": month,
            "start": "2026-12-05",
            "date_published": f"2026-{month}-05T08:00:00",
        }
        editor.put(f"/events/e{month}", fields)
    editor.put("/events/stays", {**EVENT, "date_published": "2026-10-06T08:00:00"})
    editor.send("DELETE", "/events/e10")
    editor.send("DELETE", "/events/e09")
    assert len(left(client, "/feeds/events.atom?archive=2026-10")) == 1
    assert len(cancelled(client, f"{CALENDAR}?archive=2026-10")) == 1
    assert len(cancelled(client)) == 2


# Deletions and withdrawals in feeds with a parameter.

LISTED_EVENT = {
    **EVENT,
    "summary": "SECRET summary",
    "content_html": "<p>SECRET text</p>",
    "location": {"name": "SECRET place"},
    **SELECTED,
}
HIDDEN_EDIT = {**REJECTED, **SECRET}


@pytest.mark.sqlite
@pytest.mark.parametrize("name", VALUES)
def test_feed_with_a_parameter_lists_deletions(
    editor: ApiClient, client: FlaskClient, make_app: MakeApp, name: str
) -> None:
    """Of a search, nothing is left by which an entry matched."""
    query = f"?{query_string(name)}"
    atom, calendar = f"/feeds/events.atom{query}", CALENDAR + query
    guid = editor.put("/events/e", LISTED_EVENT).get_json()["guid"]
    assert guid in client.get(atom).text
    expected = [] if name == "q" else [guid]
    delete(editor)
    assert left(client, atom) == expected
    assert len(cancelled(client, calendar)) == len(expected)
    # What an editor does with the hidden event changes no feed. This worker has them
    # in its cache, another has not.
    editor.put("/events/e", HIDDEN_EDIT)
    other_client = make_app(migrate=False).test_client()
    assert left(other_client, atom) == expected
    assert len(cancelled(other_client, calendar)) == len(expected)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", VALUES)
def test_feed_with_a_parameter_lists_withdrawn_entries_without_their_members(
    editor: ApiClient, client: FlaskClient, name: str
) -> None:
    editor.put("/events/e", LISTED_EVENT)
    withdrawn = {"status": "withdrawn", "notice": "Thông tin không đúng."}
    editor.put("/events/e", {**LISTED_EVENT, **withdrawn})
    for format in FORMATS:
        path = f"/feeds/events.{format}?{query_string(name)}"
        response = client.get(path, follow_redirects=True)
        assert "Thông tin không đúng." in unfolded(response), (
            f"{path}: readers need the notice; see feedsvc/storage/feed_conditions.py"
        )
        assert "SECRET" not in response.text, path


# What followers of the changes see.


def test_edits_of_a_hidden_entry_are_not_listed_as_changes(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/a", {"title": "Tin", "categories": ["van-hoa"]})
    draft = {"title": "Nháp", "status": "draft", "categories": ["van-hoa"]}
    _, step = changes(client)
    editor.put("/articles/a", draft)
    listed, step = changes(client, step)
    assert listed == [("delete", "a")]
    editor.put("/articles/a", {**draft, "title": "Nháp hai"})
    editor.send("PATCH", "/articles/a", {"summary": "Tóm"})
    editor.send("PATCH", "/categories/van-hoa", {"slug": "van-hoa-so"})
    editor.send("DELETE", "/articles/a")
    editor.put("/articles/a", {**draft, "categories": []})
    listed, step = changes(client, step)
    assert listed == []
    editor.put("/articles/a", {"title": "Tin"})
    assert changes(client, step)[0] == [("put", "a")]
