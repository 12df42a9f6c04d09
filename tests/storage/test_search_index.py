"""Searches by the index of words in both databases, and deletions from it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.models import Entry, utcnow
from feedsvc.storage import Storage, search
from feedsvc.storage.search import SearchIndex
from feedsvc.storage.tables import entries, entry_search
from feedsvc.words import fold, parse_search, split_words
from tests.conftest import ApiClient
from tests.fake_clock import HANOI, Clock
from tests.full_entries import NOT_SEARCHED, TEXT_MEMBERS

TEXTS = st.text(
    st.one_of(
        st.sampled_from("aAàÁđĐßﬁİıſ1_-'\"*():&|!\\ \u00a0\u0301\u0302한中"),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    max_size=20,
)


@pytest.fixture
def storages(sqlite_url: str, postgresql_url: str) -> Iterator[list[Storage]]:
    """Storages of both databases, with equal entries."""
    with ExitStack() as stack:
        opened = [Storage(url, utcnow, HANOI) for url in (sqlite_url, postgresql_url)]
        for storage in opened:
            stack.callback(storage.close)
        yield opened


def article(number: int, title: str, **members: object) -> Entry:
    """Return an article that is published a minute after the one before it."""
    published = Clock().now + timedelta(minutes=number)
    return Entry(f"a{number}", "news", title, "vi", published=published, **members)  # type: ignore[arg-type]


def found(storage: Storage, words: str, kind: str = "news") -> list[str]:
    """Return the ids of the entries with all words, the newest first."""
    with storage.database.read() as connection:
        index = SearchIndex(connection)
        newest = index.newest(kind, words, 100)
        is_of_kind = entries.c.kind == kind
        rows = connection.execute(
            sa.select(entries.c.pk, entries.c.id).where(is_of_kind)
        )
        ids = {row.pk: row.id for row in rows}
        assert index.among(sorted(ids), words) == sorted(newest.pks)
    assert newest.is_complete
    return [ids[pk] for pk in newest.pks]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), query=TEXTS)
def test_both_databases_find_the_entries_with_all_words(
    storages: list[Storage], texts: list[str], query: str
) -> None:
    # The entries of the example before are replaced, so words come and go.
    for storage in storages:
        with storage.writer("editor") as writer:
            for number in range(6):
                title = texts[number] if number < len(texts) else "-"
                writer.entries.put(article(number, title))
    for asked in {query, texts[0], f"{texts[0]} {texts[-1]}"}:
        words = split_words(asked)
        if not words or max(map(len, words)) > 100:
            continue
        expected = [
            f"a{number}"
            for number in reversed(range(len(texts)))
            if words <= split_words(texts[number])
        ]
        for storage in storages:
            assert found(storage, " ".join(sorted(words))) == expected


@given(TEXTS)
def test_canonical_search_is_its_own_canonical_form(text: str) -> None:
    try:
        words = parse_search(text)
    except ValueError:
        return
    assert parse_search(words) == words
    assert words == fold(words)
    assert split_words(unicodedata.normalize("NFD", text)) == set(words.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hà Nội", "ha noi"),
        ("ĐƯỜNG số 3, đường", "3 duong so"),
        ('"a" OR b* -c NEAR(d) e:f', "a b c d e f near or"),
        (" \t!?", ""),
        ("Straße", "strasse"),
    ],
)
def test_search_is_folded_sorted_and_without_operators(text: str, words: str) -> None:
    assert parse_search(text) == words


@pytest.mark.both_databases
def test_texts_that_are_searched(editor: ApiClient, storage: Storage) -> None:
    editor.put(
        "/events/e",
        {
            "title": "Tiêu đề",
            "summary": "Tóm tắt",
            "content_html": '<p>Thân<b>b</b>ài &amp; <a href="https://x.example/href">nối</a></p><p>đoạn</p>',
            "authors": [{"name": "Tác Giả", "email": "mail@x.example"}],
            "source": {"name": "Nguồn"},
            "location": {"name": "Nhà hát", "address": "Tràng Tiền"},
            "start": "2027-01-01",
        },
    )
    for word in "tieu tom thanbai noi doan gia nguon hat trang".split():
        assert found(storage, word, "events") == ["e"], word
    for word in "href mail b p amp".split():
        assert found(storage, word, "events") == [], word
    assert found(storage, "tieu") == [], "of the other kind"


@pytest.mark.parametrize("name", TEXT_MEMBERS)
def test_search_finds_text_members(
    editor: ApiClient, storage: Storage, name: str
) -> None:
    editor.put("/articles/a", {"title": "Tin", name: "marker"})
    is_found = found(storage, "marker") == ["a"]
    assert is_found == (name not in NOT_SEARCHED), (
        f"{name}: in _words (feedsvc/storage/search.py), or else in NOT_SEARCHED (tests/full_entries.py)"
    )


@pytest.mark.both_databases
def test_hidden_text_of_a_withdrawn_entry_is_not_found(
    editor: ApiClient, storage: Storage
) -> None:
    editor.put("/articles/a", {"title": "Tin", "content_text": "bí mật"})
    editor.send("PATCH", "/articles/a", {"status": "withdrawn"})
    assert found(storage, "mat") == []
    assert found(storage, "tin") == ["a"]


@pytest.mark.both_databases
def test_new_publication_date_moves_an_entry(
    editor: ApiClient, storage: Storage
) -> None:
    for id, day in (("a", 1), ("b", 2)):
        editor.put(
            f"/articles/{id}",
            {"title": "Tin", "date_published": f"2026-11-0{day}T00:00:00Z"},
        )
    assert found(storage, "tin") == ["b", "a"]
    editor.send("PATCH", "/articles/a", {"date_published": "2026-11-03T00:00:00Z"})
    assert found(storage, "tin") == ["a", "b"]


@pytest.mark.both_databases
def test_deletion_erases_the_words(editor: ApiClient, storage: Storage) -> None:
    editor.put("/articles/a", {"title": "Confidential"})
    editor.put("/articles/a", {"title": "Classified"})
    editor.send("DELETE", "/articles/a")
    assert found(storage, "classified") == []
    with storage.database.read() as connection:
        assert connection.execute(sa.select(entry_search)).all() == []
    editor.put("/articles/a", {"title": "Restored"})
    assert found(storage, "restored") == ["a"]


def test_words_are_erased_from_the_file(sqlite_url: str) -> None:
    storage = Storage(sqlite_url, utcnow, HANOI)
    for title in ("Confidential", "Classified"):
        with storage.writer("editor") as writer:
            writer.entries.put(article(1, title))
    with storage.writer("editor") as writer:
        writer.entries.delete("news", "a1")
    storage.close()
    data = Path(sa.make_url(sqlite_url).database or "").read_bytes()
    assert b"confidential" not in data
    assert b"classified" not in data


@pytest.mark.both_databases
def test_index_is_made_again_from_a_dump(
    editor: ApiClient, storage: Storage, tmp_path: Path
) -> None:
    editor.put("/articles/a", {"title": "Tin vui"})
    editor.put("/articles/b", {"title": "Tin"})
    editor.send("DELETE", "/articles/b")
    lines = [line.encode() for line in storage.dump()]
    copy = Storage(f"sqlite:///{tmp_path}/copy.db", utcnow, HANOI)
    copy.upgrade()
    copy.load_dump(lines)
    assert found(copy, "tin") == ["a"]
    copy.close()


@pytest.mark.both_databases
def test_index_has_the_last_words_of_a_transaction(storage: Storage) -> None:
    with storage.writer("editor") as writer:
        writer.entries.put(article(1, "Tin cũ"))
        writer.entries.put(article(1, "Tin mới"))
        writer.entries.put(article(2, "Tin xóa"))
        writer.entries.delete("news", "a2")
    assert found(storage, "tin") == found(storage, "moi") == ["a1"]
    assert found(storage, "cu") == found(storage, "xoa") == []


@pytest.mark.both_databases
def test_newest_matches_come_first_whatever_their_time(storage: Storage) -> None:
    days = ["2026-11-01", "1969-01-01", "2026-10-31", "2001-01-01", "2020-02-29"]
    with storage.writer("editor") as writer:
        for number, day in enumerate(days):
            published = datetime.fromisoformat(f"{day}T00:00:00Z")
            entry = replace(article(number, "Tin vui"), published=published)
            writer.entries.put(entry)
        writer.entries.put(replace(article(5, "Tin"), published=None, status="draft"))
    assert found(storage, "tin vui") == ["a0", "a2", "a4", "a3", "a1"]
    with storage.database.read() as connection:
        matches = SearchIndex(connection).newest("news", "tin", 3)
    assert len(matches.pks) == 3
    assert matches.known_from == datetime(2020, 2, 29, 0, 0, 1, tzinfo=UTC)
    assert not matches.is_complete


def test_words_of_one_entry_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_INDEXED", 10)
    assert search._words(article(1, "a bb cccccc ddddd")) == {"a", "bb", "ddddd"}
