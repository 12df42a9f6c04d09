"""Decisions on writes of entries, by values alone."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feedsvc.errors import Conflict, Forbidden, ValidationFailed
from feedsvc.models import (
    Cancellation,
    Entry,
    Event,
    Person,
    Place,
    Recurrence,
)
from feedsvc.storage.decisions import (
    SCHEDULE_MEMBERS,
    check_id,
    check_others,
    check_permission,
    decide_delete,
    decide_put,
)
from feedsvc.storage.state import State, state_at

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
EVENT = Event(
    datetime(2026, 12, 24, 19, 0, tzinfo=PARIS),
    datetime(2026, 12, 24, 21, 0, tzinfo=PARIS),
    PARIS,
)
SECOND = datetime(2026, 12, 25, 19, 0, tzinfo=PARIS)
ENTRY = Entry("a", "events", "T", "vi", event=EVENT)

#: What clients send, by the state in which it is to be.
SENT = {
    "draft": replace(ENTRY, status="draft"),
    "scheduled": replace(ENTRY, published=NOW + HOUR),
    "public": ENTRY,
    "withdrawn": replace(ENTRY, status="withdrawn"),
    "expired": replace(
        ENTRY, published=NOW - 2 * HOUR, expires=NOW - HOUR / 2
    ),
}
STORED = ("new", *SENT, "deleted")

#: What readers see after a write, by the stored state and what is sent.
SEEN = """
          draft  scheduled public withdrawn expired
