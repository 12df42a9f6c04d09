"""The languages that entries of a kind have or once had, so that feeds in others are empty without a search.

A language stays when its last entry goes: its feed is then empty too, and found so by an index.
"""

from __future__ import annotations

import sqlalchemy as sa

from feedsvc.storage.tables import languages

_KEY = sa.tuple_(languages.c.kind, languages.c.tag)


def tags_in_use(connection: sa.Connection, kind: str, wanted: str) -> list[str]:
    """Return the tags of a kind that a language range matches (RFC 4647 §3.3.1): "en" is also "en-gb"."""
    tag = languages.c.tag
    narrower = sa.and_(
        tag >= f"{wanted}-", tag < f"{wanted}."
    )  # "." is the character after "-"
    rows = sa.select(tag).where(
        languages.c.kind == kind, sa.or_(tag == wanted, narrower)
    )
    return list(connection.scalars(rows.order_by(tag)))


class Languages:
    """Adds the languages of one write transaction, at its end."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._noted: set[tuple[str, str]] = set()

    def note(self, kind: str, language: str) -> None:
        """Note the language of an entry that readers see."""
        self._noted.add((kind, language.lower()))

    def store(self) -> None:
        """Store the languages that were noted and are new."""
        if not self._noted:
            return
        stored = sa.select(languages.c.kind, languages.c.tag).where(
            _KEY.in_(sorted(self._noted))
        )
        known = {(row.kind, row.tag) for row in self._connection.execute(stored)}
        rows = [{"kind": kind, "tag": tag} for kind, tag in sorted(self._noted - known)]
        if rows:
            self._connection.execute(languages.insert(), rows)
        self._noted.clear()
