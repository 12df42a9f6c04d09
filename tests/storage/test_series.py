"""Series of events: the occurrence that is current or next is settled as time passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from feedsvc.models import Category, Entry, Event, Recurrence
from feedsvc.recurrence import (
    MAX_DATETIME,
    current_or_next,
    display_occurrence,
    occurrences,
    overlaps,
    series_end,
)
from feedsvc.storage import Storage
from tests.fake_clock import Clock
from tests.storage.selections import selection, version_of

pytestmark = pytest.mark.both_databases

HANOI, PARIS = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Paris")
A = Category("a", "A")


def weekly(rule: str = "FREQ=WEEKLY", **details: object) -> Entry:
    """A market on Saturdays, 12:00 to 14:00 UTC, the first one on 5 December."""
    event = Event(
        datetime(2026, 12, 5, 19, tzinfo=HANOI),
        datetime(2026, 12, 5, 21, tzinfo=HANOI),
        HANOI,
        recurrence=Recurrence(rule, **details),  # type: ignore[arg-type]
    )
    return Entry("e", "events", "Chợ phiên", "vi", event=event, categories=(A,))


def day(number: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, 12, number, hour, minute, tzinfo=UTC)


@pytest.fixture
def put(storage: Storage) -> Callable[[Entry], Entry]:
    with storage.writer("test") as writer:
        writer.categories.put(A)

    def stored(entry: Entry) -> Entry:
        with storage.writer("test") as writer:
            return writer.entries.put(entry)[0]

    return stored


def starts(storage: Storage) -> datetime | None:
    with storage.reader() as reader:
        return reader.entries.get("e").starts


def test_next_occurrence_is_a_change(
    storage: Storage, clock: Clock, put: Callable[[Entry], Entry]
) -> None:
    first = put(
        weekly(
            "FREQ=WEEKLY;COUNT=3", exdates=(datetime(2026, 12, 12, 19, tzinfo=HANOI),)
        )
    )
    assert first.starts == day(5)
    for now, expected in (
        (day(5, 13, 59), day(5)),  # while it runs it is the current one
        (day(5, 14), day(19)),
        (day(19, 13, 59), day(19)),
        (day(19, 14), day(19)),  # the last one stays
        (day(30), day(19)),
    ):
        clock.now = now
        with storage.reader() as reader:
            before = [
                version_of(reader, clock, "events", slug)[0] for slug in (None, "a")
            ]
            visible = [
                entry.id
                for entry in selection(reader, clock, "events", "a").entries().entries
            ]
            seq = list(reader.list_changes(after=0, limit=10))[-1].seq
        assert visible == (["e"] if now < day(19, 14) else [])
        moved = starts(storage) != expected
        assert storage.apply_scheduled_changes() == moved
        assert starts(storage) == expected
        with storage.reader() as reader:
            after = [
                version_of(reader, clock, "events", slug)[0] for slug in (None, "a")
            ]
            assert ([b < a for b, a in zip(before, after, strict=True)]) == [
                moved,
                moved,
            ]
            entry = reader.entries.get("e")
            assert (entry.updated, entry.sequence) == (first.updated, 0), (
                "the entry itself has not changed"
            )
            assert list(reader.list_changes(after=0, limit=10))[-1].seq == seq, (
                "nor for those who replicate"
            )


def test_unbounded_series_is_never_over(
    storage: Storage, clock: Clock, put: Callable[[Entry], Entry]
) -> None:
    put(weekly())
    clock.now = datetime(2036, 12, 2, tzinfo=UTC)
    with storage.reader() as reader:
        assert selection(reader, clock, "events", None).entries().entries
    assert storage.apply_scheduled_changes() == 1, (
        "however many occurrences passed meanwhile"
    )
    assert starts(storage) == datetime(2036, 12, 6, 12, tzinfo=UTC)
    assert storage.apply_scheduled_changes() == 0


def test_series_without_an_occurrence_ahead_has_no_scheduled_change(
    storage: Storage, clock: Clock, put: Callable[[Entry], Entry]
) -> None:
    put(weekly("FREQ=YEARLY;INTERVAL=200"))
    clock.now = day(5, 14)
    assert [storage.apply_scheduled_changes(), storage.apply_scheduled_changes()] == [
        1,
        0,
    ]
    assert starts(storage) == day(5)


def test_series_stored_late_starts_with_its_next_occurrence(
    clock: Clock, put: Callable[[Entry], Entry]
) -> None:
    clock.now = day(20)
    assert put(weekly()).starts == day(26)
    assert put(weekly("FREQ=WEEKLY;COUNT=2")).starts == day(12)


def test_scheduled_series_advances_once_published(
    storage: Storage, clock: Clock, put: Callable[[Entry], Entry]
) -> None:
    put(replace(weekly(), published=day(15)))
    clock.now = day(14)
    assert storage.apply_scheduled_changes() == 0
    clock.now = day(15)
    assert storage.apply_scheduled_changes() == 1
    assert starts(storage) == day(19)
    clock.now = day(19, 14)
    assert storage.apply_scheduled_changes() == 1
    assert starts(storage) == day(26)


def test_postponement_keeps_the_previous_start(put: Callable[[Entry], Entry]) -> None:
    def event(start: int, status: str) -> Entry:
        return Entry(
            "e",
            "events",
            "Hội",
            "vi",
            event=Event(date(2026, 12, start), None, HANOI, status=status),
        )

    seen = []
    for start, status in (
        (5, "confirmed"), (6, "confirmed"), (6, "postponed"), (9, "confirmed"), (9, "tentative"), (12, "postponed"), (9, "confirmed"),
    ):  # fmt: skip
        stored = put(event(start, status))
        assert stored.event
        seen.append(
            (
                stored.sequence,
                stored.event.previous_start and stored.event.previous_start.day,
            )
        )
    assert seen == [(0, None), (1, None), (2, None), (3, 6), (4, 6), (5, 9), (6, 12)]
    assert put(event(9, "confirmed")).sequence == 6, "nothing has changed"


def test_draft_series_advances_once_published(
    put: Callable[[Entry], Entry], storage: Storage
) -> None:
    sequences = [
        put(replace(weekly(), status=status)).sequence
        for status in ("draft", "published", "withdrawn")
    ]
    assert sequences == [0, 1, 2]
    with storage.writer("test") as writer:
        writer.entries.delete("events", "e")
    assert put(weekly()).sequence == 4


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        ((day(1), day(5)), False),
        ((day(1), day(5, 12, 1)), True),
        ((day(5, 13), day(5, 13, 30)), True),
        ((day(5, 14), day(12)), False),
        ((day(6), day(12, 12)), False),
        ((day(6), day(13)), True),
        ((day(13), day(31)), False),
    ],
)
def test_series_in_a_window(window: tuple[datetime, datetime], inside: bool) -> None:
    event = weekly("FREQ=WEEKLY;COUNT=2").event
    assert event
    assert overlaps(event, *window) is inside
    moment = Event(day(5), None, PARIS)
    assert overlaps(moment, day(5), day(6))
    assert not overlaps(moment, day(4), day(5))


def test_single_event_is_its_own_occurrence() -> None:
    event = Event(date(2026, 12, 5), date(2026, 12, 8), HANOI)
    assert list(occurrences(event)) == [event] == [current_or_next(event, day(30))]
    assert series_end(event) == event.ends
    entry = Entry("e", "events", "Hội", "vi", event=event, starts=event.starts)
    assert display_occurrence(entry) == event
    assert series_end(weekly().event or event) == MAX_DATETIME
