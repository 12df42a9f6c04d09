"""Build the feed of a query from one snapshot of the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time

from feedsvc.feed_query import FORMATS, FeedQuery
from feedsvc.models import Feed, Site, Tombstone
from feedsvc.storage import Reader
from feedsvc.storage.feed_entries import ListedEntries
from feedsvc.storage.feeds import FeedSelection


def build_feed(
    reader: Reader,
    query: FeedQuery,
    site: Site,
    now: datetime,
    max_bytes: int | None = None,
    admit: Callable[[int], object] = lambda size: None,
) -> Feed:
    """Return the feed of a query, as it is at a time.

    :param max_bytes: estimated bytes of the document; None for no limit.
    :param admit: called with the estimated bytes before entries are loaded; may raise.
    :raises NotFound: a category or the archive part does not exist.
    :raises Gone: nothing is left of the feed without its retired categories.
    :raises FeedMoved: a category was renamed or retired.
    """
    selection = reader.select_feed(query, now)
    listed = selection.entries(max_bytes, admit)
    tombstones = selection.tombstones(listed)
    has_archives = FORMATS[query.format].has_archives
    older = selection.older_archive(listed) if has_archives else None
    version, next_change = selection.version()
    expiries = [next_change, _out_of_range_at(query, site)]
    return Feed(
        query=query,
        site=site,
        categories=selection.categories,
        version=version,
        is_language_in_use=selection.is_language_in_use,
        updated=_updated_at(selection, query, listed, tombstones),
        expires_at=min(filter(None, expiries), default=None),
        entries=tuple(entry.public_view() for entry in listed.entries),
        tombstones=tuple(tombstones),
        previous_archive=_archive(query, older),
        next_archive=_archive(query, selection.newer_archive()),
    )


def _archive(query: FeedQuery, name: str | None) -> FeedQuery | None:
    return replace(query.archive_base, archive=name) if name else None


def _out_of_range_at(query: FeedQuery, site: Site) -> datetime | None:
    """Return when the dates of a query become too old; cached responses expire then."""
    day = query.out_of_range_on
    if day is None:
        return None
    return datetime.combine(day, time(), site.timezone).astimezone(UTC)


def _updated_at(
    selection: FeedSelection,
    query: FeedQuery,
    listed: ListedEntries,
    tombstones: list[Tombstone],
) -> datetime:
    """Return the last change of what a feed shows, in whole seconds.

    Entries that left count in every format, so that all formats state the same time,
    although calendars list only deleted events.
    """
    times = [selection.categories_changed_at]
    times += [entry.changed for entry in listed.entries]
    times += [tombstone.deleted_at for tombstone in tombstones]
    if FORMATS[query.format].is_calendar:
        departure = selection.last_departure(listed)
        times += [departure] if departure else []
    return max(times).replace(microsecond=0)
