"""A calendar of 1,000 events, against icalendar's own writing of the same."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from icalendar import Calendar

from bench.table import Effort, Row, make_row
from feedsvc.feed_query import FeedQuery
from feedsvc.formats import ics
from feedsvc.models import Category, Entry, Event, Feed, FeedVersion, Person, Place
from tests.formats.feeds import HANOI, SITE

EVENTS = 1000


def rows(effort: Effort) -> Iterator[Row]:
    """Compare the rendering with the library's own writing."""
    what = (
        f"a calendar of {EVENTS:,} events, "
        "against icalendar's writing of the same components"
    )
    pairs = [time_ratio() for _ in range(min(5, effort.rounds))]
    yield make_row("cold", what, pairs, unit="s")


def time_ratio() -> tuple[float, float]:
    """Return the seconds of the rendering, and of writing its result again."""
    feed = _feed()
    # A collection would look through everything else in the process.
    gc.disable()
    try:
        begin = time.process_time()
        document = ics.render(feed)
        ours = time.process_time() - begin
        calendar = Calendar.from_ical(document)
        assert len(calendar.events) == EVENTS
        begin = time.process_time()
        copy = calendar.to_ical()
        reference = time.process_time() - begin
    finally:
        gc.enable()
    assert len(copy) == len(document)
    return ours, reference


def _feed() -> Feed:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    body = "<p>" + "Nội dung của sự kiện. " * 20 + "</p>\n<p>Vào cửa tự do.</p>"

    def entry(number: int) -> Entry:
        start = (now + timedelta(days=30, hours=number)).astimezone(HANOI)
        event = Event(
            start,
            start + timedelta(hours=2),
            HANOI,
            Place("Nhà hát Lớn", "1 Tràng Tiền, Hà Nội", None, 21.024, 105.857),
            Person("Sở Văn hoá", None, "so@portal.example"),
        )
        return Entry(
            f"e{number}",
            "events",
            f"Hoà nhạc mùa xuân, buổi {number}",
            "vi",
            content_html=body,
            categories=(Category("van-hoa", "Văn hoá"),),
            event=event,
            published=now,
            updated=now,
            guid=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        )

    return Feed(
        FeedQuery("events", "ics"),
        SITE,
        version=FeedVersion(now),
        entries=tuple(map(entry, range(EVENTS))),
    )
