"""The HTML of all entries, in batches, and the rules that it was sanitized by."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from feedsvc.models import Entry
from feedsvc.storage.database import Database
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import entries, sanitizer

_MAX_ENTRIES = 100
_MAX_CHARACTERS = 4 * 1024 * 1024

_HAS_HTML = entries.c.content_html.is_not(None)
_COUNT = sa.select(sa.func.count()).where(_HAS_HTML)
_HAS_ANY = sa.select(sa.exists().where(_HAS_HTML))


class Batch(NamedTuple):
    """Entries with HTML, and the cursor of the next batch.

    `size` counts the damaged ones too; `damaged` has their kinds and ids. They are not
    published either.
    """

    size: int
    entries: list[Entry]
    damaged: list[str]
    cursor: int


class StoredHtml:
    """The stored HTML of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """Return the number of entries with HTML.

        :raises Unavailable: the database does not respond.
        """
        with self._database.read() as connection:
            return connection.scalar(_COUNT) or 0

    def batch(self, cursor: int) -> Batch:
        """Return the next entries with HTML.

        They are at most 100 and, unless it is one entry, 4 Mi characters.

        :param cursor: 0, or that of the batch before.
        :raises Unavailable: the database does not respond.
        """
        statement = (
            sa.select(
                entries.c.pk,
                entries.c.kind,
                entries.c.id,
                sa.func.length(entries.c.content_html).label("characters"),
            )
            .where(_HAS_HTML, entries.c.pk > cursor)
            .order_by(entries.c.pk)
            .limit(_MAX_ENTRIES)
        )
        chosen: dict[int, str] = {}
        characters = 0
        with self._database.read() as connection:
            # By their lengths: loaded together they might not fit in memory.
            for row in connection.execute(statement):
                characters += row.characters
                if chosen and characters > _MAX_CHARACTERS:
                    break
                chosen[row.pk] = f"{row.kind}/{row.id}"
            loaded = load_entries(connection, chosen)
        return Batch(
            size=len(chosen),
            entries=[stored.entry for stored in loaded.values()],
            damaged=[name for key, name in chosen.items() if key not in loaded],
            cursor=max(chosen, default=cursor),
        )

    def is_outdated(self, fingerprint: str) -> bool:
        """Return whether there is HTML that was sanitized by other rules.

        If there is no HTML at all, the rules are stored for what comes.

        :param fingerprint: of the current rules.
        :raises Unavailable: the database does not respond.
        """
        with self._database.read() as connection:
            if connection.scalar(sa.select(sanitizer.c.fingerprint)) == fingerprint:
                return False
            if connection.scalar(_HAS_ANY):
                return True
        # Another process may have stored HTML since.
        statement = (
            sanitizer.update()
            .where(~_HAS_ANY.scalar_subquery())
            .values(fingerprint=fingerprint)
        )
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 0

    def note(self, fingerprint: str) -> None:
        """Store that all HTML was sanitized by the rules of a fingerprint.

        :raises Unavailable: the database cannot be written.
        """
        with self._database.write() as connection:
            connection.execute(sanitizer.update().values(fingerprint=fingerprint))
