"""Whoever follows the changes, in pages of any size and cut off at any point, ends with what is visible."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config import Config
from feedsvc.errors import CategoryRenamed, FeedsvcError, Gone
from feedsvc.feed_query import KINDS, CategoryFilter, FeedQuery
from feedsvc.models import EPOCH, Category, Entry, Event
from feedsvc.storage import Reader, Storage, Writer, tables
from feedsvc.storage.scheduler import visibility
from tests.fake_clock import Clock
from tests.storage import agreement

pytestmark = pytest.mark.both_databases

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
START = Clock().now
HOUR = timedelta(hours=1)
SLUGS = ("a", "b", "c", "d", "e")  # the first three are there from the start
FOLLOWED = [
    (None, None),
    ("news", None),
    ("events", None),
    (None, "a"),
    (None, "b"),
    ("news", "c"),
]
ALL = 1000
EXAMPLES = 2 * int(os.environ.get("MODEL_EXAMPLES", "4"))
"""Series of writes and reads; `make soak` makes more."""

Step = tuple[Any, ...]
"""What is done, and with what."""

Document = tuple[Entry, list[str]]
"""What a change says of an entry: of its categories the slugs alone."""


@pytest.fixture
def storage(config: Config, clock: Clock) -> Iterator[Storage]:
    made = Storage(config.database_url, clock, config.site_timezone)
    made.upgrade()
    yield made
    made.close()


def document(entry: Entry) -> Document:
    return replace(entry, categories=()), [
        category.slug for category in entry.categories
    ]


def visible(
    reader: Reader, clock: Clock, kind: str | None, slug: str | None
) -> dict[str, Document]:
    """What feeds show; no event here is ever over."""
    selector = CategoryFilter.create([slug] if slug else [])
    queries = [
        FeedQuery(one, "atom", selector, ALL) for one in KINDS if kind in (None, one)
    ]
    return {
        entry.id: document(entry.public_view())
        for query in queries
        for entry in reader.select_feed(query, clock.now).entries().entries
    }


class Follower:
    """Keeps a copy of all entries, or of a kind's, or a category's, as docs/api.md says."""

    def __init__(self, kind: str | None = None, slug: str | None = None) -> None:
        self.kind, self.slug = kind, slug
        self.copy: dict[str, Document] = {}
        self.after = 0

    def read(self, reader: Reader, limit: int, lost: int = 0) -> bool:
        """Read a page; returns whether there was anything new.

        :param lost: how many of the changes, the last ones, are not applied, since it is cut off; then it
            has not stored where to go on.
        """
        page = reader.list_changes(
            after=self.after, kind=self.kind, category=self.slug, limit=limit
        )
        found, last = list(page), page.next_after
        steps = [change.seq for change in found]
        assert len(found) <= limit
        assert steps == sorted(set(steps))
        assert all(self.after < step <= last for step in steps)
        for change in found[: max(len(found) - lost, 0)]:
            if change.is_visible:
                self.copy[change.entry.id] = document(change.entry)
            else:
                self.copy.pop(change.entry.id, None)
        if lost:
            return True
        self.after, before = last, self.after
        return last > before

    def check(self, reader: Reader, clock: Clock, limit: int = ALL) -> None:
        """Read on until there is nothing new; what it holds then is what is visible."""
        try:
            while self.read(reader, limit):
                pass
        except Gone:
            return  # its category is retired now
        slug = self.slug
        try:
            if slug:
                reader.categories.get(slug)
        except CategoryRenamed as renamed:  # the follower need not know
            slug = renamed.current_slug
        assert self.copy == visible(reader, clock, self.kind, slug), (self.kind, slug)


def write(writer: Writer, clock: Clock, action: Step) -> None:
    """Do one of the actions that `writes` makes."""
    match action:
        case "put", int(number), [*slugs], str(status), str(title), ahead, expires:
            known = {category.slug for category in writer.reader.categories.all()}
            living = [slug for slug in slugs if slug in known]
            writer.entries.put(
                Entry(
                    f"e{number}",
                    KINDS[number % 2],
                    title,
                    "vi",
                    status,
                    content_text="Thân",
                    categories=tuple(Category(slug, "") for slug in living),
                    event=Event(START + timedelta(days=1000), None, ZONE)
                    if number % 2
                    else None,
                    published=clock.now + ahead
                    if isinstance(ahead, timedelta)
                    else None,
                    expires=clock.now + expires
                    if isinstance(expires, timedelta)
                    else None,
                )
            )
        case "delete", int(number):
            writer.entries.delete(KINDS[number % 2], f"e{number}")
        case "file", str(slug), str(title), parent:
            writer.categories.put(Category(slug, title, parent=parent))
        case "rename", str(slug), str(new):
            writer.categories.rename(slug, new)
        case "retire", str(slug):
            writer.categories.retire(slug)
        case _:
            raise AssertionError(action)


def take(storage: Storage, clock: Clock, followers: list[Follower], step: Step) -> None:
    """Take one of the steps that `steps` makes."""
    match step:
        case "write", [*actions]:
            with (
                suppress(FeedsvcError),
                storage.writer("test") as writer,
            ):  # what cannot be done leaves nothing
                for action in actions:
                    write(writer, clock, action)
        case "forward", timedelta() as duration:
            clock.now += duration
        case ("settle",):
            storage.apply_scheduled_changes()
        case "read", int(which), int(limit), int(lost):
            with suppress(Gone), storage.reader() as reader:
                followers[which].read(reader, limit, lost)
        case "read on", int(which), int(limit):
            with storage.reader() as reader:
                followers[which].check(reader, clock, limit)
        case _:
            raise AssertionError(step)


def either(*values: object) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


def tuples(name: str, *members: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), *members)


def weighted(*choices: tuple[st.SearchStrategy[Step], int]) -> st.SearchStrategy[Step]:
    """One of some strategies, each so often; `one_of` takes no strategy twice."""
    return st.sampled_from(
        [one for one, weight in choices for _ in range(weight)]
    ).flatmap(lambda one: one)


numbers, limits, titles, slugs = (
    st.integers(0, 5),
    st.integers(1, 5),
    either("", "x", "y"),
    either(*SLUGS),
)
which = st.integers(0, len(FOLLOWED) - 1)
put = tuples(
    "put",
    numbers,
    st.lists(either(*SLUGS[:4]), max_size=2, unique=True),
    either("published", "published", "draft", "withdrawn"),
    titles,
    either(None, None, -HOUR, HOUR),
    either(None, None, HOUR / 2, HOUR * 3 / 2),
)
writes = weighted(
    (put, 5),
    (tuples("delete", numbers), 1),
    (tuples("file", slugs, titles, either(None, *SLUGS)), 2),
    (tuples("rename", slugs, either(*SLUGS[2:])), 2),
    (tuples("retire", slugs), 1),
)
steps = weighted(
    (tuples("write", st.lists(writes, min_size=1, max_size=2)), 5),
    (tuples("forward", either(HOUR / 2, HOUR, 31 * 24 * HOUR)), 1),
    (tuples("settle"), 1),
    (tuples("read", which, limits, st.integers(0, 5)), 2),
    (tuples("read on", which, limits), 2),
)


def reset(storage: Storage) -> None:
    """As a database is that was just made, with three categories."""
    storage.entry_cache.clear()
    with storage.database.write() as connection:
        for table in (
            tables.tombstones,
            tables.archive_parts,
            tables.languages,
            tables.entry_categories,
            tables.entry_search,
            tables.entries,
            tables.changes,
            tables.category_slug_history,
        ):
            connection.execute(table.delete())
        connection.execute(
            tables.feed_versions.delete().where(tables.feed_versions.c.category_id != 0)
        )
        connection.execute(tables.categories.delete())
        connection.execute(tables.feed_versions.update().values(seq=0, time=EPOCH))
        connection.execute(
            tables.change_sequence.update().values(seq=0, time=EPOCH, clock=EPOCH)
        )
    with storage.writer("test") as writer:
        for slug in SLUGS[:3]:
            writer.categories.put(Category(slug, ""))


@pytest.mark.bar
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(
    taken=[
        ("write", [("put", 0, ["a"], "published", "", None, None)]),
        ("read on", 0, 5),
        ("read on", 3, 5),
        ("write", [("rename", "a", "d")]),
    ],
    limit=5,
)
@given(taken=st.lists(steps, min_size=20, max_size=50), limit=st.integers(1, 5))
def test_changes_lead_to_the_visible_entries(
    storage: Storage, clock: Clock, taken: list[Step], limit: int
) -> None:
    clock.now = START
    reset(storage)
    followers = [Follower(*wanted) for wanted in FOLLOWED]
    for step in taken:
        take(storage, clock, followers, step)
        if step[0] in ("write", "settle"):
            with storage.database.read() as connection:
                agreement.check(connection)
    while storage.apply_scheduled_changes():
        pass
    with storage.reader() as reader:
        stand = {
            one.id: document(reader.entries.get(one.id).public_view())
            for kind in KINDS
            for one in reader.entries.page(kind, limit=ALL)[0]
            if visibility(one, clock.now)[0]
        }
        assert visible(reader, clock, None, None) == stand
        for follower in (*followers, *(Follower(*wanted) for wanted in FOLLOWED)):
            follower.check(reader, clock, limit)


def test_changes_during_concurrent_writes(storage: Storage, clock: Clock) -> None:
    """Four writers and two followers, each with a thread, and the followers never miss a step."""
    reset(storage)
    writing = threading.Event()
    writing.set()

    def wild(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            slugs = chance.sample(SLUGS, 2)
            number = chance.randrange(20)
            actions: list[Step] = [
                ("put", number, slugs, "published", str(chance.random()), None, None),
                ("put", number, slugs[:1], "draft", str(chance.random()), None, None),
                ("delete", number),
                ("rename", *slugs),
                ("retire", slugs[0]),
                ("file", slugs[0], "", None),
            ]
            take(
                storage,
                clock,
                [],
                ("write", chance.choices(actions, (12, 4, 4, 1, 1, 3), k=2)),
            )

    def follow(follower: Follower, limit: int) -> int:
        pages = 0
        while writing.is_set():
            with suppress(Gone), storage.reader() as reader:
                pages += follower.read(reader, limit)
        with storage.reader() as reader:
            follower.check(reader, clock, limit)
        return pages

    with ThreadPoolExecutor() as pool:
        following = [
            pool.submit(follow, Follower(), 5),
            pool.submit(follow, Follower(slug="a"), 2),
        ]
        try:
            list(pool.map(wild, range(4)))
        finally:
            writing.clear()
        assert min(job.result() for job in following) > 0, (
            "they read while others wrote"
        )
    with storage.reader() as reader:
        assert visible(reader, clock, None, None)
