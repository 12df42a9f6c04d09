"""The tombstones of a feed (RFC 6721): the entries that have left it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from feedsvc.feed_query import FORMATS
from feedsvc.models import Tombstone
from feedsvc.storage.archives import part_ranges
from feedsvc.storage.damaged_rows import UNREADABLE, readable_rows, report
from feedsvc.storage.feed_conditions import category_conditions
from feedsvc.storage.feed_entries import ListedEntries
from feedsvc.storage.feed_lookup import FeedFilter, FilterShape
from feedsvc.storage.tables import LIMIT, UTCDateTime, entries, tombstones
from feedsvc.storage.tombstones import tombstone_from

MAX_TOMBSTONES = 1_000
"""Tombstones in one feed."""

MAX_CANCELLED = 10_000
"""Deleted events that one calendar lists as cancelled."""

_Since = Literal["recent", "oldest"] | None
"""Since when the tombstones are that a document lists; None: whatever their age."""


class FeedTombstones:
    """Query the tombstones of one feed in one snapshot."""

    def __init__(self, connection: sa.Connection, feed_filter: FeedFilter) -> None:
        self._connection = connection
        self._filter = feed_filter

    def fetch(self, listed: ListedEntries) -> list[Tombstone]:
        """Return the tombstones of a document, the last to leave first.

        Of a calendar: the events that were deleted in the last 30 days; clients keep
        an event until a calendar says that it is cancelled. Of other formats: the
        entries that left since the oldest entry of the document, or its part. Of a
        search: none, since nothing is left of an entry by which it matched.
        """
        if FORMATS[self._filter.query.format].is_calendar:
            return self._fetch("recent", listed, MAX_CANCELLED)
        return self._fetch(self._since(listed), listed, MAX_TOMBSTONES)

    def last(self, listed: ListedEntries) -> Tombstone | None:
        """Return the tombstone of the last entry to leave, in whatever format."""
        return next(iter(self._fetch(self._since(listed), listed, 1)), None)

    def _since(self, listed: ListedEntries) -> _Since:
        if self._filter.part or listed.is_complete or not listed.entries:
            return None
        return "oldest"

    def _fetch(
        self, since: _Since, listed: ListedEntries, limit: int
    ) -> list[Tombstone]:
        if self._filter.query.q:
            return []
        statement = _tombstones_select(self._filter.shape, since)
        parameters = {**self._filter.parameters, "limit": limit}
        if since == "oldest":
            parameters["oldest"] = min(entry.date for entry in listed.entries)
        by_guid: dict[str, Tombstone] = {}
        # An entry may have left several of the categories, but is listed once.
        for category_id in self._filter.source_ids:
            parameters["category_id"] = category_id
            by_guid |= self._fetch_of_category(statement, parameters)
        newest_first = sorted(
            by_guid.values(),
            key=lambda tombstone: (tombstone.deleted_at, tombstone.guid),
            reverse=True,
        )
        return newest_first[:limit]

    def _fetch_of_category(
        self, statement: sa.Select[Any], parameters: dict[str, Any]
    ) -> dict[str, Tombstone]:
        by_guid = {}
        key = tombstones.c.entry_pk
        for row in readable_rows(self._connection, statement, key, parameters):
            try:
                by_guid[row.guid] = tombstone_from(row)
            except UNREADABLE as error:
                report(row.entry_pk, error)
        return by_guid


@lru_cache(maxsize=256)
def _tombstones_select(shape: FilterShape, since: _Since) -> sa.Select[Any]:
    """Return the statement for the tombstones of one category, or 0 for the kind."""
    # Calendars cancel deleted events alone: a hidden one may have expired, or return.
    time = tombstones.c.deleted if since == "recent" else tombstones.c.time
    conditions = [
        tombstones.c.kind == sa.bindparam("kind"),
        tombstones.c.category_id == sa.bindparam("category_id"),
        # Not by language or a parameter's condition: a deletion erases its members, and
        # an edit of a hidden entry may change them, but must not change a feed.
        *category_conditions(shape.entry_filters, tombstones.c.entry_pk, tombstones),
    ]
    if since == "recent":
        conditions.append(time > sa.bindparam("recent_since", type_=UTCDateTime))
    elif since == "oldest":
        conditions.append(time >= sa.bindparam("oldest", type_=UTCDateTime))
    if shape.has_part:
        ranges = part_ranges(
            tombstones.c.published,
            entries.c.guid,
            is_single_instant=shape.is_single_instant,
        )
        conditions.append(sa.or_(*(sa.and_(*part_range) for part_range in ranges)))
    return (
        sa.select(tombstones, entries.c.guid, time.label("when"))
        .join(entries)
        .where(*conditions)
        .order_by(time.desc(), entries.c.guid.desc())
        .limit(LIMIT)
    )
