"""Every member of an entry is in the API, and shown by formats or listed as hidden."""

import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import pytest

from feedsvc.feeds.query import FORMATS
from feedsvc.formats.shown import Shown
from feedsvc.input.schemas import EventSchema
from feedsvc.models import (
    ACCESSIBILITY,
    ATTENDANCES,
    AVAILABILITIES,
    DELETED_MEMBERS,
    EVENT_STATUSES,
    WITHDRAWN_EVENT_MEMBERS,
    WITHDRAWN_MEMBERS,
    Entry,
    Event,
    Offer,
)
from feedsvc.pages.html import render_entry
from feedsvc.pages.json_ld import json_ld
from feedsvc.pages.values import ListPage, PageLanguages
from feedsvc.storage.documents import (
    COLUMN_MEMBERS,
    decode_document,
    encode_document,
)
from feedsvc.text.languages import UI_LANGUAGES
from tests.formats import format_tests
from tests.formats.feeds import (
    CONCERT,
    ENTRIES,
    FAIR,
    FULL,
    HANOI,
    PAGE_SETTINGS,
    SITE,
    feed,
    render_feed,
    with_member,
)
from tests.full_entries import EVENT, MEMBERS, SCHEMAS

UNUSED_ENTRY_MEMBERS = set(
    "ends expires notice sequence starts is_ongoing is_next is_over status withdrawn".split()
)
"""Members that have their own tests instead of a value in the golden files."""

UNUSED_EVENT_MEMBERS = {"recurrence"}

HIDDEN_ON_ENTRY_PAGES = set("id guid content_text translation_key expires".split())

HIDDEN_IN_JSON_LD = set(
    "id guid content_html content_text source rights attachments translation_key "
    "notice expires timezone recurrence".split()
)

DERIVED_MEMBERS = set(
    "ends event is_next is_ongoing is_over sequence starts translations withdrawn".split()
)
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
    members = {member.name for model in (Entry, Event) for member in fields(model)}
    missing = members - named - DERIVED_MEMBERS
    assert not missing, f"feedsvc/input/schemas.py lacks {missing}"


@pytest.mark.parametrize(
    ("model", "unused"),
    [(Entry, UNUSED_ENTRY_MEMBERS), (Event, UNUSED_EVENT_MEMBERS)],
)
def test_golden_entries_have_every_member(model: type, unused: set[str]) -> None:
    entries = [entry for group in ENTRIES.values() for entry in group]
    values = entries if model is Entry else [entry.event for entry in entries]
    used = {
        member.name
        for member in fields(model)
        for value in values
        if value is not None and getattr(value, member.name) != member.default
    }
    assert used | unused == {member.name for member in fields(model)}, (
        "feedsvc/input/schemas.py and tests/data/full_entries.json"
    )


def test_absent_member_of_a_stored_document_may_be_null() -> None:
    text = encode_document(with_member(FAIR, "event.end", None))
    assert "null" not in text, "storage/documents.py stores absent members"
    document = json.loads(text)
    for model, members in ((Entry, document), (Event, document["event"])):
        for member in fields(model):
            if str(member.type).endswith("| None"):
                members.setdefault(member.name)
    assert decode_document(json.dumps(document)) == decode_document(text)


def whole_feed(format: str, entry: Entry) -> ListPage:
    return feed(entry.kind, format, entry, content="full")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("status", status) for status in EVENT_STATUSES),
        *(("attendance", attendance) for attendance in ATTENDANCES),
        *(
            ("offers", (Offer("0", "VND", availability=availability),))
            for availability in AVAILABILITIES
        ),
        *(("accessibility", (name,)) for name in ACCESSIBILITY),
    ],
    ids=str,
)
def test_every_value_of_an_event_is_rendered(member: str, value: Any) -> None:
    entry = with_member(CONCERT, f"event.{member}", value)
    for format in FORMATS:
        document = render_feed(whole_feed(format, entry))
        assert CONCERT.title.encode() in document
    for language in UI_LANGUAGES:
        languages = PageLanguages.of(SITE, None, language)
        assert render_entry(entry, (), SITE, PAGE_SETTINGS, languages)