new       never  never     yes    never     never
draft     never  never     yes    never     never
scheduled never  never     never  never     never
public    before before    yes    notice    before
withdrawn before before    yes    notice    before
expired   before before    yes    notice    before
deleted   before before    yes    notice    before
"""
_HEAD, *_ROWS = [line.split() for line in SEEN.strip().splitlines()]
EXPECTED = {
    (row[0], sent): seen
    for row in _ROWS
    for sent, seen in zip(_HEAD, row[1:], strict=True)
}


def stored(state: str) -> tuple[Entry | None, bool]:
    """Return the entry in a state, and whether readers saw it an hour ago."""
    if state == "new":
        return None, False
    if state in ("draft", "scheduled"):
        return decide_put(None, SENT[state], NOW - HOUR), False
    # Readers saw all others.
    public = decide_put(None, SENT["public"], NOW - 2 * HOUR)
    if state == "public":
        return public, True
    if state == "deleted":
        return decide_delete(public), True
    return decide_put(public, SENT[state], NOW - HOUR), True


def put(old: Entry | None, sent: Entry, *, was_public: bool) -> State:
    return state_at(decide_put(old, sent, NOW), NOW, was_public=was_public)


@pytest.mark.parametrize(("state", "sent"), EXPECTED)
def test_readers_see_what_was_public(state: str, sent: str) -> None:
    old, was_public = stored(state)
    after = put(old, SENT[sent], was_public=was_public)
    seen = "before" if after.was_public else "never"
    if after.is_public:
        seen = "notice" if sent == "withdrawn" else "yes"
    assert seen == EXPECTED[state, sent]


@pytest.mark.parametrize(("state", "sent"), EXPECTED)
def test_numbers_rise_and_dates_stay(state: str, sent: str) -> None:
    old, _ = stored(state)
    entry = decide_put(old, SENT[sent], NOW)
    assert entry.version == (old.version + 1 if old else 1)
    assert (entry.withdrawn is not None) == (sent == "withdrawn")
    if old is None:
        assert entry.guid.startswith("urn:uuid:")
        assert entry.sequence == 0
        return
    assert entry.guid == old.guid
    # Of the schedule, only the status differs here; a deleted entry has none.
    assert entry.sequence == old.sequence + (old.status != entry.status)
    if SENT[sent].published is None:
        assert entry.published == (
            old.published or (None if sent == "draft" else NOW)
        )


def test_the_same_again_differs_in_the_version_alone() -> None:
    for sent in SENT.values():
        old = decide_put(None, sent, NOW - HOUR)
        again = decide_put(old, sent, NOW)
        assert again == replace(old, version=2)


def test_deletion_keeps_guid_and_raises_numbers() -> None:
    old = decide_put(None, ENTRY, NOW)
    deleted = decide_delete(old)
    assert (deleted.guid, deleted.version, deleted.sequence) == (
        old.guid,
        2,
        1,
    )
    assert deleted.title == ""
    assert deleted.event is None


@pytest.mark.parametrize(
    ("changes", "is_scheduled"),
    [
        ({"start": datetime(2026, 12, 24, 18, 0, tzinfo=PARIS)}, True),
        ({"end": None}, True),
        ({"location": Place("Phố sách")}, True),
        ({"status": "cancelled"}, True),
        ({"recurrence": Recurrence("FREQ=DAILY")}, True),
        ({"attendance": "online", "online_url": "https://a.example"}, True),
        ({"organizer": Person("Lan")}, False),
    ],
)
def test_sequence_rises_with_the_schedule_alone(
    changes: dict[str, object], is_scheduled: bool
) -> None:
    old = decide_put(None, ENTRY, NOW)
    event = replace(EVENT, **changes)  # type: ignore[arg-type]
    entry = decide_put(old, replace(ENTRY, event=event, title="Khác"), NOW)
    assert entry.sequence == is_scheduled


def test_sequence_rises_with_cancelled_dates_but_not_with_reasons() -> None:
    old = decide_put(None, series(), NOW)
    off = decide_put(old, series(Cancellation(SECOND)), NOW)
    assert off.sequence == 1
    explained = decide_put(off, series(Cancellation(SECOND, "Mưa")), NOW)
    assert explained.sequence == 1
    assert explained.version == 3
    assert decide_put(explained, series(), NOW).sequence == 2


def series(*cancelled: Cancellation) -> Entry:
    recurrence = Recurrence("FREQ=DAILY", cancelled=cancelled)
    return replace(ENTRY, event=replace(EVENT, recurrence=recurrence))


def test_second_pass_of_a_repeated_hour_is_another_schedule() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS)
    old_event = replace(EVENT, start=first, end=None)
    new_event = replace(old_event, start=first.replace(fold=1))
    old = decide_put(None, replace(ENTRY, event=old_event), NOW)
    entry = decide_put(old, replace(ENTRY, event=new_event), NOW)
    assert entry.sequence == 1


def test_every_member_of_events_counts_for_sequence_or_does_not() -> None:
    """A new member counts for nothing until somebody says so."""
    named = {*SCHEDULE_MEMBERS} - {"starts", "ends", "all_day"}
    others = {"start", "end", "organizer", "offers", "performers"}
    assert named | others == {field.name for field in fields(Event)}


def test_expiry_must_be_after_the_stored_publication() -> None:
    old = decide_put(None, ENTRY, NOW)
    with pytest.raises(ValidationFailed):
        decide_put(old, replace(ENTRY, expires=NOW), NOW + HOUR)


def test_taken_ids_guids_and_languages_are_refused() -> None:
    old = decide_put(None, ENTRY, NOW)
    check_id(old, ENTRY, create=False)
    check_others(old, ENTRY, guid_owner=None, translations={"en": "b"})
    with pytest.raises(Conflict):
        check_id(old, ENTRY, create=True)
    with pytest.raises(Conflict):
        check_id(old, replace(ENTRY, kind="news"), create=False)
    with pytest.raises(Conflict):
        check_others(None, ENTRY, guid_owner="b", translations={})
    for other in (replace(ENTRY, guid="x"), replace(ENTRY, language="EN")):
        with pytest.raises(ValidationFailed):
            check_others(old, other, guid_owner=None, translations={"en": "b"})


def test_limited_writers_need_all_categories_of_an_entry() -> None:
    check_permission({1}, {"a": [1], "below-a": [7, 1]})
    for categories in ({}, {"b": [2]}, {"a": [1], "b": [2]}):
        with pytest.raises(Forbidden):
            check_permission({1}, categories)
