"""Events by month and day, as a page lists them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from itertools import groupby

from feedsvc.formats import labels
from feedsvc.models import Entry, Event, Site
from feedsvc.recurrence import display_occurrence

Row = tuple[date, str, str, Entry]
"""A day, its name in the month, the hours, and the event."""


def agenda(entries: Iterable[Entry], site: Site) -> list[tuple[str, list[Row]]]:
    """The events by their current or next occurrence, in order of time, below the names of the months."""
    found = [
        (event, entry) for entry in entries if (event := display_occurrence(entry))
    ]
    found.sort(key=lambda pair: (pair[0].starts, pair[1].guid))
    rows = [
        (
            day := _day(event, site),
            labels.format_day_of_month(day, site.language),
            labels.format_event_hours(event, site),
            entry,
        )
        for event, entry in found
    ]
    return [
        (labels.month_name(month, site.language), list(among))
        for month, among in groupby(rows, lambda row: f"{row[0]:%Y-%m}")
    ]


def _day(event: Event, site: Site) -> date:
    """The day on which an event begins, by the site's clocks."""
    start = event.start
    return (
        start.astimezone(site.timezone).date() if isinstance(start, datetime) else start
    )
