"""Entries that feeds keep: what a feed loads after a write, and how much is kept."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.models import Entry
from feedsvc.storage import Storage
from feedsvc.storage.entry_cache import MAX_BYTES, EntryCache
from tests.conftest import ApiClient

ENTRY = Entry("a", "news", "Một", "vi")
SIZE = MAX_BYTES // 100


def test_entry_is_kept_while_its_stamp_is_the_same() -> None:
    cache = EntryCache()
    cache.put(1, "old", SIZE, ENTRY)
    assert cache.get(1, "old") is ENTRY
    assert cache.get(1, "new") is None
    assert cache.get(2, "old") is None
    newer = replace(ENTRY, title="Hai")
    cache.put(1, "new", SIZE, newer)
    assert (cache.get(1, "old"), cache.get(1, "new")) == (None, newer)
    cache.clear()
    assert cache.get(1, "new") is None


def test_least_recently_used_entries_leave_when_the_bytes_are_used_up() -> None:
    cache = EntryCache()
    for key in range(100):
        cache.put(key, "", SIZE, ENTRY)
    assert cache.get(0, "")
    for key in range(100, 150):
        cache.put(key, "", SIZE, ENTRY)
    kept = [key for key in range(150) if cache.get(key, "")]
    assert kept == [0, *range(51, 150)]
    cache.put(0, "", SIZE, ENTRY)
    assert cache.get(51, ""), "an entry that is replaced takes no more room"


def test_large_entry_displaces_no_others() -> None:
    cache = EntryCache()
    cache.put(1, "", SIZE, ENTRY)
    cache.put(2, "", MAX_BYTES // 2, ENTRY)
    assert (cache.get(1, ""), cache.get(2, "")) == (ENTRY, None)


@pytest.mark.both_databases
def test_feed_after_a_write_loads_the_written_entry_alone(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    loaded: list[int] = []

    def count(_: object, __: object, sql: str, parameters: Any, *___: object) -> None:
        if "content_html" in sql and "entries.document" in sql:
            keys = parameters.values() if isinstance(parameters, dict) else parameters
            loaded.append(len(re.findall(r"\d+", str(list(keys)))))

    for number in range(5):
        document = {"title": f"Bài {number}", "categories": ["giao-thong"]}
        editor.put(f"/articles/n{number}", document)
    client.get("/feeds/news.json")
    sa.event.listen(storage.database.engine, "before_cursor_execute", count)
    client.get("/feeds/news.rss")
    assert loaded == []
    editor.put("/articles/n2", {"title": "Mới", "categories": ["giao-thong"]})
    loaded.clear()
    assert "Mới" in client.get("/feeds/news.atom").text
    assert loaded == [1]


@pytest.mark.both_databases
def test_new_title_of_a_category_reaches_kept_entries(
    editor: ApiClient, client: FlaskClient
) -> None:
    for number in range(3):
        document = {"title": f"Bài {number}", "categories": ["giao-thong"]}
        editor.put(f"/articles/n{number}", document)
    assert client.get("/feeds/news.rss").text.count("Giao thông") == 3
    editor.put("/categories/giao-thong", {"title": "Đi lại"})
    text = client.get("/feeds/news.rss").text
    assert (text.count("Giao thông"), text.count("Đi lại")) == (0, 3)
