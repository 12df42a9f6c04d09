"""Every member of an entry is in the API, and shown by formats or listed as hidden."""

from __future__ import annotations

from dataclasses import Field, fields, replace
from typing import Any, get_type_hints

import pytest

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS
from feedsvc.formats import render_feed
from feedsvc.formats.html import render_entry
from feedsvc.models import (
    ATTENDANCES,
    AVAILABILITIES,
    DELETED_MEMBERS,
    EVENT_STATUSES,
    UI_LANGUAGES,
    WITHDRAWN_EVENT_MEMBERS,
    WITHDRAWN_MEMBERS,
    Entry,
    Event,
    Offer,
)
from feedsvc.storage.documents import COLUMN_MEMBERS
from tests.formats import format_tests
from tests.formats.feeds import CONCERT, ENTRIES, FULL, SITE, feed
from tests.full_entries import SCHEMAS

UNUSED_ENTRY_MEMBERS = {
    "expires",
    "notice",
    "sequence",
    "starts",
    "is_ongoing",
    "is_next",
    "status",
    "withdrawn",
}
"""Members that have their own tests instead of a value in the golden files."""

UNUSED_EVENT_MEMBERS = {"recurrence"}

STRING_MEMBERS = {
    name
    for name, type_ in get_type_hints(Entry).items()
    if type_ in (str, str | None)
    and name not in ("kind", "status", "language")
}

HIDDEN_ON_ENTRY_PAGES = {"id", "guid", "content_text", "translation_key"}

DERIVED_MEMBERS = {
    "event",
    "is_next",
    "is_ongoing",
    "sequence",
    "starts",
    "translations",
    "withdrawn",
}
"""Members that follow from others, from other entries, or from earlier writes."""


@pytest.mark.parametrize(
    ("model", "listed", "file"),
    [
        (Entry, DELETED_MEMBERS, "models.py"),
        (Entry, WITHDRAWN_MEMBERS, "models.py"),
        (Event, WITHDRAWN_EVENT_MEMBERS, "models.py"),
        (Entry, COLUMN_MEMBERS, "storage/documents.py"),
    ],
)
def test_lists_of_members_have_no_others(
    model: type, listed: frozenset[str], file: str
) -> None:
    others = listed - {member.name for member in fields(model)}
    assert not others, f"feedsvc/{file}: no members: {others}"


def test_schema_has_every_member() -> None:
    named = {
        (field.attribute or name).removeprefix("event.")
        for schema in SCHEMAS.values()
        for name, field in schema._declared_fields.items()
    }
    members = {
        member.name for model in (Entry, Event) for member in fields(model)
    }
    missing = members - named - DERIVED_MEMBERS
    assert not missing, f"feedsvc/input/schemas.py lacks {missing}"


@pytest.mark.parametrize(
    ("model", "unused"),
    [(Entry, UNUSED_ENTRY_MEMBERS), (Event, UNUSED_EVENT_MEMBERS)],
)
def test_golden_entries_have_every_member(
    model: type, unused: set[str]
) -> None:
    entries = [entry for group in ENTRIES.values() for entry in group]
    values = entries if model is Entry else [entry.event for entry in entries]
    used = {
        member.name
        for member in fields(model)
        for value in values
        if value is not None and getattr(value, member.name) != member.default
    }
    assert used | unused == {member.name for member in fields(model)}, (
        "feedsvc/input/schemas.py and tests/full_entries.py"
    )


OTHER_MEMBERS = [
    *(
        (FULL, member)
        for member in fields(Entry)
        if member.default != getattr(FULL, member.name)
        and member.name not in STRING_MEMBERS | {"kind", "language", "version"}
    ),
    *(
        (CONCERT, member)
        for member in fields(Event)
        if member.default != getattr(CONCERT.event, member.name)
        and member.name not in ("start", "end", "timezone")
    ),
]
"""Members that are no texts of an entry, each with an entry that has it."""


@pytest.mark.parametrize(
    ("entry", "member"),
    OTHER_MEMBERS,
    ids=lambda value: getattr(value, "name", ""),
)
def test_other_member_is_in_a_format(entry: Entry, member: Field[Any]) -> None:
    changes: dict[str, Any] = {member.name: member.default}
    if entry.event and member in fields(Event):
        without = replace(entry, event=replace(entry.event, **changes))
    else:
        without = replace(entry, **changes)
    assert any(
        render_feed(whole_feed(format, entry))
        != render_feed(whole_feed(format, without))
        for format, form in FORMATS.items()
        if entry.kind in form.kinds
    ), f"{member.name}: show it by feedsvc/formats"


def whole_feed(format: str, entry: Entry) -> Feed:
    return feed(entry.kind, format, entry, content="full")


@pytest.mark.parametrize(
    "changes",
    [
        *({"status": status} for status in EVENT_STATUSES),
        *({"attendance": attendance} for attendance in ATTENDANCES),
        *(
            {"offers": (Offer("0", "VND", availability=availability),)}
            for availability in AVAILABILITIES
        ),
    ],
    ids=str,
)
def test_every_value_of_an_event_is_rendered(changes: dict[str, Any]) -> None:
    assert CONCERT.event
    entry = replace(CONCERT, event=replace(CONCERT.event, **changes))
    for format, form in FORMATS.items():
        if "events" in form.kinds:
            assert CONCERT.title.encode() in render_feed(
                whole_feed(format, entry)
            )
    for language in UI_LANGUAGES:
        assert render_entry(entry, (), SITE, language)


@pytest.mark.parametrize("name", sorted(STRING_MEMBERS))
def test_text_member_is_in_every_format(name: str) -> None:
    marker = {
        "url": "https://marker.example/",
        "guid": "tag:marker.example,2026:1",
    }.get(name, "marker")
    changes: dict[str, Any] = {name: marker}
    entry = replace(FULL, **changes)
    page = render_entry(entry, (), SITE, None)
    documents = {"entry.html": page}
    hidden_members = {"entry.html": HIDDEN_ON_ENTRY_PAGES}
    for format, form in FORMATS.items():
        if "news" in form.kinds:
            documents[format] = render_feed(whole_feed(format, entry))
            hidden_members[format] = format_tests(format).HIDDEN
    wrong = [
        format
        for format, document in documents.items()
        if (marker.encode() in document) == (name in hidden_members[format])
    ]
    assert not wrong, (
        f"{name} in {', '.join(wrong)}: show it by feedsvc/formats (xml.py, json.py, "
        "templates/_entry_title.html, …), or list it in HIDDEN of "
        "tests/formats/test_<format>.py, or in HIDDEN_ON_ENTRY_PAGES of test_members.py"
    )
