"""Search entries by words, with FTS5 in SQLite, and a GIN index in PostgreSQL.

Both are given words that Python has folded and split (`feedsvc/words.py`), and neither
parses or folds anything itself, so both find the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from feedsvc.feed_query import KINDS
from feedsvc.models import Entry
from feedsvc.recurrence import MAX_DATETIME
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import (
    FIRST_EVENT_KEY,
    entries,
    entry_search,
    is_among,
)
from feedsvc.words import MAX_LENGTH, split_words

MAX_CANDIDATES = 10_000
"""Entries with the words of a search that are examined for its other conditions."""

MAX_INDEXED = 512 * 1024
"""Bytes of the words of one entry: a `tsvector` has at most 1 MiB."""

# A key has, from its lowest bit, the entry's `pk`, the Unix time of its publication in
# seconds (until 2242), and its kind, in the bit of FIRST_EVENT_KEY.
_PK_BITS = 29
_PK_MASK = (1 << _PK_BITS) - 1
_SECOND_BITS = 33

_PERIOD_SHIFT = _PK_BITS + 24
"""Bits of a key below its period, which is 194 days long."""

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
    """The newest entries with all words of a search, as many as were asked for.

    :param pks: the primary keys of the entries, the newest first.
    :param known_from: all entries with the words from this time on are in `pks`.
    :param is_complete: true if all entries with the words are in `pks`.
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

    def newest(self, kind: str, words: str, limit: int) -> Matches:
        """Return the newest entries of a kind with all words, hidden ones too.

        :param words: in the form of `parse_search`.
        :param limit: the number of entries at most; no caller needs more than
            `MAX_CANDIDATES`.
        """
        parameters = {"words": self._statements.query(words.split()), "limit": limit}
        statement = self._statements.newest[kind]
        keys = sorted(self._connection.scalars(statement, parameters), reverse=True)
        return Matches(
            [key & _PK_MASK for key in keys],
            # Others of the same second as the last one may be missing.
            _published_at(keys[-1]) + timedelta(seconds=1) if keys else MAX_DATETIME,
            len(keys) < limit,
        )

    def among(self, pks: Sequence[int], words: str) -> list[int]:
        """Return those of some entries that have all words, in the same order."""
        has_words = self._statements.has_words(words.split())
        is_of_entries = is_among(entry_search.c.entry_pk, "pks")
        statement = sa.select(entry_search.c.entry_pk).where(is_of_entries, has_words)
        matches = set(self._connection.scalars(statement, {"pks": pks}))
        return [pk for pk in pks if pk in matches]

    def store(self, pk: int, entry: Entry) -> None:
        """Store the words of an entry, in place of those that the index has of it."""
        stored = self._find(pk)
        if stored is None:
            self.add({pk: entry})
            return
        new = _indexed(pk, entry)
        if new != stored:
            self._statements.replace(self._connection, pk, stored, new)

    def add(self, added: Mapping[int, Entry]) -> None:
        """Store the words of entries by their `pk`, which the index does not have."""
        rows = []
        for pk, entry in added.items():
            indexed = _indexed(pk, entry)
            words = self._statements.encode(indexed)
            rows.append({"entry_pk": pk, "key": indexed.key, "words": words})
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
            pks = list(self._connection.scalars(_NEXT_ENTRIES, {"last": last}))
            if not pks:
                return
            last = pks[-1]
            loaded = load_entries(self._connection, pks)
            self.add({pk: stored.entry for pk, stored in loaded.items()})

    def _find(self, pk: int) -> Indexed | None:
        row = self._connection.execute(self._statements.find, {"of_pk": pk}).first()
        return Indexed(row.key, self._statements.decode(row.words)) if row else None


_IS_OF_ENTRY = entry_search.c.entry_pk == sa.bindparam("of_pk", type_=sa.Integer)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_ERASE = entry_search.delete().where(_IS_OF_ENTRY)


