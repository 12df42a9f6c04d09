"""Archive documents of large months: bounded, disjoint, and their addresses stay valid."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from feedsvc import feeds
from feedsvc.errors import NotFound
from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import Category, Entry, Feed, Site
from feedsvc.storage import Storage, archives
from feedsvc.storage.tables import archive_parts
from tests.conftest import ApiClient
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
EXPECTED: list[Callable[[int], bool]] = [
    lambda number: True,
    lambda number: number % 2 == 1,
    lambda number: number % 2 == 0,
    lambda number: number % 3 != 0,
]


@pytest.fixture
def storage(
    editor: ApiClient, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> Storage:
    """Return a storage whose archive documents hold fifty entries, not 500."""
    assert archives.MAX_ENTRIES == 500
    monkeypatch.setattr(archives, "MAX_ENTRIES", 50)
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


def check_entries_of_one_second(
    storage: Storage, clock: Clock, site: Site, count: int
) -> None:
    numbers = list(range(count))
    random.Random(1).shuffle(numbers)
    put(storage, *(article(number) for number in numbers))
    clock.forward(days=1)
    for query, is_expected in zip(QUERIES, EXPECTED, strict=True):
        documents = chain(storage, clock, site, query)
        sizes = [len(document.entries) for document in documents.values()]
        assert 1 <= min(sizes) <= max(sizes) <= archives.MAX_ENTRIES
        archived = [id for document in documents.values() for id in ids(document)]
        current = ids(feed(storage, clock, site, query))
        assert len(archived) == len(set(archived)), "disjoint"
        assert {*archived, *current} == {
            f"n{number}" for number in numbers if is_expected(number)
        }


def test_many_entries_of_one_second_are_divided(
    storage: Storage, clock: Clock, site: Site
) -> None:
    check_entries_of_one_second(storage, clock, site, 420)


@pytest.mark.soak
def test_nine_thousand_entries_of_one_second_are_divided(
    storage: Storage, clock: Clock, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 500)
    check_entries_of_one_second(storage, clock, site, 9000)


def test_entries_in_order_fill_one_document_after_another(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(123)),
    )
    clock.forward(days=1)
    documents = chain(storage, clock, site, QUERIES[0])
    assert [(name, len(one.entries)) for name, one in documents.items()] == [
        ("2026-11.3", 23),
        ("2026-11.2", 50),
        ("2026-11", 50),
    ]
    assert [
        one.next_archive and one.next_archive.archive for one in documents.values()
    ] == [
        None,
        "2026-11.3",
        "2026-11.2",
    ]
    check(storage)


def test_deletion_changes_only_its_document(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(123)),
    )
    clock.forward(days=1)
    with (
        unchanged(storage, clock, site, but={"2026-11.2"}),
        storage.writer("test") as writer,
    ):
        writer.entries.delete("news", "n70")
    with storage.writer("test") as writer:
        for number in range(50, 100):
            if number != 70:
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
    put(storage, article(70, START + timedelta(minutes=70)))
    assert list(chain(storage, clock, site, QUERIES[0])) == [
        "2026-11.3",
        "2026-11.2",
        "2026-11",
    ]
    check(storage)


def test_backdated_entry_changes_only_its_document(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(123)),
    )
    with storage.writer("test") as writer:
        writer.entries.delete("news", "n7")
    clock.forward(days=1)
    with unchanged(storage, clock, site, but={"2026-11"}):
        put(storage, article(5000, START + timedelta(minutes=7)))
    with unchanged(storage, clock, site, but={"2026-11.2"}):
        put(storage, article(5001, START + timedelta(minutes=75, seconds=30)))
    documents = chain(storage, clock, site, QUERIES[0])
    assert list(documents) == ["2026-11.3", "2026-11.4", "2026-11.2", "2026-11"]
    assert (
        len(documents["2026-11.4"].entries) + len(documents["2026-11.2"].entries) == 51
    )
    check(storage)


def test_import_from_new_to_old(storage: Storage, clock: Clock, site: Site) -> None:
    put(
        storage,
        *(article(number, START - timedelta(minutes=number)) for number in range(200)),
    )
    clock.forward(days=1)
    for query, is_expected in zip(QUERIES, EXPECTED, strict=True):
        documents = chain(storage, clock, site, query)
        held = {id for one in documents.values() for id in ids(one)}
        assert held | {*ids(feed(storage, clock, site, query))} == {
            f"n{number}" for number in range(200) if is_expected(number)
        }
    check(storage)


def test_scheduled_entries_that_appear_together_are_divided(
    storage: Storage, clock: Clock, site: Site
) -> None:
    moment = clock.now + timedelta(hours=1)
    put(storage, *(article(number, moment) for number in range(250)))
    clock.forward(hours=2)
    while storage.apply_scheduled_changes():
        pass
    documents = chain(storage, clock, site, QUERIES[0])
    assert sum(len(one.entries) for one in documents.values()) == 250
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


def test_two_entries_too_large_for_one_document_are_divided(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(
            article(number, START + timedelta(minutes=number), "x" * 3_000_000)
            for number in range(3)
        ),
    )
    clock.forward(days=1)
    # The third is in the current feed.
    documents = chain(storage, clock, site, QUERIES[0])
    assert [len(one.entries) for one in documents.values()] == [1, 1]


@pytest.mark.parametrize(
    ("published", "status"),
    [
        (START - timedelta(days=31), "published"),
        (START + timedelta(minutes=30), "draft"),
    ],
    ids=["from another month", "from a draft"],
)
def test_article_that_moves_into_a_full_document_divides_it(
    storage: Storage, clock: Clock, site: Site, published: datetime, status: str
) -> None:
    put(
        storage,
        *(
            article(number, START + timedelta(minutes=number), "x" * 200_000)
            for number in range(60)
        ),
        article(99, published, "x" * 200_000, status),
    )
    clock.forward(days=1)
    before = chain(storage, clock, site, QUERIES[0])
    put(storage, article(99, START + timedelta(minutes=30), "x" * 200_000))
    documents = chain(storage, clock, site, QUERIES[0])
    numbers = [len(each.entries) for name, each in documents.items() if MONTH in name]
    assert sum(numbers) == 61
    assert max(numbers) <= 18
    assert len(numbers) == len([name for name in before if MONTH in name]) + 1


def test_addresses_of_documents_stay_valid_and_others_are_not_found(
    storage: Storage, clock: Clock, site: Site
) -> None:
    put(
        storage,
        *(article(number, START + timedelta(minutes=number)) for number in range(60)),
    )
    names = list(chain(storage, clock, site, QUERIES[0]))
    chance = random.Random(2)
    put(
        storage,
        *(
            article(n, START + timedelta(seconds=chance.randrange(36_000)))
            for n in range(60, 300)
        ),
    )
    with storage.writer("test") as writer:
        for number in range(0, 60, 2):
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
