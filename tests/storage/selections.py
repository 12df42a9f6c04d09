"""The contents and versions of feeds, read without the application."""

from __future__ import annotations

from datetime import datetime

from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.storage import Reader
from feedsvc.storage.feeds import FeedSelection
from tests.fake_clock import Clock


def selection(
    reader: Reader, clock: Clock, kind: str, slug: str | None
) -> FeedSelection:
    return reader.select_feed(
        FeedQuery(kind, "rss", CategoryFilter.create([slug] if slug else [])), clock.now
    )


def version_of(
    reader: Reader, clock: Clock, kind: str, slug: str | None
) -> tuple[datetime, datetime | None]:
    version, expires_at = selection(reader, clock, kind, slug).version()
    return version.time, expires_at
