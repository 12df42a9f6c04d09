"""What follows when readers see an entry: its archive may be too large, its language may be new."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.models import Entry
from feedsvc.storage.archives import ArchiveDivider
from feedsvc.storage.languages import Languages
from feedsvc.storage.sizes import entries_budget


class Publication:
    """The visible entries of one write transaction."""

    def __init__(
        self, connection: sa.Connection, zone: ZoneInfo, max_feed: int
    ) -> None:
        """:param max_feed: bytes of a feed document."""
        self._archives = ArchiveDivider(connection, zone, entries_budget(max_feed))
        self._languages = Languages(connection)

    def note(self, entry: Entry) -> None:
        """Note an entry that is visible and new, or changed."""
        self._archives.add(entry.kind, entry.date, entry.guid)
        self._languages.add(entry.kind, entry.language)

    def finish(self) -> None:
        """Store what follows, once at the end of the transaction."""
        self._archives.divide()
        self._languages.store()
