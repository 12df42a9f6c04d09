"""Decisions on writes of entries, by values alone."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feedsvc.errors import ValidationFailed
from feedsvc.models import (
    Cancellation,
    Entry,
    Event,
    Person,
    Place,
    Recurrence,
)
from feedsvc.storage.visibility import state_at
from feedsvc.storage.write_rules import (
    SCHEDULE_MEMBERS,
    decide_put,
)

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
#: In the first pass of an hour that the end of daylight saving time repeats.
START = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS)
EVENT = Event(START, START + 9 * HOUR, PARIS)
ENTRY = Entry("a", "events", "T", "vi", event=EVENT)

#: What clients send, by the state in which it is to be.
SENT = {
    "draft": replace(ENTRY, status="draft"),
    "scheduled": replace(ENTRY, published=NOW + HOUR),
    "public": ENTRY,
    "withdrawn": replace(ENTRY, status="withdrawn"),
    "expired": replace(ENTRY, published=NOW - 2 * HOUR, expires=NOW - HOUR / 2),
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
        return public.erased(), True
    return decide_put(public, SENT[state], NOW - HOUR), True


@pytest.mark.parametrize(("state", "sent"), EXPECTED)
def test_readers_see_what_was_public_and_numbers_rise(state: str, sent: str) -> None:
    old, was_public = stored(state)
    entry = decide_put(old, SENT[sent], NOW)
    after = state_at(entry, NOW, was_public=was_public)
    seen = "before" if after.was_public else "never"
    if after.is_public:
        seen = "notice" if sent == "withdrawn" else "yes"
    assert seen == EXPECTED[state, sent]
    assert (entry.withdrawn is not None) == (sent == "withdrawn")
    if old is None:
        assert entry.guid.startswith("urn:uuid:")
        assert (entry.version, entry.sequence) == (1, 0)
        return
    assert (entry.guid, entry.version) == (old.guid, old.version + 1)
    # Of the schedule, only the status differs here; a deleted entry has none.
    assert entry.sequence == old.sequence + (old.status != entry.status)
    if SENT[sent].published is None:
        assert entry.published == (old.published or (None if sent == "draft" else NOW))


def test_the_same_again_differs_in_the_version_alone() -> None:
    for sent in SENT.values():
        old = decide_put(None, sent, NOW - HOUR)
        again = decide_put(old, sent, NOW)
        assert again == replace(old, version=2)


@pytest.mark.parametrize(
    ("changes", "is_scheduled"),
    [
        ({"start": START - HOUR}, True),
        ({"start": START.replace(fold=1)}, True),
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
    entry = None
    date = START + 24 * HOUR
    for cancelled, sequence in (
        ((), 0),
        ((Cancellation(date),), 1),
        ((Cancellation(date, "Mưa"),), 1),
        ((), 2),
    ):
        recurrence = Recurrence("FREQ=DAILY", cancelled=cancelled)
        event = replace(EVENT, recurrence=recurrence)
        entry = decide_put(entry, replace(ENTRY, event=event), NOW)
        assert entry.sequence == sequence


def test_every_member_of_events_counts_for_sequence_or_does_not() -> None:
    """A new member counts for nothing until somebody says so."""
    named = {*SCHEDULE_MEMBERS} - {"starts", "ends", "all_day"}
    others = {
        *("start", "end", "previous_start", "organizer", "offers", "performers"),
        *("is_accessible_for_free", "accessibility"),
    }
    assert named | others == {field.name for field in fields(Event)}


def test_expiry_must_be_after_the_stored_publication() -> None:
    old = decide_put(None, ENTRY, NOW)
    # It may be over.
    decide_put(old, replace(ENTRY, expires=NOW + HOUR), NOW + 2 * HOUR)
    with pytest.raises(ValidationFailed) as caught:
        decide_put(old, replace(ENTRY, expires=NOW), NOW + HOUR)
    assert caught.value.errors[0].pointer == "#/expires"
