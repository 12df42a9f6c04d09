"""The tombstones of a feed (RFC 6721): the entries that have left it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from feedsvc.models import Tombstone
from feedsvc.storage.archives import part_ranges
from feedsvc.storage.damaged_rows import UNREADABLE, readable_rows, report
from feedsvc.storage.feed_entries import ListedEntries, filter_conditions
from feedsvc.storage.feed_lookup import FeedFilter, FilterShape
from feedsvc.storage.tables import UTCDateTime, entries, tombstones
from feedsvc.storage.tombstones import tombstone_from

MAX_TOMBSTONES = 1_000
"""Tombstones in one feed."""

MAX_CANCELLED = 10_000
"""Deleted events that one calendar lists as cancelled."""

_Range = Literal["all", "since oldest", "recent", "part", "recent in part"]
"""The tombstones that a document lists, by time or by its part of a month."""


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
        if self._filter.query.q:
            return []
        if self._filter.query.format == "ics":
            range: _Range = "recent in part" if self._filter.part else "recent"
            return self._fetch(range, listed, MAX_CANCELLED)
        return self._fetch(self._range(listed), listed, MAX_TOMBSTONES)

    def last(self, listed: ListedEntries) -> Tombstone | None:
        """Return the tombstone of the last entry to leave, in whatever format."""
        if self._filter.query.q:
            return None
        return next(iter(self._fetch(self._range(listed), listed, 1)), None)

    def _range(self, listed: ListedEntries) -> _Range:
        if self._filter.part:
            return "part"
        if listed.is_complete or not listed.entries:
            return "all"
        return "since oldest"

    def _fetch(
        self, range: _Range, listed: ListedEntries, limit: int
    ) -> list[Tombstone]:
        statement = _tombstones_select(self._filter.shape, range)
        parameters = {**self._filter.parameters, "limit": limit}
        if range == "since oldest":
            parameters["oldest"] = min(entry.date for entry in listed.entries)
        by_guid: dict[str, Tombstone] = {}
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
def _tombstones_select(shape: FilterShape, range: _Range) -> sa.Select[Any]:
    """Return the statement for the tombstones of one category, or 0 for the kind."""
    is_recent = range in ("recent", "recent in part")
    time = tombstones.c.deleted if is_recent else tombstones.c.time
    conditions = [
        tombstones.c.kind == sa.bindparam("kind"),
        tombstones.c.category_id == sa.bindparam("category_id"),
        # Not by language or event status: a deletion erases them, and an edit of a
        # hidden entry may change them, but must not change a feed.
        *filter_conditions(
            replace(shape.entry_filters, hides_cancelled=False),
            tombstones.c.entry_pk,
            tombstones,
        ),
    ]
    if is_recent:
        conditions.append(time > sa.bindparam("recent_since", type_=UTCDateTime))
    if range in ("part", "recent in part"):
        ranges = part_ranges(
            tombstones.c.published,
            entries.c.guid,
            is_single_instant=shape.is_single_instant,
        )
        conditions.append(sa.or_(*(sa.and_(*part_range) for part_range in ranges)))
    elif range == "since oldest":
        conditions.append(time >= sa.bindparam("oldest", type_=UTCDateTime))
    return (
        sa.select(tombstones, entries.c.guid, time.label("when"))
        .join(entries)
        .where(*conditions)
        .order_by(time.desc(), entries.c.guid.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )
