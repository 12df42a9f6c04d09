"""Combinations of large categories: bounded searches, complete archives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from feedsvc import feeds
from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import Category, Entry, Feed, Site
from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

A, B, C = Category("giao-thong", ""), Category("van-hoa", ""), Category("the-thao", "")


@pytest.fixture
def seeded_storage(
    editor: ApiClient, storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Storage:
    """Store a hundred entries of A, and forty of B alone.

    Every tenth of the older half of A is in B too; the newest fifteen and every third
    are in C. Searches examine twenty entries.
    """
    editor.put("/categories/the-thao", {"title": "Thể thao"})
    monkeypatch.setattr("feedsvc.storage.feed_lookup.MAX_EXAMINED", 20)
    monkeypatch.setattr("feedsvc.storage.archives.MAX_ENTRIES", 15)
    with storage.writer("test") as writer:
        for number in range(100):
            both = number < 50 and number % 10 == 0
            published = clock.now - timedelta(days=1, minutes=100 - number)
            categories = (A, B) if both else (A,)
            if number >= 85 or number % 3 == 0:
                categories = (*categories, C)
            writer.entries.put(
                Entry(
                    f"n{number}",
                    "news",
                    "x",
                    "vi",
                    categories=categories,
                    published=published,
                )
            )
        for number in range(40):
            published = clock.now - timedelta(days=1, minutes=200 + number)
            writer.entries.put(
                Entry(
                    f"b{number}",
                    "news",
                    "x",
                    "vi",
                    categories=(B,),
                    published=published,
                )
            )
    clock.forward(minutes=1)
    return storage


def feed(storage: Storage, clock: Clock, site: Site, query: FeedQuery) -> Feed:
    with storage.reader() as reader:
        return feeds.build_feed(reader, query, site, clock.now)


OF_BOTH = {"n0", "n10", "n20", "n30", "n40"}
ONLY_B = {f"b{number}" for number in range(40)}
COMBINATIONS = [
    (
        CategoryFilter.create(["giao-thong", "van-hoa"], match_all=True),
        OF_BOTH,
    ),
    (CategoryFilter.create(["van-hoa"], ["giao-thong"]), ONLY_B),
    (CategoryFilter.create([], ["giao-thong"]), ONLY_B),
    (
        CategoryFilter.create(["giao-thong"], ["van-hoa"]),
        {f"n{number}" for number in range(100)} - OF_BOTH,
    ),
    (
        CategoryFilter.create(["giao-thong", "van-hoa"], ["the-thao"]),
        {f"n{number}" for number in range(85) if number % 3} | ONLY_B,
    ),
]


def test_archives_of_a_combination_reach_every_entry(
    seeded_storage: Storage, clock: Clock, site: Site
) -> None:
    for selector, expected in COMBINATIONS:
        query = FeedQuery("news", "atom", selector, limit=5)
        current = feed(seeded_storage, clock, site, query)
        archived: list[str] = []
        visited = set()
        step = current.previous_archive
        while step:
            assert step.archive not in visited, "a circle"
            visited.add(step.archive)
            document = feed(seeded_storage, clock, site, step)
            archived += [entry.id for entry in document.entries]
            step = document.previous_archive
        assert len(archived) == len(set(archived)), str(selector)
        listed = {entry.id for entry in current.entries}
        assert {*listed, *archived} == expected, str(selector)


def test_search_is_bounded(seeded_storage: Storage, clock: Clock, site: Site) -> None:
    selector = CategoryFilter.create([], ["giao-thong"])
    assert (
        feed(seeded_storage, clock, site, FeedQuery("news", "atom", selector)).entries
        == ()
    )


def test_included_categories_share_the_search(
    seeded_storage: Storage, clock: Clock, site: Site
) -> None:
    def shown(*wanted: str) -> set[str]:
        selector = CategoryFilter.create(wanted, ["the-thao"])
        return {
            entry.id
            for entry in feed(
                seeded_storage, clock, site, FeedQuery("news", "atom", selector)
            ).entries
        }

    examined_last = {"n80", "n82", "n83"}
    assert shown("giao-thong") == examined_last
    assert "b0" in shown("giao-thong", "van-hoa")
    assert not examined_last & shown("giao-thong", "van-hoa")
