"""The change log: the feeds that a write affects, and times that never go back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from feedsvc.feed_query import FeedQuery
from feedsvc.models import Category, Entry, Event
from feedsvc.storage import Reader, Storage, change_log, entry_rows
from feedsvc.storage.tables import changes
from tests.fake_clock import Clock
from tests.storage.selections import selection, version_of

pytestmark = pytest.mark.both_databases

A, B, C = Category("a", "A"), Category("b", "B"), Category("c", "C")
FEEDS = [(kind, slug) for kind in ("news", "events") for slug in (None, "a", "b", "c")]


@pytest.fixture
def seeded_storage(storage: Storage, clock: Clock) -> Storage:
    with storage.writer("test") as writer:
        for category in (A, B, C):
            writer.categories.put(category)
        writer.entries.put(Entry("one", "news", "Một", "vi", categories=(A,)))
    clock.forward(hours=1)
    return storage


def changed_feeds(
    storage: Storage,
    clock: Clock,
    action: str,
    entry: Entry | None = None,
    category: Category | None = None,
) -> set[str]:
    """Return the feeds that a write changes."""
    with storage.reader() as reader:
        before = {feed: version_of(reader, clock, *feed)[0] for feed in FEEDS}
    with storage.writer("test") as writer:
        if category:
            writer.categories.put(category)
        elif action == "delete":
            writer.entries.delete("news", "one")
        elif entry:
            writer.entries.put(entry)
    with storage.reader() as reader:
        after = {feed: version_of(reader, clock, *feed)[0] for feed in FEEDS}
    return {
        f"{kind}/{slug or ''}"
        for kind, slug in FEEDS
        if after[kind, slug] != before[kind, slug]
    }


def test_write_changes_only_affected_feeds(
    seeded_storage: Storage, clock: Clock
) -> None:
    def one(title: str, *categories: Category, status: str = "published") -> Entry:
        return Entry("one", "news", title, "vi", categories=categories, status=status)

    assert changed_feeds(seeded_storage, clock, "put", one("Một", A)) == set(), (
        "nothing has changed"
    )
    assert changed_feeds(seeded_storage, clock, "put", one("Hai", A)) == {
        "news/",
        "news/a",
    }
    assert changed_feeds(seeded_storage, clock, "put", one("Hai", B)) == {
        "news/",
        "news/a",
        "news/b",
    }, "a move"
    assert changed_feeds(
        seeded_storage, clock, "put", one("Hai", B, status="draft")
    ) == {
        "news/",
        "news/b",
    }
    assert (
        changed_feeds(seeded_storage, clock, "put", one("Ba", B, status="draft"))
        == set()
    ), "readers see no draft"
    assert changed_feeds(seeded_storage, clock, "put", one("Ba", B, C)) == {
        "news/",
        "news/b",
        "news/c",
    }
    assert changed_feeds(
        seeded_storage, clock, "put", category=Category("c", "Mới")
    ) == {
        "news/",
        "news/b",
        "news/c",
        "events/c",
    }
    assert changed_feeds(seeded_storage, clock, "delete") == {
        "news/",
        "news/b",
        "news/c",
    }


def test_time_never_goes_back(seeded_storage: Storage, clock: Clock) -> None:
    times = []
    for number in range(3):
        clock.forward(hours=-1)
        with seeded_storage.writer("test") as writer:
            times.append(
                writer.entries.put(Entry("one", "news", f"{number}", "vi"))[0].updated
            )
            times.append(
                writer.entries.put(Entry("two", "news", f"{number}", "vi"))[0].updated
            )
    assert times == sorted(set(times))


def test_write_is_logged_once_with_its_token(
    seeded_storage: Storage,
) -> None:
    with seeded_storage.writer("lan") as writer:
        writer.entries.put(Entry("two", "news", "Hai", "vi"))
        writer.entries.put(Entry("two", "news", "Hai", "vi"))
        writer.entries.delete("news", "two")
    with seeded_storage.database.read() as connection:
        rows = connection.execute(sa.select(changes).order_by(changes.c.seq)).all()
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert [(row.action, row.id, row.version, row.token) for row in rows][-2:] == [
        ("put", "two", 1, "lan"),
        ("delete", "two", 2, "lan"),
    ]
    assert [(row.kind, row.id) for row in rows] == [
        *(("categories", slug) for slug in "abc"),
        ("news", "one"),
        *[("news", "two")] * 2,
    ]


def test_put_tells_whether_a_category_is_new(seeded_storage: Storage) -> None:
    new = Category("d", "D")
    with seeded_storage.writer("test") as writer:
        assert writer.categories.put(new)
        assert not writer.categories.put(new)
        assert not writer.categories.put(Category("d", "Đ"))
        writer.categories.retire("d")
        assert writer.categories.put(new)


def test_failed_write_leaves_nothing(seeded_storage: Storage) -> None:
    def fail() -> None:
        with seeded_storage.writer("test") as writer:
            writer.entries.put(Entry("three", "news", "Ba", "vi"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with seeded_storage.reader() as reader:
        assert (
            reader.entries.page(
                "news", limit=9, before=None, status=None, category=None
            )[0][0].id
            == "one"
        )
    with seeded_storage.database.read() as connection:
        assert (
            connection.scalar(sa.select(sa.func.count()).where(changes.c.id == "three"))
            == 0
        )


def test_end_of_an_event_changes_its_feeds(storage: Storage, clock: Clock) -> None:
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    start = datetime(2026, 11, 25, 12, tzinfo=zone)
    with storage.writer("test") as writer:
        writer.categories.put(A)
        details = Event(start, start + timedelta(hours=2), zone)
        writer.entries.put(
            Entry("e", "events", "Hội", "vi", event=details, categories=(A,))
        )
    ends = datetime(2026, 11, 25, 7, tzinfo=UTC)

    def seen(reader: Reader, slug: str | None) -> list[str]:
        return [
            entry.id
            for entry in selection(reader, clock, "events", slug).entries().entries
        ]

    for slug in (None, "a"):
        clock.now = ends - timedelta(seconds=1)
        with storage.reader() as reader:
            assert version_of(reader, clock, "events", slug)[1] == ends
            assert seen(reader, slug) == ["e"]
        clock.now = ends
        with storage.reader() as reader:
            assert version_of(reader, clock, "events", slug) == (ends, None)
            assert seen(reader, slug) == []
            past = reader.select_feed(FeedQuery("events", "rss", when="past"), ends)
            assert [entry.id for entry in past.entries().entries] == ["e"]


def test_recent_events_have_ended_within_30_days(
    storage: Storage, clock: Clock
) -> None:
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    start = datetime(2026, 11, 25, 12, tzinfo=zone)
    with storage.writer("test") as writer:
        event = Event(start, start + timedelta(hours=2), zone)
        writer.entries.put(Entry("e", "events", "Hội", "vi", event=event))
    query = FeedQuery("events", "rss", when="recent")
    leaves = datetime(2026, 12, 25, 7, tzinfo=UTC)
    for clock.now, expected, next_change in (
        (leaves - timedelta(seconds=1), ["e"], leaves),
        (leaves, [], None),
    ):
        with storage.reader() as reader:
            recent = reader.select_feed(query, clock.now)
            assert [entry.id for entry in recent.entries().entries] == expected
            assert recent.version()[1] == next_change


def test_calendars_list_a_deletion_for_30_days(storage: Storage, clock: Clock) -> None:
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    start = datetime(2027, 11, 25, 12, tzinfo=zone)
    with storage.writer("test") as writer:
        event = Event(start, start + timedelta(hours=2), zone)
        writer.entries.put(Entry("e", "events", "Hội", "vi", event=event))
    with storage.writer("test") as writer:
        writer.entries.delete("events", "e")
    with storage.reader() as reader:
        calendar = reader.select_feed(FeedQuery("events", "ics"), clock.now)
        (tombstone,) = calendar.tombstones(calendar.entries())
    leaves = tombstone.deleted_at + timedelta(days=30)
    for clock.now, number, next_change in (
        (leaves - timedelta(seconds=1), 1, leaves),
        (leaves, 0, None),
    ):
        with storage.reader() as reader:
            calendar = reader.select_feed(FeedQuery("events", "ics"), clock.now)
            assert len(calendar.tombstones(calendar.entries())) == number
            assert calendar.version()[1] == next_change


def test_changed_feeds_are_those_after_a_change(seeded_storage: Storage) -> None:
    with seeded_storage.reader() as reader:
        last = reader.last_change()
        assert reader.changed_feeds(last) == (last, {})
        seq, time, clock = last
        # A restored backup has another change with this number, or none.
        for lost in ((seq, time - timedelta(seconds=1), clock), (seq + 1, time, clock)):
            assert reader.changed_feeds(lost) == (last, None)
    with seeded_storage.writer("test") as writer:
        writer.entries.put(Entry("two", "news", "Hai", "vi"))
    with seeded_storage.reader() as reader:
        now = reader.last_change()
        assert now[0] == seq + 1
        revision, feeds = reader.changed_feeds(last)
    assert revision == now
    assert feeds == {("news", 0): now[0]}


def test_caches_learn_of_scheduled_entries_and_not_of_drafts(
    seeded_storage: Storage, clock: Clock
) -> None:
    tomorrow = clock.now + timedelta(days=1)
    scheduled = Entry("two", "news", "Hai", "vi", published=tomorrow)
    for entry, expected in (
        (replace(scheduled, id="draft", status="draft"), []),
        (scheduled, [("news", 0)]),
    ):
        with seeded_storage.reader() as reader:
            last = reader.last_change()
        with seeded_storage.writer("test") as writer:
            writer.entries.put(entry)
        _, feeds = seeded_storage.changes_since(last)
        assert list(feeds or ()) == expected


def test_few_large_entries_of_a_page_are_in_memory_at_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []

    def load(
        connection: sa.Connection, keys: list[int]
    ) -> dict[int, entry_rows.StoredEntry]:
        groups.append(len(keys))
        return entry_rows.load_entries(connection, keys)

    with storage.writer("test") as writer:
        for number in range(5):
            writer.entries.put(
                Entry(f"n{number}", "news", "x", "vi", content_text="x" * 10_000)
            )
    monkeypatch.setattr(change_log, "load_entries", load)
    monkeypatch.setattr(change_log, "_GROUP_BYTES", 30_000)
    with storage.reader() as reader:
        assert len(list(reader.list_changes(after=0, limit=10))) == 5
        assert groups == [2, 2, 1]
        groups.clear()
        monkeypatch.setattr(change_log, "_GROUP_SIZE", 1)
        assert len(list(reader.list_changes(after=0, limit=2))) == 2
        assert groups == [1, 1]
