"""Which entries make a feed: a decision on one snapshot of the store and the time of looking."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from feedsvc.model import Category, Entry, Feed, FeedQuery, Site


class Snapshot(Protocol):
    """What a feed is made from; `store.Reader` is one."""

    def category(self, slug: str) -> Category: ...
    def stamp(self, kind: str, category: str | None, now: datetime) -> tuple[datetime, datetime | None]: ...
    def newest(self, query: FeedQuery, now: datetime) -> list[Entry]: ...


def feed(snapshot: Snapshot, query: FeedQuery, site: Site, now: datetime) -> Feed:
    """The feed that a query asks for, as it stands at `now`.

    :raises NotFound: the category does not exist.
    """
    category = snapshot.category(query.category) if query.category else None
    updated, due = snapshot.stamp(query.kind, query.category, now)
    return Feed(
        query, site, category, updated, due, tuple(entry.as_seen() for entry in snapshot.newest(query, now))
    )
