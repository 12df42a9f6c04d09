"""Search entries by words, with FTS5 in SQLite, and a GIN index in PostgreSQL.

Both are given words that Python has folded and split (`feedsvc/words.py`), and neither
parses or folds anything itself, so both find the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from feedsvc.models import Entry
from feedsvc.query import KINDS
from feedsvc.recurrence import MAX_DATETIME
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import FIRST_EVENT_KEY, entries, entry_search
from feedsvc.words import MAX_LENGTH, split_words

MAX_CANDIDATES = 20_000
"""Entries with the words of a search, the newest ones, among which a feed or a page of
the API looks for those that it shows."""

MAX_INDEXED = 512 * 1024
"""Bytes of the words of one entry: a `tsvector` has at most 1 MiB."""

_SECOND_BATCH = 2_000

_MAX_SCANNED = 1_000
"""Newest entries in which PostgreSQL first looks for frequent words one by one."""

_PK_BITS = 29
_PK_MASK = (1 << _PK_BITS) - 1
_SECOND_BITS = 33
"""Bits of an entry's key for its `pk`, and for the second of its publication: until
2242. The kind is above both, in the bit of FIRST_EVENT_KEY."""

_RANGES = {
    "news": (0, FIRST_EVENT_KEY - 1),
    "events": (FIRST_EVENT_KEY, 2 * FIRST_EVENT_KEY - 1),
}
"""The keys of each kind."""

_BATCH_SIZE = 500

# Parts of a word may be in different elements: <b>Hà</b>ng.
_INLINE = "a|abbr|b|bdi|bdo|cite|code|del|dfn|em|i|ins|kbd|mark|q|s|samp|small|span"
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE}|strong|sub|sup|u|var|wbr)\b[^<>]*>")
_TAG = re.compile(r"<(?:[^<>\"]|\"[^\"]*\")*>")


class Indexed(NamedTuple):
    """An entry in the index: the key that sorts it, and its words."""

    key: int
    words: set[str]


class Matches(NamedTuple):
    """The newest entries with all words of a search.

    :param pks: their keys, the newest first. Hidden entries are among them, but no
        deleted ones.
    :param known_from: the time from which on no match is missing.
    :param is_complete: whether no match is missing at all.
    """

    pks: list[int]
    known_from: datetime
    is_complete: bool


class SearchIndex:
    """The index of words, in one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        is_postgresql = connection.dialect.name == "postgresql"
        self._statements: _Statements = _POSTGRESQL if is_postgresql else _SQLITE

    def newest(self, kind: str, words: str, limit: int = MAX_CANDIDATES) -> Matches:
        """Return the newest entries of a kind with all words.

        :param words: in the form of `parse_search`.
        """
        return self._matches(self._statements.matches[kind], kind, words, limit)

    def batches(self, kind: str, words: str, first: int) -> Iterator[Matches]:
        """Yield ever more of the newest entries, up to those of `newest`.

        A caller that needs no more spares the time for them.

        :param first: entries of the first batch; fewer if the words are not frequent.
        """
        for statement, limit in (
            (self._statements.frequent_matches[kind], first),
            (self._statements.matches[kind], _SECOND_BATCH),
            (self._statements.matches[kind], MAX_CANDIDATES),
        ):
            matches = self._matches(statement, kind, words, limit)
            yield matches
            if matches.is_complete:
                return

    def _matches(
        self, statement: sa.Executable, kind: str, words: str, limit: int
    ) -> Matches:
        first, last = _RANGES[kind]
        parameters = {
            "words": self._statements.query(words.split()),
            "first": first,
            "last": last,
            "limit": limit,
            "max_scanned": _MAX_SCANNED,
        }
        keys = self._connection.scalars(statement, parameters).all()
        finds_all = statement is self._statements.matches[kind]
        return Matches(
            [key & _PK_MASK for key in keys],
            # There may be more of the second of the last one.
            _published_at(keys[-1]) + timedelta(seconds=1) if keys else MAX_DATETIME,
            finds_all and len(keys) < limit,
        )

    def store(self, pk: int, entry: Entry, *, is_new: bool) -> None:
        """Store the words of an entry.

        :param is_new: whether the entry has just been inserted.
        """
        stored = None if is_new else self._find(pk)
        if stored is None:
            self.add({pk: entry})
            return
        new = Indexed(_key(pk, entry), _words(entry))
        if new != stored:
            self._statements.replace(self._connection, pk, stored, new)

    def add(self, added: Mapping[int, Entry]) -> None:
        """Store the words of entries by their `pk`, which the index does not have."""
        rows = [
            {
                "entry_pk": pk,
                "key": _key(pk, entry),
                "words": self._statements.encode(_words(entry)),
            }
            for pk, entry in added.items()
        ]
        if rows:
            self._statements.add(self._connection, rows)

    def erase(self, pk: int) -> None:
        """Erase the words of an entry."""
        stored = self._find(pk)
        if stored is not None:
            self._statements.erase(self._connection, pk, stored)

    def build(self) -> None:
        """Store the words of all entries in an empty index."""
        last = 0
        while True:
            keys = list(self._connection.scalars(_NEXT_ENTRIES, {"last": last}))
            if not keys:
                return
            last = keys[-1]
            loaded = load_entries(self._connection, keys)
            self.add({pk: stored.entry for pk, stored in loaded.items()})

    def _find(self, pk: int) -> Indexed | None:
        row = self._connection.execute(self._statements.find, {"of_pk": pk}).first()
        return Indexed(row.key, self._statements.decode(row.words)) if row else None