FULL_EVENT = replace(
    FULL,
    kind="events",
    event=EventSchema(SITE).load(EVENT).event,
    starts=CONCERT.starts,
)

MARKERS = {
    "url": "https://marker.example/",
    "guid": "tag:marker.example",
    "online_url": "https://marker.example/",
}
"""Texts that stand in documents as they are; others are "marker"."""

OTHER_VALUES: dict[str, Any] = {
    "language": "ja",
    "start": datetime(2026, 12, 24, 18, tzinfo=HANOI),
    "end": None,
    "timezone": ZoneInfo("Europe/Paris"),
    "event_status": "cancelled",
    "attendance": "online",
    "expires": datetime(2031, 1, 1, tzinfo=UTC),
}
"""Values of members that have no default, or are words of our own, by API name.

Others are compared with their defaults.
"""


def shown_documents(entry: Entry) -> dict[str, bytes]:
    """Return all that shows an entry, by the file that is responsible for it."""
    languages = PageLanguages.of(SITE, None, None, entry.language)
    page = render_entry(entry, (), SITE, PAGE_SETTINGS, languages)
    documents = {
        "pages/templates/entry.html": re.sub(rb"(?s)<script.*?</script>", b"", page),
        "pages/json_ld.py": json_ld(
            Shown(entry, SITE, entry.date, SITE.language)
        ).encode(),
    }
    for format, form in FORMATS.items():
        if entry.kind in form.kinds:
            document = render_feed(whole_feed(format, entry))
            # Calendars fold lines, also within a marker.
            documents[f"{format}.py"] = document.replace(b"\r\n ", b"")
    return documents


def hidden_members(file: str) -> tuple[set[str], str]:
    """Return the members that a document does not show, and where they are listed."""
    if file == "pages/templates/entry.html":
        return (
            HIDDEN_ON_ENTRY_PAGES,
            "HIDDEN_ON_ENTRY_PAGES of test_members.py",
        )
    if file == "pages/json_ld.py":
        return HIDDEN_IN_JSON_LD, "HIDDEN_IN_JSON_LD of test_members.py"
    suffix = file.removesuffix(".py")
    hidden = format_tests(suffix).HIDDEN
    return hidden, f"HIDDEN of test_{suffix}.py"


# A withdrawn entry has no page, and has its own tests.
@pytest.mark.parametrize("name", sorted(MEMBERS.keys() - {"status"}))
def test_member_is_shown_or_listed_as_hidden(name: str) -> None:
    attribute = SCHEMAS[MEMBERS[name]]._declared_fields[name].attribute or name
    is_shown = {
        **files_that_show(FULL_EVENT, name, attribute),
        # An article has no calendar.
        **(
            {}
            if attribute.startswith("event.")
            else files_that_show(FULL, name, attribute)
        ),
    }
    wrong = []
    for file, is_in_file in is_shown.items():
        hidden, place = hidden_members(file)
        if is_in_file == (name in hidden):
            wrong.append(f"{file} or {place}")
    assert not wrong, f"{name}: {', '.join(wrong)}"


def files_that_show(entry: Entry, name: str, attribute: str) -> dict[str, bool]:
    """Return each file that renders an entry, and if it shows a member.

    It does so if its document has a marker instead of a text; of another type, if the
    document is another one without the member.
    """
    group, _, member = attribute.rpartition(".")
    model = Event if group else Entry
    is_text = get_type_hints(model)[member] in (str, str | None)
    if is_text and name not in OTHER_VALUES:
        marker = MARKERS.get(name, "marker")
        documents = shown_documents(with_member(entry, attribute, marker))
        return {
            file: marker.encode() in document for file, document in documents.items()
        }
    default = model.__dataclass_fields__[member].default
    other = OTHER_VALUES.get(name, default)
    value = getattr(entry.event if group else entry, member)
    assert value != other, f"{name}: tests/data/full_entries.json has no value"
    documents = shown_documents(entry)
    others = shown_documents(with_member(entry, attribute, other))
    return {file: documents[file] != others[file] for file in documents}