def _is_of_kind(kind: str, key: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    # Literally, since PostgreSQL matches the conditions of its indexes by literals.
    first_event_key: sa.ColumnElement[int] = sa.literal_column(str(FIRST_EVENT_KEY))
    return key < first_event_key if kind == "news" else key >= first_event_key


class _Statements(Protocol):
    """The SQL of a database. Words need no escaping: they are letters and digits."""

    find: sa.Executable
    newest: Mapping[str, sa.Executable]
    insert: sa.Executable = entry_search.insert()
    update: sa.Executable = entry_search.update().where(_IS_OF_ENTRY)

    def query(self, words: list[str]) -> str:
        """Return the parameter `words` of `newest` for all of some words."""

    def has_words(self, words: list[str]) -> sa.ColumnElement[bool]:
        """Return the condition that a row has all of some words."""

    def encode(self, indexed: Indexed) -> Any:
        """Return the words of an entry as the column `words` takes them."""

    def decode(self, words: Any) -> set[str]:
        """Return the words of a row of `find`."""

    def add(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        """Add rows of `entry_search`, with encoded words."""
        connection.execute(self.insert, rows)

    def replace(
        self, connection: sa.Connection, pk: int, old: Indexed, new: Indexed
    ) -> None:
        """Replace the words of an entry.

        :param old: the stored words, which FTS5 needs to remove them.
        """
        parameters = {"of_pk": pk, "key": new.key, "words": self.encode(new)}
        connection.execute(self.update, parameters)

    def erase(self, connection: sa.Connection, pk: int, old: Indexed) -> None:
        """Erase the words of an entry.

        :param old: as in `replace`.
        """
        connection.execute(_ERASE, {"of_pk": pk})


def _newest_by_rowid(kind: str) -> sa.Select[int]:
    rowid: sa.ColumnElement[int] = sa.column("rowid", sa.BigInteger)
    has_words = sa.text("entry_search_fts MATCH :words")
    return (
        sa.select(rowid)
        .select_from(sa.table("entry_search_fts"))
        .where(has_words, _is_of_kind(kind, rowid))
        .order_by(rowid.desc())
        .limit(_LIMIT)
    )


class _Sqlite(_Statements):
    """FTS5, whose rows are in the order of their keys.

    It is told which words an entry gains and loses, not all of them: to remove a word
    securely takes a millisecond in a large index. FTS5 allows that since the index
    has no positions and no lengths, so each pair of a word and an entry is on its own.
    """

    find: sa.Executable = sa.select(entry_search.c.key, entry_search.c.words).where(
        _IS_OF_ENTRY
    )
    newest: Mapping[str, sa.Executable] = {
        kind: _newest_by_rowid(kind) for kind in KINDS
    }

    _gain = sa.text("INSERT INTO entry_search_fts (rowid, words) VALUES (:key, :words)")
    _lose = sa.text(
        "INSERT INTO entry_search_fts (entry_search_fts, rowid, words) "
        "VALUES ('delete', :key, :words)"
    )
    _lose_and_gain = sa.text(
        "INSERT INTO entry_search_fts (entry_search_fts, rowid, words) "
        "VALUES ('delete', :lost_key, :lost), (NULL, :gained_key, :gained)"
    )

    def query(self, words: list[str]) -> str:
        return " ".join(f'"{word}"' for word in words)

    def has_words(self, words: list[str]) -> sa.ColumnElement[bool]:
        padded = sa.literal(" ").concat(entry_search.c.words).concat(" ")
        return sa.and_(*(sa.func.instr(padded, f" {word} ") > 0 for word in words))

    def encode(self, indexed: Indexed) -> str:
        # Sorted, so that equal entries have equal rows.
        return " ".join(sorted(indexed.words))

    def decode(self, words: str) -> set[str]:
        return set(words.split())

    def add(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        super().add(connection, rows)
        connection.execute(self._gain, rows)

    def replace(
        self, connection: sa.Connection, pk: int, old: Indexed, new: Indexed
    ) -> None:
        super().replace(connection, pk, old, new)
        lost, gained = old, new
        if old.key == new.key:
            lost = Indexed(old.key, old.words - new.words)
            gained = Indexed(new.key, new.words - old.words)
        # Both, even if there are no words: FTS5 counts its rows.
        connection.execute(
            self._lose_and_gain,
            {
                "lost_key": lost.key,
                "lost": self.encode(lost),
                "gained_key": gained.key,
                "gained": self.encode(gained),
            },
        )

    def erase(self, connection: sa.Connection, pk: int, old: Indexed) -> None:
        super().erase(connection, pk, old)
        connection.execute(self._lose, {"key": old.key, "words": self.encode(old)})


def _matches(query: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = entry_search.c.words.op("@@")(
        sa.cast(query, TSQUERY)
    )
    return condition


def _newest_by_period(kind: str) -> sa.Select[int]:
    """Return the statement that searches one period after another, the newest first.

    The recursion finds the next older period that has entries. PostgreSQL runs it no
    further than `LIMIT` needs. The rows of a period are near each other, since most
    entries are stored in the order of their publication; else this would be slow.
    """
    key = entry_search.c.key
    is_of_kind = _is_of_kind(kind, key)
    bits: sa.ColumnElement[int] = sa.literal_column(str(_PERIOD_SHIFT))
    newest_period = sa.select(sa.func.max(key).op(">>")(bits).label("period"))
    newest_period = newest_period.where(is_of_kind)
    periods = newest_period.cte("periods", recursive=True)
    is_older = key < periods.c.period.op("<<")(bits)
    next_period = newest_period.where(is_older).correlate(periods).scalar_subquery()
    periods = periods.union_all(
        sa.select(next_period).where(periods.c.period.is_not(None))
    )
    of_period = (
        sa.select(key)
        # The period first, and not in one query with the words: PostgreSQL would look
        # at all entries with the rarest word in each period.
        .where(
            is_of_kind,
            _matches(sa.func.concat("@", periods.c.period)),
            _matches(sa.bindparam("words", type_=sa.String)),
        )
        # The expression keeps PostgreSQL from reading all rows in the order of keys.
        .order_by((key + 0).desc())
        .lateral()
    )
    # In the order of the periods, since PostgreSQL joins with LATERAL by a nested loop.
    matches = sa.select(of_period.c.key).join_from(periods, of_period, sa.true())
    return matches.limit(_LIMIT)


class _Postgresql(_Statements):
    """`tsvector` with a GIN index, which finds the entries with a word in no order.

    To find the newest ones first, each row has its period among its words, and the
    periods are searched one after another, until there are enough entries.
    """

    find: sa.Executable = sa.select(
        entry_search.c.key,
        sa.func.tsvector_to_array(
            entry_search.c.words, type_=sa.ARRAY(sa.String)
        ).label("words"),
    ).where(_IS_OF_ENTRY)

    newest: Mapping[str, sa.Executable] = {
        kind: _newest_by_period(kind) for kind in KINDS
    }

    # The words as they are: `to_tsvector` would parse them, by rules of its own.
    _words = sa.func.array_to_tsvector(
        sa.bindparam("words", type_=sa.ARRAY(sa.String)), type_=TSVECTOR
    )
    insert: sa.Executable = entry_search.insert().values(words=_words)
    update: sa.Executable = (
        entry_search.update().where(_IS_OF_ENTRY).values(words=_words)
    )

    def query(self, words: list[str]) -> str:
        return " & ".join(f"'{word}'" for word in words)

    def has_words(self, words: list[str]) -> sa.ColumnElement[bool]:
        return _matches(sa.literal(self.query(words)))

    def encode(self, indexed: Indexed) -> list[str]:
        return [*indexed.words, f"@{indexed.key >> _PERIOD_SHIFT}"]

    def decode(self, words: list[str]) -> set[str]:
        return {word for word in words if not word.startswith("@")}


_SQLITE = _Sqlite()
_POSTGRESQL = _Postgresql()

# By key: OFFSET would read all former batches again.
_NEXT_ENTRIES = (
    sa.select(entries.c.pk)
    .where(entries.c.pk > sa.bindparam("last"), entries.c.status != "deleted")
    .order_by(entries.c.pk)
    .limit(_BATCH_SIZE)
)


def _indexed(pk: int, entry: Entry) -> Indexed:
    return Indexed(_key(pk, entry), _words(entry))


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
        # Only texts of about a million characters have so many.
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
