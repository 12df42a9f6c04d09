"""The HTML of all stored entries, in batches, and the rules that it was sanitised by."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from feedsvc.model import Entry
from feedsvc.store.database import Database
from feedsvc.store.rows import load
from feedsvc.store.tables import entries, sanitizer

SANITIZE = "sanitize"
"""The name in the change log for steps that sanitize stored HTML again."""

_MAX_ENTRIES = 100
_MAX_CHARACTERS = 4 * 1024 * 1024

_HAS_MARKUP = entries.c.content_html.is_not(None)
_ANY_MARKUP = sa.select(sa.exists().where(_HAS_MARKUP))


class Batch(NamedTuple):
    """Some entries that have HTML, and the cursor of the next batch."""

    entries: list[Entry]
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
        sizes = (
            sa.select(entries.c.pk, sa.func.length(entries.c.content_html))
            .where(_HAS_MARKUP, entries.c.pk > cursor)
            .order_by(entries.c.pk)
            .limit(_MAX_ENTRIES)
        )
        with self._database.read() as connection:
            keys: list[int] = []
            characters = 0
            for key, size in connection.execute(sizes):
                characters += size
                if keys and characters > _MAX_CHARACTERS:
                    break
                keys.append(key)
            rows = load(connection, entries.c.pk.in_(keys), order=(entries.c.pk,)) if keys else []
        return Batch([entry for _, entry in rows], keys[-1] if keys else cursor)

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
            return connection.execute(empty.values(fingerprint=fingerprint)).rowcount == 0

    def note(self, fingerprint: str) -> None:
        """Note that all HTML is sanitised by the rules of a fingerprint.

        :raises Unavailable: where the database cannot be written.
        """
        with self._database.write() as connection:
            connection.execute(sanitizer.update().values(fingerprint=fingerprint))
