"""The words of each language where its grammar decides: order, articles, punctuation."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feedsvc.feeds.query import CategoryFilter
from feedsvc.formats.content import offer_text
from feedsvc.formats.ics import plain_text
from feedsvc.formats.phrases import translate
from feedsvc.formats.shown import Shown
from feedsvc.formats.times import describe_frequency
from feedsvc.formats.titles import feed_title
from feedsvc.models import (
    Cancellation,
    Category,
    Event,
    Offer,
    Recurrence,
    Site,
)
from feedsvc.pages.words import event_hours, window_text
from feedsvc.text.languages import UI_LANGUAGES
from tests.data import read_tables
from tests.formats.feeds import CONCERT, HANOI, SITE, feed, with_end

BERLIN = ZoneInfo("Europe/Berlin")
SATURDAY = datetime(2026, 12, 12, 19, tzinfo=HANOI)
TWO_HOURS = Event(SATURDAY, SATURDAY.replace(hour=21), HANOI)
CAMP = Event(SATURDAY, SATURDAY.replace(day=14, hour=9), HANOI)
FAIR = Event(date(2026, 12, 1), date(2026, 12, 15), HANOI)
NEW_YEAR = Event(date(2026, 12, 31), date(2027, 1, 2), HANOI)
CANCELLED = Event(SATURDAY.replace(tzinfo=BERLIN), None, BERLIN, status="cancelled")
MOVED = replace(
    TWO_HOURS,
    status="rescheduled",
    previous_start=SATURDAY.replace(day=1),
)
OFF = replace(
    TWO_HOURS,
    recurrence=Recurrence(
        "FREQ=WEEKLY",
        cancelled=tuple(
            Cancellation(SATURDAY + timedelta(weeks=week), "N") for week in range(12)
        ),
    ),
)
OFFER = Offer("0", "EUR", "A", availability="sold_out")


def words(language: str) -> list[str]:
    """Return what a portal in a language says of some events and feeds."""
    site = replace(SITE, language=language, title="P")
    weekly = shown(site, TWO_HOURS, "FREQ=WEEKLY;BYDAY=SA,TU")
    assert weekly.entry.event
    fortnightly = shown(site, TWO_HOURS, "FREQ=WEEKLY;INTERVAL=2;COUNT=2")
    cancelled = shown(site, CANCELLED, notice="N", summary="S")
    off = shown(site, OFF)
    moved = shown(site, MOVED, notice="N")
    _, second, *_, rest = off.cancelled_dates
    (line,) = (each for each in plain_text(off).splitlines() if second in each)
    assert off.state
    categories = (Category("a", "A"), Category("b", "B"))
    news = feed("news", "rss", site=site)
    selection = replace(
        news,
        query=replace(news.query, category_filter=CategoryFilter.create(["a"], ["b"])),
        categories=categories,
    )
    return [
        weekly.time,
        describe_frequency(weekly.entry.event, language),
        fortnightly.time,
        shown(site, FAIR).time,
        event_hours(FAIR, site, language),
        event_hours(CAMP, site, language),
        shown(site, CAMP).time,
        shown(site, NEW_YEAR).time,
        window_text(
            replace(news, first_day=date(2026, 12, 1), last_day=date(2026, 12, 6)),
            language,
        ),
        offer_text(OFFER, language),
        cancelled.title,
        cancelled.summary,
        feed_title(selection),
        off.title,
        translate(language, f"badge.{off.state.phrase}", *off.state.days),
        line.partition(second)[0],
        rest,
        moved.title,
        moved.notice,
        shown(site, replace(MOVED, previous_start=SATURDAY.replace(hour=9))).title,
    ]


def shown(site: Site, event: Event, rule: str = "", **changes: Any) -> Shown:
    if rule:
        event = replace(event, recurrence=Recurrence(rule))
    entry = replace(CONCERT, event=event, starts=event.starts, **changes)
    entry = replace(entry, title="T", language=site.language)
    return Shown(with_end(entry), site, entry.date, site.language)


EXPECTED: dict[str, list[str]] = read_tables("languages")


@pytest.mark.parametrize("language", UI_LANGUAGES)
def test_words(language: str) -> None:
    assert language in EXPECTED, "tests/data/languages.toml"
    # Before French colons and semicolons.
    texts = [re.sub("[\u00a0\u202f]", " ", line) for line in words(language)]
    assert texts == EXPECTED[language]
