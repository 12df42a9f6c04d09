"""The languages of each kind: a feed in any other language is empty without a search.

A language stays when its last entry is deleted; its feed is then empty, which an index
tells as well.
"""

from __future__ import annotations

import sqlalchemy as sa

from feedsvc.storage.tables import KEY, languages

_TAG = languages.c.tag
_RANGE = sa.bindparam("range", type_=KEY)
_MATCHING_TAGS = (
    sa.select(_TAG)
    .where(
        languages.c.kind == sa.bindparam("kind"),
        sa.or_(
            _TAG == _RANGE,
            # All that begin with the range and "-"; "." is the character after "-".
            sa.and_(sa.bindparam("first") <= _TAG, sa.bindparam("end") > _TAG),
        ),
    )
    .order_by(_TAG)
)
_STORED = sa.select(languages.c.kind, _TAG).where(
    sa.tuple_(languages.c.kind, _TAG).in_(sa.bindparam("added", expanding=True))
)


def matching_tags(
    connection: sa.Connection, kind: str, language_range: str
) -> tuple[str, ...]:
    """Return the tags of a kind that a language range matches (RFC 4647 §3.3.1).

    The range "en" matches "en" and "en-gb".

    :param language_range: in lower case.
    """
    parameters = {
        "kind": kind,
        "range": language_range,
        "first": f"{language_range}-",
        "end": f"{language_range}.",
    }
    return tuple(connection.scalars(_MATCHING_TAGS, parameters))


class Languages:
    """Store the languages of the visible entries of one write transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._added: set[tuple[str, str]] = set()

    def add(self, kind: str, language: str) -> None:
        """Add the language of a visible entry."""
        self._added.add((kind, language.lower()))

    def store(self) -> None:
        """Store the added languages that are not stored yet."""
        if not self._added:
            return
        stored = self._connection.execute(_STORED, {"added": sorted(self._added)})
        known = {(row.kind, row.tag) for row in stored}
        rows = [{"kind": kind, "tag": tag} for kind, tag in sorted(self._added - known)]
        if rows:
            self._connection.execute(languages.insert(), rows)
