"""The document of an entry: all that has no column of its own, as JSON."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from feedsvc.api.schemas import EventSchema
from feedsvc.models import Entry, Event, Place, Recurrence
from feedsvc.storage import Storage
from feedsvc.storage.damaged_rows import UNREADABLE
from feedsvc.storage.entry_documents import (
    BODIES,
    DOCUMENT_MEMBERS,
    STORAGE_MEMBERS,
    decode_document,
    decode_times,
    encode_document,
)
from feedsvc.storage.entry_rows import entry_columns
from feedsvc.storage.tables import entries
from feedsvc.timezones import zone
from tests.conftest import ApiClient
from tests.formats.feeds import SITE
from tests.full_entries import EVENT as FULL_EVENT

NOW = datetime(2026, 11, 25, 3, 0, 0, 1, tzinfo=UTC)
PARIS = zone("Europe/Paris")
_FULL: Entry = EventSchema(SITE).load(FULL_EVENT)
assert _FULL.event
EVENT = replace(
    _FULL.event,
    start=datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=PARIS),
    end=datetime(2026, 10, 25, 4, 0, tzinfo=PARIS),
    timezone=PARIS,
    location=Place("Nhà hát", "1 Tràng Tiền", "https://a.example/", 21.02, 105.85),
    recurrence=Recurrence(
        "FREQ=WEEKLY;UNTIL=20270101T013000Z",
        (datetime(2026, 11, 1, 2, 30, tzinfo=PARIS),),
        (datetime(2026, 11, 3, 2, 30, tzinfo=PARIS),),
    ),
    previous_start=datetime(2026, 10, 24, 2, 30, tzinfo=PARIS),
)
ENTRY = replace(
    _FULL,
    event=EVENT,
    status="withdrawn",
    published=NOW,
    withdrawn=NOW,
    # They have columns of their own.
    content_html=None,
    categories=(),
)
"""An entry with a value for each member of its document."""


def test_every_member_is_in_the_document_or_elsewhere() -> None:
    """A member that is added to `Entry` is stored without a change to the storage."""
    computed = {"changed", "abridged", "rendered", "translations"}
    elsewhere = {*STORAGE_MEMBERS, *BODIES, "categories", *computed}
    assert {field.name for field in fields(Entry)} == {*DOCUMENT_MEMBERS, *elsewhere}
    for name in DOCUMENT_MEMBERS:
        default = Entry.__dataclass_fields__[name].default
        assert getattr(ENTRY, name) != default, f"tests/full_entries.py: no {name}"


def test_decoding_returns_what_was_encoded() -> None:
    assert Entry(**decode_document(encode_document(ENTRY))) == ENTRY
    event = decode_document(encode_document(ENTRY))["event"]
    assert event.start.fold == 1, "the second of two equal local times"
    bare = Entry("a", "news", "Tin", "vi")
    assert Entry(**decode_document(encode_document(bare))) == bare


def test_document_has_sorted_members_and_no_empty_ones() -> None:
    document = encode_document(ENTRY)
    assert document == json.dumps(
        json.loads(document), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    assert "null" not in document
    assert json.loads(encode_document(Entry("a", "news", "Tin", "vi"))) == {
        "id": "a",
        "kind": "news",
        "language": "vi",
        "status": "published",
        "summary": "",
        "title": "Tin",
    }


def test_document_does_not_depend_on_the_offset_of_a_time() -> None:
    local = replace(ENTRY, published=NOW.astimezone(PARIS))
    assert encode_document(local) == encode_document(ENTRY)


def test_all_day_event_has_dates() -> None:
    event = Event(date(2026, 12, 5), date(2026, 12, 7), PARIS)
    document = encode_document(replace(ENTRY, event=event))
    assert json.loads(document)["event"]["start"] == "2026-12-05"
    assert decode_document(document)["event"] == event


@pytest.mark.parametrize(
    "until",
    [
        pytest.param("99991231T235959Z", id="after the last local time"),
        pytest.param("20261025T013000Z", id="the second of two equal local times"),
    ],
)
def test_end_of_a_series_that_has_no_local_time_is_kept(until: str) -> None:
    recurrence = Recurrence(f"FREQ=WEEKLY;UNTIL={until}")
    event = Event(NOW, None, PARIS, recurrence=recurrence)
    decoded = decode_document(encode_document(replace(ENTRY, event=event)))["event"]
    assert decoded.recurrence == recurrence


def test_times_are_decoded_without_the_rest() -> None:
    times = decode_times(encode_document(ENTRY))
    assert times == Event(
        EVENT.start,
        EVENT.end,
        EVENT.timezone,
        recurrence=EVENT.recurrence,
        previous_start=EVENT.previous_start,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", 5),
        ("title", None),
        ("expires", "soon"),
        ("authors", 5),
        ("authors", [{}]),
        ("authors", [{"name": 5}]),
        ("image", {"alt": "x"}),
        ("event", {"start": "2026-12-05"}),
    ],
)
def test_damaged_document_is_unreadable(name: str, value: Any) -> None:
    members = json.loads(encode_document(ENTRY)) | {name: value}
    if value is None:
        del members[name]
    with pytest.raises(UNREADABLE):
        Entry(**decode_document(json.dumps(members)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "Europe/Atlantis"),
        ("timezone", "localtime"),
        ("start", "soon"),
        ("recurrence", {}),
        ("recurrence", {"rrule": "FREQ=SOMETIMES"}),
        ("recurrence", {"rrule": 5}),
        ("location", [1]),
    ],
)
def test_damaged_event_is_unreadable(name: str, value: Any) -> None:
    members = json.loads(encode_document(ENTRY))
    members["event"][name] = value
    with pytest.raises(UNREADABLE):
        decode_document(json.dumps(members))


def test_text_that_is_no_json_is_unreadable() -> None:
    with pytest.raises(UNREADABLE):
        decode_document("{")


def test_unknown_member_of_a_newer_version_is_ignored() -> None:
    """An older worker reads what a newer one has stored, during a rolling upgrade."""
    members = json.loads(encode_document(ENTRY)) | {"added_later": "x"}
    assert Entry(**decode_document(json.dumps(members))) == ENTRY


def test_columns_of_an_entry_are_columns_of_the_table() -> None:
    assert entry_columns(ENTRY).keys() <= {column.name for column in entries.columns}


@pytest.mark.both_databases
def test_condition_can_read_a_member(editor: ApiClient, storage: Storage) -> None:
    """The docstring of PARAMETER_CONDITIONS has this expression."""
    for id, name in (("a", "Báo Hà Nội mới"), ("b", "Báo Nhân dân")):
        editor.put(f"/articles/{id}", {"title": "x", "source": {"name": name}})
    source = sa.cast(entries.c.document, sa.JSON().with_variant(sa.String(), "sqlite"))[
        "source", "name"
    ].as_string()
    statement = sa.select(entries.c.id).where(source == sa.bindparam("source"))
    with storage.database.read() as connection:
        ids = connection.scalars(statement, {"source": "Báo Nhân dân"}).all()
    assert ids == ["b"]
