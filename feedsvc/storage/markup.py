"""The HTML of all stored entries, in batches, and the rules that it was sanitised by."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from feedsvc.models import Entry
from feedsvc.storage.database import Database
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import entries, sanitizer

_MAX_ENTRIES = 100
_MAX_CHARACTERS = 4 * 1024 * 1024

_HAS_MARKUP = entries.c.content_html.is_not(None)
_ANY_MARKUP = sa.select(sa.exists().where(_HAS_MARKUP))


class Batch(NamedTuple):
    """Some entries that have HTML, and the cursor of the next batch."""

    size: int
    entries: list[Entry]
    damaged: list[str]
    """Kind and id of those that cannot be read, and so are not published either."""

    cursor: int


class Markup:
    """The stored HTML of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """Count the entries that have HTML.

        :raises Unavailable: where the database does not answer.
        """
        with self._database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).where(_HAS_MARKUP)) or 0

    def batch(self, cursor: int) -> Batch:
        """Return the next entries that have HTML, at most 100 and, but for the first, 4 Mi characters.

        :param cursor: 0, or that of the batch before.
        :raises Unavailable: where the database does not answer.
        """
        columns = entries.c.pk, entries.c.kind, entries.c.id
        candidates = (
            sa.select(*columns, sa.func.length(entries.c.content_html).label("size"))
            .where(_HAS_MARKUP, entries.c.pk > cursor)
            .order_by(entries.c.pk)
            .limit(_MAX_ENTRIES)
        )
        with self._database.read() as connection:
            chosen: dict[int, str] = {}
            characters = 0
            for row in connection.execute(candidates):
                characters += row.size
                if chosen and characters > _MAX_CHARACTERS:
                    break
                chosen[row.pk] = f"{row.kind}/{row.id}"
            loaded = load_entries(connection, chosen)
        damaged = [name for key, name in chosen.items() if key not in loaded]
        return Batch(
            len(chosen),
            [stored.entry for stored in loaded.values()],
            damaged,
            max(chosen, default=cursor),
        )

    def is_outdated(self, fingerprint: str) -> bool:
        """Return whether there is HTML that was sanitised by other rules than those of a fingerprint.

        Where there is none at all, the rules are noted as those of what comes.

        :raises Unavailable: where the database does not answer.
        """
        with self._database.read() as connection:
            if connection.scalar(sa.select(sanitizer.c.fingerprint)) == fingerprint:
                return False
            if connection.scalar(_ANY_MARKUP):
                return True
        with self._database.write() as connection:
            empty = sanitizer.update().where(~_ANY_MARKUP.scalar_subquery())
            return (
                connection.execute(empty.values(fingerprint=fingerprint)).rowcount == 0
            )

    def note(self, fingerprint: str) -> None:
        """Note that all HTML is sanitised by the rules of a fingerprint.

        :raises Unavailable: where the database cannot be written.
        """
        with self._database.write() as connection:
            connection.execute(sanitizer.update().values(fingerprint=fingerprint))
