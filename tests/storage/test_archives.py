"""Archive documents of large months: bounded, disjoint, and their addresses stay valid."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from feedsvc import feeds
from feedsvc.errors import NotFound
from feedsvc.models import Category, Entry, Feed, Site
from feedsvc.query import CategoryFilter, FeedQuery
from feedsvc.storage import Storage
from feedsvc.storage.archives import MAX_ENTRIES
from feedsvc.storage.tables import archive_parts
from tests.fake_clock import Clock
from tests.storage import agreement

pytestmark = pytest.mark.both_databases

MONTH = "2026-11"
START = datetime(2026, 11, 2, tzinfo=UTC)
ODD = Category("giao-thong", "")


def article(
    number: int,
    published: datetime = START,
    content: str = "Thân",
    status: str = "published",
) -> Entry:
    return Entry(
        f"n{number}",
        "news",
        f"Bài {number}",
        "en" if number % 3 else "vi",
        status,
        content_text=content,
        categories=(ODD,) if number % 2 else (),
        published=published,
        guid=f"urn:uuid:{random.Random(number).getrandbits(128):032x}",
    )


def put(storage: Storage, *entries: Entry) -> None:
    """Store entries in transactions of a hundred, as a batch does."""
    for first in range(0, len(entries), 100):
        with storage.writer("test") as writer:
            writer.entries.prefetch(entry.id for entry in entries[first : first + 100])
            for entry in entries[first : first + 100]:
                writer.entries.put(entry)


def feed(storage: Storage, clock: Clock, site: Site, query: FeedQuery) -> Feed:
    with storage.reader() as reader:
        return feeds.build_feed(reader, query, site, clock.now)


def chain(
    storage: Storage, clock: Clock, site: Site, query: FeedQuery
) -> dict[str, Feed]:
    """Follow prev-archive from a current feed; return every archive document on the way by its name."""
    documents: dict[str, Feed] = {}
    step = feed(storage, clock, site, query).previous_archive
    while step and step.archive:
        assert step.archive not in documents, "a circle"
        documents[step.archive] = feed(storage, clock, site, step)
        step = documents[step.archive].previous_archive
    return documents


def ids(document: Feed) -> list[str]:
    return [entry.id for entry in document.entries]


def check(storage: Storage) -> None:
    with storage.database.read() as connection:
        agreement.check(connection)


QUERIES = [
    FeedQuery("news", "atom", limit=1),
    FeedQuery("news", "atom", CategoryFilter.create([ODD.slug]), limit=1),
    FeedQuery("news", "atom", CategoryFilter.create([], [ODD.slug]), limit=1),
    FeedQuery("news", "atom", lang="en", limit=1),
]
MEANT: list[Callable[[int], bool]] = [
    lambda number: True,
    lambda number: number % 2 == 1,
    lambda number: number % 2 == 0,
    lambda number: number % 3 != 0,
]


@pytest.fixture
def storage(editor: Any, storage: Storage) -> Storage:
    return storage


@contextmanager
def unchanged(
    storage: Storage, clock: Clock, site: Site, *, but: set[str]
) -> Iterator[None]:
    """See that meanwhile the entries of no document change, but of those that are named."""
    before = {
        name: ids(one) for name, one in chain(storage, clock, site, QUERIES[0]).items()
    }
    yield
    for name, held in before.items():
        now = ids(feed(storage, clock, site, FeedQuery("news", "atom", archive=name)))
        assert (now != held) == (name in but), name


def test_nine_thousand_entries_of_one_second(
    storage: Storage, clock: Clock, site: Site
) -> None:
    numbers = list(range(9000))
    random.Random(1).shuffle(numbers)
    put(storage, *(article(number) for number in numbers))
    clock.forward(days=1)
    for query, meant in zip(QUERIES, MEANT, strict=True):
        documents = chain(storage, clock, site, query)
        assert max(len(one.entries) for one in documents.values()) <= MAX_ENTRIES
        assert min(len(one.entries) for one in documents.values()) >= 1
        held = [id for one in documents.values() for id in ids(one)]
        first = ids(feed(storage, clock, site, query))
        assert len(held) == len(set(held)), "disjoint"
        assert {*held, *first} == {
            f"n{number}" for number in range(9000) if meant(number)
        }


def test_month_in_order_fills_one_document_after_the_other(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(1203)),
    )
    clock.forward(days=1)
    documents = chain(storage, clock, site, QUERIES[0])
    assert [(name, len(one.entries)) for name, one in documents.items()] == [
        ("2026-11.3", 203),
        ("2026-11.2", 500),
        ("2026-11", 500),
    ]
    assert [
        one.next_archive and one.next_archive.archive for one in documents.values()
    ] == [
        None,
        "2026-11.3",
        "2026-11.2",
    ]
    check(storage)


def test_deletion_changes_its_document_alone(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(1203)),
    )
    clock.forward(days=1)
    with (
        unchanged(storage, clock, site, but={"2026-11.2"}),
        storage.writer("test") as writer,
    ):
        writer.entries.delete("news", "n700")
    with storage.writer("test") as writer:
        for number in range(500, 1000):
            if number != 700:
                writer.entries.delete("news", f"n{number}")
    documents = chain(storage, clock, site, QUERIES[0])
    assert list(documents) == ["2026-11.3", "2026-11"], (
        "an empty document is not linked"
    )
    assert (
        feed(
            storage, clock, site, FeedQuery("news", "atom", archive="2026-11.2")
        ).entries
        == ()
    )
    put(storage, article(700, START + timedelta(minutes=700)))
    assert list(chain(storage, clock, site, QUERIES[0])) == [
        "2026-11.3",
        "2026-11.2",
        "2026-11",
    ]
    check(storage)


def test_backdated_entry_changes_its_document_alone(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(1203)),
    )
    with storage.writer("test") as writer:
        writer.entries.delete("news", "n7")
    clock.forward(days=1)
    with unchanged(storage, clock, site, but={"2026-11"}):
        put(storage, article(5000, START + timedelta(minutes=7)))
    with unchanged(storage, clock, site, but={"2026-11.2"}):
        put(storage, article(5001, START + timedelta(minutes=750, seconds=30)))
    documents = chain(storage, clock, site, QUERIES[0])
    assert list(documents) == ["2026-11.3", "2026-11.4", "2026-11.2", "2026-11"]
    assert (
        len(documents["2026-11.4"].entries) + len(documents["2026-11.2"].entries) == 501
    )
    check(storage)


def test_import_from_new_to_old(storage: Storage, clock: Clock, site: Site) -> None:
    put(
        storage,
        *(article(number, START - timedelta(minutes=number)) for number in range(2000)),
    )
    clock.forward(days=1)
    for query, meant in zip(QUERIES, MEANT, strict=True):
        documents = chain(storage, clock, site, query)
        held = {id for one in documents.values() for id in ids(one)}
        assert held | {*ids(feed(storage, clock, site, query))} == {
            f"n{number}" for number in range(2000) if meant(number)
        }
    check(storage)


def test_scheduled_entries_that_appear_together_are_divided(
    storage: Storage, clock: Clock, site: Site
) -> None:
    moment = clock.now + timedelta(hours=1)
    put(storage, *(article(number, moment) for number in range(700)))
    clock.forward(hours=2)
    while storage.apply_scheduled_changes():
        pass
    documents = chain(storage, clock, site, QUERIES[0])
    assert sum(len(one.entries) for one in documents.values()) == 700
    check(storage)


def test_documents_are_divided_by_bytes_too(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(
            article(number, START + timedelta(minutes=number), "x" * 200_000)
            for number in range(60)
        ),
    )
    clock.forward(days=1)
    documents = chain(storage, clock, site, QUERIES[0])
    assert [len(one.entries) for one in documents.values()] == [6, 18, 18, 18]
    put(storage, article(0, START, "x" * 900_000))
    documents = chain(storage, clock, site, QUERIES[0])
    assert sum(len(one.entries) for one in documents.values()) == 60
    assert len(documents) == 5, "an entry that grew divides its document"


def test_addresses_of_documents_stay_valid_and_others_are_not_found(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(600)),
    )
    names = list(chain(storage, clock, site, QUERIES[0]))
    chance = random.Random(2)
    put(
        storage,
        *(
            article(n, START + timedelta(seconds=chance.randrange(36_000)))
            for n in range(600, 3000)
        ),
    )
    with storage.writer("test") as writer:
        for number in range(0, 600, 2):
            writer.entries.delete("news", f"n{number}")
    for name in names:
        feed(storage, clock, site, FeedQuery("news", "atom", archive=name))
    with storage.database.read() as connection:
        parts = connection.scalar(sa.select(sa.func.count()).select_from(archive_parts))
    with pytest.raises(NotFound):
        feed(
            storage,
            clock,
            site,
            FeedQuery("news", "atom", archive=f"{MONTH}.{(parts or 0) + 2}"),
        )
    assert (
        feed(storage, clock, site, FeedQuery("news", "atom", archive="2020-01")).entries
        == ()
    )
    check(storage)
