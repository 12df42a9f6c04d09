"""Tombstones: which feeds list an entry that left them, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import Category, Entry, Event
from feedsvc.storage import Storage
from tests.fake_clock import HANOI, Clock

A, B = Category("a", "A"), Category("b", "B")


@pytest.fixture
def seeded_storage(storage: Storage) -> Storage:
    with storage.writer("test") as writer:
        for category in (A, B):
            writer.categories.put(category)
    return storage


def put(storage: Storage, clock: Clock, id: str, **members: Any) -> None:
    clock.forward(seconds=5)
    with storage.writer("test") as writer:
        writer.entries.put(Entry(id, "news", id, "vi", guid=id, **members))


def delete(storage: Storage, clock: Clock, id: str) -> datetime:
    clock.forward(seconds=5)
    with storage.writer("test") as writer:
        writer.entries.delete("news", id)
    return clock.now


def left(
    storage: Storage, clock: Clock, categories: str = "", **parameters: Any
) -> dict[str, datetime]:
    """Return the guids in a feed's tombstones, the last to leave first, with times."""
    category_filter = CategoryFilter.parse(categories) if categories else None
    query = FeedQuery("news", "atom", category_filter or CategoryFilter(), **parameters)
    with storage.reader() as reader:
        selection = reader.select_feed(query, clock.now)
        listed = selection.entries()
        tombstones = selection.tombstones(listed)
        departure = selection.last_departure(listed)
    times = {each.guid: each.deleted_at for each in tombstones}
    assert departure == max(times.values(), default=None)
    return times


def test_feeds_that_had_an_entry_list_its_deletion(
    seeded_storage: Storage, clock: Clock
) -> None:
    put(seeded_storage, clock, "x", categories=(A,))
    put(seeded_storage, clock, "y", categories=(A, B))
    put(seeded_storage, clock, "draft", categories=(A,), status="draft")
    assert left(seeded_storage, clock) == {}
    x = delete(seeded_storage, clock, "x")
    y = delete(seeded_storage, clock, "y")
    delete(seeded_storage, clock, "draft")
    for categories, expected in (
        ("", {"y": y, "x": x}),
        ("a", {"y": y, "x": x}),
        ("b", {"y": y}),
        ("a,b", {"y": y, "x": x}),
        ("a+b", {"y": y}),
        ("a,-b", {"x": x}),
        ("-a", {}),
    ):
        times = left(seeded_storage, clock, categories)
        assert list(times) == list(expected), categories
        assert times == expected
    assert left(seeded_storage, clock, q="x") == {}


def test_entry_that_comes_back_has_no_tombstone(
    seeded_storage: Storage, clock: Clock
) -> None:
    put(seeded_storage, clock, "x", categories=(A,))
    put(seeded_storage, clock, "x", categories=(A,), status="draft")
    assert list(left(seeded_storage, clock, "a")) == ["x"]
    put(seeded_storage, clock, "x", categories=(B,))
    for categories in ("", "a", "b"):
        assert left(seeded_storage, clock, categories) == {}


def test_full_feed_lists_deletions_since_its_oldest_entry(
    seeded_storage: Storage, clock: Clock
) -> None:
    put(seeded_storage, clock, "first")
    delete(seeded_storage, clock, "first")
    put(seeded_storage, clock, "listed")
    put(seeded_storage, clock, "last")
    delete(seeded_storage, clock, "last")
    assert list(left(seeded_storage, clock)) == ["last", "first"]
    assert list(left(seeded_storage, clock, limit=1)) == ["last"]


def test_calendars_learn_that_a_hidden_event_was_deleted(
    seeded_storage: Storage, clock: Clock
) -> None:
    start = datetime(2026, 12, 24, 19, tzinfo=HANOI)
    event = Entry("e", "events", "e", "vi", guid="e", event=Event(start, None, HANOI))
    with seeded_storage.writer("test") as writer:
        writer.entries.put(event)
        writer.entries.put(replace(event, status="draft"))

    def cancelled() -> list[str]:
        with seeded_storage.reader() as reader:
            selection = reader.select_feed(FeedQuery("events", "ics"), clock.now)
            return [each.guid for each in selection.tombstones(selection.entries())]

    assert cancelled() == []
    clock.forward(seconds=5)
    with seeded_storage.writer("test") as writer:
        writer.entries.delete("events", "e")
    assert cancelled() == ["e"]
