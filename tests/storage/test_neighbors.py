"""The entries beside an entry: in order, visible, and found by an index."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from feedsvc.storage import Storage
from feedsvc.storage.neighbors import Direction
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

CATEGORIES = (None, "giao-thong")


def fill(editor: ApiClient, clock: Clock) -> None:
    """Write articles in and outside of a category, and events in another order."""
    for number in range(5):
        clock.forward(seconds=60)
        category = {"categories": ["giao-thong"]} if number % 2 == 0 else {}
        editor.put(f"/articles/n{number}", {"title": "x", **category})
        start = clock.now + timedelta(days=9 - number)
        event = {"title": "x", "start": start.isoformat(), **category}
        editor.put(f"/events/e{number}", event)
    editor.put("/articles/draft", {"title": "x", "status": "draft"})


def chain(
    storage: Storage, id: str, slug: str | None, direction: Direction
) -> list[str]:
    """Return the ids of all entries from one on in a direction."""
    ids = [id]
    with storage.reader() as reader:
        entry = reader.entries.get(id)
        while following := reader.neighbor(entry, slug, direction):
            ids.append(following.id)
            entry = following
    return ids


def test_articles_are_in_the_order_of_publication(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    fill(editor, clock)
    everything = ["n0", "n1", "n2", "n3", "n4"]
    assert chain(storage, "n0", None, "next") == everything
    assert chain(storage, "n4", None, "previous") == everything[::-1]
    assert chain(storage, "n0", "giao-thong", "next") == ["n0", "n2", "n4"]
    assert chain(storage, "n4", "giao-thong", "previous") == ["n4", "n2", "n0"]


def test_events_are_in_the_order_of_their_starts(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    fill(editor, clock)
    assert chain(storage, "e4", None, "next") == ["e4", "e3", "e2", "e1", "e0"]
    assert chain(storage, "e0", "giao-thong", "previous") == ["e0", "e2", "e4"]


def test_entries_of_one_moment_have_one_order(
    editor: ApiClient, storage: Storage
) -> None:
    moment = {"title": "x", "start": "2026-12-24T19:00:00"}
    for kind in ("articles", "events"):
        for number in range(4):
            document = {**moment, "date_published": "2026-11-24T08:00:00"}
            if kind == "articles":
                del document["start"]
            editor.put(f"/{kind}/{kind}{number}", document)
        with storage.reader() as reader:
            entries = [reader.entries.get(f"{kind}{number}") for number in range(4)]
        # Of one moment, a list has the lower guid first, and the newest article first.
        entries.sort(key=lambda entry: entry.guid, reverse=kind == "articles")
        ids = [entry.id for entry in entries]
        assert chain(storage, ids[0], None, "next") == ids
        assert chain(storage, ids[-1], None, "previous") == ids[::-1]


@pytest.mark.sqlite  # PostgreSQL would search a small table
def test_neighbor_is_found_by_an_index(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    fill(editor, clock)
    statements: list[tuple[str, Any]] = []

    def note(
        connection: Any, cursor: Any, statement: str, parameters: Any, *given: Any
    ) -> None:
        if "UNION" in statement:
            statements.append((statement, parameters))

    engine = storage.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    for slug in CATEGORIES:
        chain(storage, "n0", slug, "next")
        chain(storage, "e0", slug, "previous")
    sa.event.remove(engine, "before_cursor_execute", note)
    assert statements
    with storage.database.read() as connection:
        for statement, parameters in statements:
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", parameters
            )
            searches = [row.detail for row in plan if "entr" in row.detail]
            assert searches
            for search in searches:
                assert search.startswith("SEARCH"), search
                assert "_published (" in search or "_starts (" in search, search
