"""Names in the URLs of feeds: former, retired and unknown categories; filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from feedsvc.errors import FeedMoved, Gone, NotFound
from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import Category, Entry, Event
from feedsvc.storage import Storage
from tests.fake_clock import HANOI, Clock

A, B, C = Category("a", "A"), Category("b", "B"), Category("c", "C")


@pytest.fixture
def seeded_storage(storage: Storage, clock: Clock) -> Storage:
    """Store three categories, an event in two of them, and a cancelled one."""
    start = datetime(2026, 12, 5, 8, tzinfo=HANOI)
    with storage.writer("test") as writer:
        for category in (A, B, C):
            writer.categories.put(category)
        for id, status, members in (
            ("on", "confirmed", (A, B)),
            ("off", "cancelled", (A,)),
        ):
            event = Event(start, None, HANOI, status=status)
            entry = Entry(id, "events", id, "vi", event=event, categories=members)
            writer.entries.put(entry)
    clock.forward(minutes=1)
    return storage


def ids(storage: Storage, clock: Clock, categories: str, **parameters: Any) -> set[str]:
    category_filter = CategoryFilter.parse(categories)
    query = FeedQuery("events", "rss", category_filter, **parameters)
    with storage.reader() as reader:
        listed = reader.select_feed(query, clock.now).entries()
    return {entry.id for entry in listed.entries}


def test_cancelled_events_are_hidden_on_request(
    seeded_storage: Storage, clock: Clock
) -> None:
    assert ids(seeded_storage, clock, "a") == {"on", "off"}
    assert ids(seeded_storage, clock, "a", cancelled="hide") == {"on"}


def test_former_slug_moves_the_feed(seeded_storage: Storage, clock: Clock) -> None:
    with seeded_storage.writer("test") as writer:
        writer.categories.rename("a", "new")
    assert ids(seeded_storage, clock, "new") == {"on", "off"}
    for former, current in (("a", "new"), ("a+b", "b+new"), ("c,-a", "c,-new")):
        with pytest.raises(FeedMoved) as moved:
            ids(seeded_storage, clock, former)
        assert str(moved.value.category_filter) == current


def test_retired_category_leaves_the_feed(
    seeded_storage: Storage, clock: Clock
) -> None:
    with seeded_storage.writer("test") as writer:
        writer.categories.retire("c")
    with pytest.raises(FeedMoved) as moved:
        ids(seeded_storage, clock, "b,c")
    assert str(moved.value.category_filter) == "b"
    for nothing in ("c", "b+c"):
        with pytest.raises(Gone, match="“c”"):
            ids(seeded_storage, clock, nothing)


def test_unknown_category_is_named(seeded_storage: Storage, clock: Clock) -> None:
    with seeded_storage.writer("test") as writer:
        writer.categories.rename("a", "new")
    with pytest.raises(NotFound, match="“x”"):
        ids(seeded_storage, clock, "a,b,x")
