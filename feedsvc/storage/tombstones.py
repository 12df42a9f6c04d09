"""Tombstones (RFC 6721): which entries left the feeds of which topics, and which of them were deleted."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from feedsvc.stamps import FeedKey
from feedsvc.storage.change_log import ChangeLog
from feedsvc.storage.tables import entries, event_details, tombstones

_LAST_SEEN = sa.select(
    entries.c.published, event_details.c.start, event_details.c.timezone
).outerjoin_from(entries, event_details)


class Tombstones:
    """The tombstones of one write transaction."""

    def __init__(self, connection: sa.Connection, ledger: ChangeLog) -> None:
        self._connection, self._ledger = connection, ledger

    def add(
        self, pk: int, left: Iterable[FeedKey], *, deleted_as: int | None = None
    ) -> None:
        """Add a tombstone to each topic whose feeds an entry leaves, with an event's last public start.

        :param deleted_as: the SEQUENCE of the deletion, where the entry leaves by one.
        """
        row = self._connection.execute(_LAST_SEEN.where(entries.c.pk == pk)).one()
        time = self._ledger.next_timestamp()
        shared = {"entry_pk": pk, "time": time, **row._mapping}
        if deleted_as is not None:
            shared |= {"deleted": time, "sequence": deleted_as}
        rows = [{"kind": kind, "category_id": key, **shared} for kind, key in left]
        if rows:
            self._connection.execute(tombstones.insert(), rows)

    def mark_deleted(self, pk: int, sequence: int) -> set[FeedKey]:
        """Let calendars list a hidden entry as a deleted event; return the topics whose calendars then do.

        A tombstone that was marked before stays: the entry has been a draft since, which no calendar shows.
        """
        unmarked = (tombstones.c.entry_pk == pk, tombstones.c.deleted.is_(None))
        touched = self._topics(*unmarked, tombstones.c.kind == "events")
        values = {"deleted": self._ledger.next_timestamp(), "sequence": sequence}
        self._connection.execute(tombstones.update().where(*unmarked).values(values))
        return touched

    def remove(self, pk: int) -> set[FeedKey]:
        """Delete the tombstones of an entry that is shown again; return the topics whose feeds had them."""
        touched = self._topics(tombstones.c.entry_pk == pk)
        self._connection.execute(tombstones.delete().where(tombstones.c.entry_pk == pk))
        return touched

    def _topics(self, *where: sa.ColumnElement[bool]) -> set[FeedKey]:
        columns = sa.select(tombstones.c.kind, tombstones.c.category_id)
        return {
            (row.kind, row.category_id)
            for row in self._connection.execute(columns.where(*where))
        }
