"""Tombstones (RFC 6721) of entries that have left feeds, or were deleted.

`web/pages.py` answers the URL of an entry that is no longer public with 410.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from feedsvc import timezones
from feedsvc.models import Entry, Event, FeedKey, Tombstone
from feedsvc.storage.change_log import ChangeLog
from feedsvc.storage.damaged_rows import UNREADABLE, report
from feedsvc.storage.entry_documents import local_moment, local_text
from feedsvc.storage.tables import tombstones

_OF_ENTRY = tombstones.c.entry_pk == sa.bindparam("key")
_FEED_KEYS = sa.select(tombstones.c.kind, tombstones.c.category_id).where(_OF_ENTRY)
_REMOVE = tombstones.delete().where(_OF_ENTRY)


def tombstone_from(row: sa.Row[Any]) -> Tombstone:
    """Return a tombstone from its row, with the `guid`, and its time as `when`."""
    event = None
    if row.start:
        try:
            zone = timezones.zone(row.timezone)
            event = Event(local_moment(row.start, zone), None, zone)
        except UNREADABLE as error:  # calendars leave it out
            report(row.entry_pk, error)
    return Tombstone(row.guid, row.when, event, row.sequence or 0)


class TombstoneWriter:
    """Changes to tombstones, in one write transaction."""

    def __init__(self, connection: sa.Connection, change_log: ChangeLog) -> None:
        self._connection = connection
        self._change_log = change_log

    def add(
        self,
        key: int,
        entry: Entry,
        feed_keys: Iterable[FeedKey],
        *,
        deleted_as: int | None = None,
    ) -> None:
        """Add a tombstone of an entry to the feeds that it leaves.

        :param entry: as readers last saw it; calendars cancel an event by its start.
        :param deleted_as: the SEQUENCE of the deletion, if the entry is deleted.
        """
        now = self._change_log.next_timestamp()
        values: dict[str, Any] = {
            "entry_pk": key,
            "time": now,
            "published": entry.published,
            "start": entry.event and local_text(entry.event.start),
            "timezone": entry.event and entry.event.timezone.key,
        }
        # Calendars list deleted events as cancelled, since they would keep them.
        if deleted_as is not None:
            values |= {"deleted": now, "sequence": deleted_as}
        rows = [
            {**values, "kind": kind, "category_id": category_id}
            for kind, category_id in feed_keys
        ]
        if rows:
            self._connection.execute(tombstones.insert(), rows)

    def mark_deleted(self, key: int, sequence: int) -> set[FeedKey]:
        """Let calendars list a hidden entry as deleted; return the feeds that change.

        A tombstone that was marked before stays: the entry has only been a draft since,
        and no calendar has shown it.
        """
        is_unmarked = tombstones.c.deleted.is_(None)
        events = _FEED_KEYS.where(is_unmarked, tombstones.c.kind == "events")
        feed_keys = self._feed_keys(events, key)
        values = {"deleted": self._change_log.next_timestamp(), "sequence": sequence}
        self._connection.execute(
            tombstones.update().where(_OF_ENTRY, is_unmarked), {"key": key, **values}
        )
        return feed_keys

    def remove(self, key: int) -> set[FeedKey]:
        """Remove the tombstones of an entry; return their feeds."""
        feed_keys = self._feed_keys(_FEED_KEYS, key)
        self._connection.execute(_REMOVE, {"key": key})
        return feed_keys

    def _feed_keys(self, statement: sa.Select[Any], key: int) -> set[FeedKey]:
        rows = self._connection.execute(statement, {"key": key})
        return {(row.kind, row.category_id) for row in rows}
