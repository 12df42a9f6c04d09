"""Which entries make a feed: a decision on one snapshot of the store and the time of looking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Protocol

from feedsvc.models import Category, Entry, Feed, Site, Tombstone
from feedsvc.query import FeedQuery
from feedsvc.stamps import FeedVersion


class Selection(Protocol):
    """What of a snapshot a query selects; `store.Selection` is one."""

    @property
    def categories(self) -> tuple[Category, ...]: ...
    def entries(
        self, max_bytes: int | None, admit: Callable[[int], object]
    ) -> list[Entry]: ...
    @property
    def described(self) -> datetime: ...
    @property
    def is_language_in_use(self) -> bool: ...
    def tombstones(self, shown: list[Entry]) -> list[Tombstone]: ...
    def last_departure(self, shown: list[Entry]) -> datetime | None: ...
    def version(self) -> tuple[FeedVersion, datetime | None]: ...
    def older_archive(self, shown: list[Entry]) -> str | None: ...
    def newer_archive(self) -> str | None: ...


class Snapshot(Protocol):
    """What feeds are made from; `store.Reader` is one."""

    def select_feed(self, query: FeedQuery, now: datetime) -> Selection: ...


def build_feed(
    snapshot: Snapshot,
    query: FeedQuery,
    site: Site,
    now: datetime,
    max_bytes: int | None = None,
    admit: Callable[[int], object] = lambda size: None,
) -> Feed:
    """The feed that a query asks for, as it stands at `now`.

    :param max_bytes: of the document, as estimated; None is no limit.
    :param admit: called with the estimated bytes before entries are loaded; may raise.
    :raises NotFound: a category does not exist.
    :raises Gone: nothing is left of the feed without the categories that were retired.
    :raises Renamed: one was renamed or retired; `new` is the selector by the slugs of today, without it.
    """
    chosen = snapshot.select_feed(query, now)
    entries = chosen.entries(max_bytes, admit)
    older = (
        chosen.older_archive(entries) if query.format != "ics" else None
    )  # a calendar has no archives
    stamp, due = chosen.version()
    due = min(
        (moment for moment in (due, _out_of_range(query, site)) if moment), default=None
    )

    def archive(name: str | None) -> FeedQuery | None:
        return replace(query.archive_base, archive=name) if name else None

    tombstones = chosen.tombstones(entries)
    return Feed(
        query=query,
        site=site,
        categories=chosen.categories,
        version=stamp,
        is_language_in_use=chosen.is_language_in_use,
        updated=_updated(chosen, query, entries, tombstones),
        expires_at=due,
        entries=tuple(entry.public_view() for entry in entries),
        tombstones=tuple(tombstones),
        previous_archive=archive(older),
        next_archive=archive(chosen.newer_archive()),
    )


def _out_of_range(query: FeedQuery, site: Site) -> datetime | None:
    """Return when the dates of a query become too old to be asked for; a cached response ends then."""
    day = query.out_of_range_on
    return datetime.combine(day, time(), site.timezone).astimezone(UTC) if day else None


def _updated(
    chosen: Selection,
    query: FeedQuery,
    entries: list[Entry],
    tombstones: list[Tombstone],
) -> datetime:
    """Return the latest time in the change log of what a feed shows, in whole seconds.

    Entries that left count in every format, though not every format lists them.
    """
    times = [
        chosen.described,
        *(entry.changed for entry in entries),
        *(one.deleted_at for one in tombstones),
    ]
    departure = chosen.last_departure(entries) if query.format == "ics" else None
    return max([*times, departure] if departure else times).replace(microsecond=0)
