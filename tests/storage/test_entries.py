"""Rules of stored entries: translations, dates, postponed events."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from feedsvc.errors import Gone, Unavailable, ValidationFailed
from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import Category, Entry, Event, Translation
from feedsvc.storage import IMPORT, Storage
from tests.conftest import ApiClient
from tests.fake_clock import HANOI, Clock

VI, EN = Category("giao-thong", ""), Category("van-hoa", "")


def article(id: str, language: str = "vi", **members: Any) -> Entry:
    return Entry(id, "news", members.pop("title", id), language, **members)


def put(storage: Storage, entry: Entry, **options: Any) -> Entry:
    with storage.writer("test") as writer:
        stored, _ = writer.entries.put(entry, **options)
    return stored


def shown(
    storage: Storage, clock: Clock, category: Category
) -> tuple[dict[str, tuple[Translation, ...]], datetime]:
    """Return the translations of the entries in a category's feed, and its version."""
    query = FeedQuery("news", "atom", CategoryFilter.create([category.slug]))
    with storage.reader() as reader:
        selection = reader.select_feed(query, clock.now)
        entries = selection.entries().entries
        version, _ = selection.version()
    return {entry.id: entry.translations for entry in entries}, version.time


def test_time_of_a_withdrawal_survives_edits(storage: Storage, clock: Clock) -> None:
    assert put(storage, article("a")).withdrawn is None
    withdrawn = put(storage, article("a", status="withdrawn"))
    assert withdrawn.withdrawn == clock.now
    clock.forward(hours=1)
    edited = put(storage, replace(withdrawn, notice="Nhầm"))
    assert edited.withdrawn == withdrawn.withdrawn


@pytest.mark.usefixtures("editor")
def test_change_of_a_translation_changes_the_feeds_of_the_others(
    storage: Storage, clock: Clock
) -> None:
    put(storage, article("a", translation_key="key", categories=(VI,)))
    put(storage, article("other", categories=(VI,)))
    versions = [shown(storage, clock, VI)[1]]
    for title in ("Opening", "Opened"):
        clock.forward(seconds=5)
        translation = article(
            "b", "en", title=title, translation_key="key", categories=(EN,)
        )
        put(storage, translation)
        translations, version = shown(storage, clock, VI)
        assert translations == {"a": (Translation("b", "en", title),), "other": ()}
        versions.append(version)
    clock.forward(seconds=5)
    put(storage, replace(translation, translation_key=None))
    translations, version = shown(storage, clock, VI)
    assert translations == {"a": (), "other": ()}
    versions.append(version)
    assert versions == sorted(set(versions))


def test_draft_does_not_change_the_feeds_of_its_translations(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    put(storage, article("a", translation_key="key", categories=(VI,)))
    before = shown(storage, clock, VI)
    clock.forward(seconds=5)
    put(storage, article("b", "en", translation_key="key", status="draft"))
    assert shown(storage, clock, VI) == before


def test_language_has_one_translation(storage: Storage) -> None:
    put(storage, article("a", "en-GB", translation_key="key"))
    put(storage, article("b", "vi", translation_key="key"))
    put(storage, article("a", "en-GB", translation_key="key", title="New"))
    with pytest.raises(ValidationFailed):
        put(storage, article("c", "en-gb", translation_key="key"))


def test_deleted_entry_cannot_be_deleted_again(storage: Storage) -> None:
    put(storage, article("a"))
    with storage.writer("test") as writer:
        writer.entries.delete("news", "a")
    with storage.writer("test") as writer, pytest.raises(Gone):
        writer.entries.delete("news", "a")


def test_start_before_a_postponement_is_kept(storage: Storage) -> None:
    old, new = (datetime(2026, 12, day, 8, tzinfo=HANOI) for day in (5, 6))

    def previous_start(start: datetime, status: str) -> date | None:
        event = Event(start, None, HANOI, status=status)
        stored = put(storage, Entry("e", "events", "x", "vi", event=event)).event
        assert stored
        return stored.previous_start

    assert previous_start(old, "confirmed") is None
    assert previous_start(new, "postponed") == old
    assert previous_start(new, "confirmed") == old
    assert previous_start(old, "confirmed") is None


def test_date_of_an_imported_change_is_neither_before_publication_nor_in_the_future(
    storage: Storage, clock: Clock
) -> None:
    day = timedelta(days=1)
    published = clock.now - 9 * day
    for source_updated, expected in (
        (clock.now - 8 * day, clock.now - 8 * day),
        (clock.now - 10 * day, published),
        (clock.now + day, clock.now),
        (None, clock.now),
    ):
        entry = article(str(source_updated), published=published)
        updated = put(storage, entry, updated=source_updated).updated
        assert abs(updated - expected) < timedelta(seconds=1)


def test_entries_are_admitted_before_they_are_loaded(
    storage: Storage, clock: Clock
) -> None:
    put(storage, article("a", content_html="x" * 1000))
    admitted: list[int] = []

    def refuse(size: int) -> None:
        admitted.append(size)
        raise Unavailable("No memory.")

    with storage.reader() as reader:
        selection = reader.select_feed(FeedQuery("news", "rss"), clock.now)
        with pytest.raises(Unavailable):
            selection.entries(admit=refuse)
        assert [entry.id for entry in selection.entries().entries] == ["a"]
    (size,) = admitted
    assert size > 1000


@pytest.mark.usefixtures("editor")
def test_entries_change_with_the_slug_of_their_category(storage: Storage) -> None:
    put(storage, article("a", categories=(VI,)))
    put(storage, article("b", categories=(EN,)))
    with storage.reader() as reader:
        before, _, _ = reader.last_change()
    with storage.writer("test") as writer:
        writer.categories.rename(VI.slug, "duong-sa")
    with storage.reader() as reader:
        changes = list(reader.list_changes(after=before, limit=10))
    assert [change.entry.id for change in changes] == ["a"]
    assert [category.slug for category in changes[0].entry.categories] == ["duong-sa"]


@pytest.mark.parametrize(("limit", "sizes"), [(2, [2, 2, 1]), (5, [5]), (1, [1] * 5)])
def test_pages_have_as_many_entries_as_their_limit(
    storage: Storage, limit: int, sizes: list[int]
) -> None:
    for number in range(5):
        put(storage, article(str(number)))
    pages: list[list[str]] = []
    before = None
    with storage.reader() as reader:
        while not pages or before is not None:
            entries, before = reader.entries.page(
                "news", limit=limit, before=before, status=None, category=None
            )
            pages.append([entry.id for entry in entries])
    assert [len(page) for page in pages] == sizes
    assert [id for page in pages for id in page] == list("43210")


def test_entries_that_an_editor_wrote_last_are_edited(storage: Storage) -> None:
    with storage.writer(IMPORT) as writer:
        kept, _ = writer.entries.put(article("kept"))
        edited, _ = writer.entries.put(article("edited"))
    put(storage, replace(edited, title="Khác"))
    with storage.reader() as reader:
        assert reader.entries.edited_guids([kept.guid, edited.guid]) == {edited.guid}