_IS_OF_ENTRY = entry_search.c.entry_pk == sa.bindparam("of_pk", type_=sa.Integer)
_IS_IN_RANGE = entry_search.c.key.between(
    sa.bindparam("first", type_=sa.BigInteger),
    sa.bindparam("last", type_=sa.BigInteger),
)
# Literally, as of the partial indexes.
_IS_OF_KIND_LITERALLY = {
    "news": entry_search.c.key < sa.literal_column(str(FIRST_EVENT_KEY)),
    "events": entry_search.c.key >= sa.literal_column(str(FIRST_EVENT_KEY)),
}
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_ERASE = entry_search.delete().where(_IS_OF_ENTRY)


class _Statements(Protocol):
    """The SQL of a database. Words need no escaping: they are letters and digits."""

    find: sa.Executable
    matches: Mapping[str, sa.Executable]
    frequent_matches: Mapping[str, sa.Executable]

    def query(self, words: list[str]) -> str:
        """Return the query for all of some words."""

    def encode(self, words: set[str]) -> Any:
        """Return words as the column `words` takes them."""

    def decode(self, words: Any) -> set[str]:
        """Return the words of a row of `find`."""

    def add(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        """Add rows of `entry_search`, with encoded words."""

    def replace(
        self, connection: sa.Connection, pk: int, old: Indexed, new: Indexed
    ) -> None:
        """Replace an entry."""

    def erase(self, connection: sa.Connection, pk: int, old: Indexed) -> None:
        """Erase an entry."""


class _Sqlite(_Statements):
    """FTS5, whose rows are in the order of their keys.

    It is told which words an entry gains and loses, not all of them: to remove a word
    securely takes a millisecond in a large index. FTS5 allows that since the index
    has no positions and no lengths, so each pair of a word and an entry is on its own.
    """

    find: sa.Executable = sa.select(entry_search.c.key, entry_search.c.words).where(
        _IS_OF_ENTRY
    )
    matches: Mapping[str, sa.Executable] = dict.fromkeys(
        KINDS,
        sa.text(
            "SELECT rowid FROM entry_search_fts WHERE entry_search_fts MATCH :words "
            "AND rowid BETWEEN :first AND :last ORDER BY rowid DESC LIMIT :limit"
        ),
    )
    frequent_matches: Mapping[str, sa.Executable] = matches

    _insert = entry_search.insert()
    _update = entry_search.update().where(_IS_OF_ENTRY)
    _gain = sa.text("INSERT INTO entry_search_fts (rowid, words) VALUES (:key, :words)")
    _lose = sa.text(
        "INSERT INTO entry_search_fts (entry_search_fts, rowid, words) "
        "VALUES ('delete', :key, :words)"
    )

    def query(self, words: list[str]) -> str:
        return " ".join(f'"{word}"' for word in words)

    def encode(self, words: set[str]) -> str:
        # Sorted, so that equal entries have equal rows.
        return " ".join(sorted(words))

    def decode(self, words: str) -> set[str]:
        return set(words.split())

    def add(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        connection.execute(self._insert, rows)
        connection.execute(self._gain, rows)

    def replace(
        self, connection: sa.Connection, pk: int, old: Indexed, new: Indexed
    ) -> None:
        lost, gained = old.words, new.words
        if old.key == new.key:
            lost, gained = lost - gained, gained - lost
        # Both, even if there are no words: FTS5 counts its rows.
        connection.execute(self._lose, {"key": old.key, "words": self.encode(lost)})
        connection.execute(self._gain, {"key": new.key, "words": self.encode(gained)})
        parameters = {"of_pk": pk, "key": new.key, "words": self.encode(new.words)}
        connection.execute(self._update, parameters)

    def erase(self, connection: sa.Connection, pk: int, old: Indexed) -> None:
        words = self.encode(old.words)
        connection.execute(self._lose, {"key": old.key, "words": words})
        connection.execute(_ERASE, {"of_pk": pk})


def _has_words(table: Any) -> sa.ColumnElement[bool]:
    query = sa.cast(sa.bindparam("words", type_=sa.String), TSQUERY)
    condition: sa.ColumnElement[bool] = table.c.words.op("@@")(query)
    return condition


class _Postgresql(_Statements):
    """`tsvector` with a GIN index, which finds the entries with a word in no order.

    A word that most entries have is therefore looked for in the newest entries first.
    """

    find: sa.Executable = sa.select(
        entry_search.c.key,
        sa.func.tsvector_to_array(
            entry_search.c.words, type_=sa.ARRAY(sa.String)
        ).label("words"),
    ).where(_IS_OF_ENTRY)

    # By the expression `key + 0`, or PostgreSQL would read the rows in the order of
    # their keys until it has enough of them: all rows, if the words are rare.
    matches: Mapping[str, sa.Executable] = {
        kind: sa.select(entry_search.c.key)
        .where(is_of_kind, _has_words(entry_search))
        .order_by((entry_search.c.key + 0).desc())
        .limit(_LIMIT)
        for kind, is_of_kind in _IS_OF_KIND_LITERALLY.items()
    }
    _newest = (
        sa.select(entry_search.c.key, entry_search.c.words)
        .where(_IS_IN_RANGE)
        .order_by(entry_search.c.key.desc())
        .limit(sa.bindparam("max_scanned", type_=sa.Integer))
        .subquery()
    )
    frequent_matches: Mapping[str, sa.Executable] = dict.fromkeys(
        KINDS,
        sa.select(_newest.c.key)
        .where(_has_words(_newest))
        .order_by(_newest.c.key.desc())
        .limit(_LIMIT),
    )

    # The words as they are: `to_tsvector` would parse them, by rules of its own.
    _words = sa.func.array_to_tsvector(
        sa.bindparam("words", type_=sa.ARRAY(sa.String)), type_=TSVECTOR
    )
    _insert = entry_search.insert().values(words=_words)
    _update = entry_search.update().where(_IS_OF_ENTRY).values(words=_words)

    def query(self, words: list[str]) -> str:
        return " & ".join(f"'{word}'" for word in words)

    def encode(self, words: set[str]) -> list[str]:
        return list(words)

    def decode(self, words: list[str]) -> set[str]:
        return set(words)

    def add(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        connection.execute(self._insert, rows)

    def replace(
        self, connection: sa.Connection, pk: int, old: Indexed, new: Indexed
    ) -> None:
        parameters = {"of_pk": pk, "key": new.key, "words": self.encode(new.words)}
        connection.execute(self._update, parameters)

    def erase(self, connection: sa.Connection, pk: int, old: Indexed) -> None:
        connection.execute(_ERASE, {"of_pk": pk})


_SQLITE = _Sqlite()
_POSTGRESQL = _Postgresql()

_NEXT_ENTRIES = (
    sa.select(entries.c.pk)
    .where(entries.c.pk > sa.bindparam("last"), entries.c.status != "deleted")
    .order_by(entries.c.pk)
    .limit(_BATCH_SIZE)
)


def _key(pk: int, entry: Entry) -> int:
    # A draft that was never published has no time; the API alone finds it.
    second = max(0, int(entry.published.timestamp())) if entry.published else 0
    kind = KINDS.index(entry.kind)
    return kind * FIRST_EVENT_KEY | second << _PK_BITS | pk


def _published_at(key: int) -> datetime:
    second = key >> _PK_BITS & (1 << _SECOND_BITS) - 1
    return datetime.fromtimestamp(second, UTC)


def _words(entry: Entry) -> set[str]:
    """Return the words by which readers find an entry.

    A withdrawn one is not found by what readers no longer see.
    """
    shown = entry.public_view()
    place = shown.event and shown.event.location
    words = split_words(
        shown.title,
        shown.summary,
        _plain_text(shown.content_html or ""),
        shown.content_text or "",
        *(author.name for author in shown.authors),
        *([shown.source.name] if shown.source else []),
        *([place.name, place.address or ""] if place else []),
    )
    # No search has a longer word.
    words = {word for word in words if len(word) <= MAX_LENGTH}
    size = sum(len(word.encode()) for word in words)
    if size > MAX_INDEXED:
        # Texts of a million characters alone have so many.
        words = _without_longest(words, size)
    return words


def _without_longest(words: set[str], size: int) -> set[str]:
    """Return words without the longest ones, in `MAX_INDEXED` bytes."""
    shortest_first = sorted(words, key=lambda word: (-len(word), word), reverse=True)
    while size > MAX_INDEXED:
        size -= len(shortest_first.pop().encode())
    return set(shortest_first)


def _plain_text(html: str) -> str:
    return unescape(_TAG.sub(" ", _INLINE_TAG.sub("", html)))
