"""Entries as readers see them: words about times, notices and states."""

from dataclasses import replace
from datetime import date, datetime

import pytest

from feedsvc.formats import times
from feedsvc.formats.shown import Shown
from feedsvc.input.schemas import EventSchema
from feedsvc.models import Entry, Event, Image, Place, Recurrence, Site
from feedsvc.pages.words import event_hours
from tests.data import read_tables
from tests.formats.feeds import BARE, CONCERT, HANOI, SITE, with_end


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=HANOI)  # type: ignore[misc,arg-type]


def shown(entry: Entry, site: Site = SITE) -> Shown:
    return Shown(with_end(entry), site, entry.date, site.language)


@pytest.mark.parametrize(("rule", "vi", "en"), read_tables("words")["recurrences"])
def test_recurrence_in_words(rule: str, vi: str, en: str) -> None:
    event = Event(
        at(2026, 12, 5, 19),
        None,
        HANOI,
        Place("Chợ"),
        recurrence=Recurrence(rule),
    )
    entry = replace(CONCERT, event=event, starts=at(2026, 12, 12, 19))
    assert (
        shown(entry).time_and_place == f"{vi}, buổi tới 19:00, thứ Bảy 12/12/2026 · Chợ"
    )
    english = replace(entry, language="en")
    assert (
        shown(english).time_and_place
        == f"{en}; next date: Saturday, 12 December 2026, 19:00 · Chợ"
    )


def test_all_day_series_with_added_dates() -> None:
    recurrence = Recurrence("FREQ=WEEKLY;COUNT=2", (), (date(2026, 12, 24),))
    event = Event(date(2026, 12, 5), None, HANOI, recurrence=recurrence)
    entry = replace(CONCERT, event=event, starts=at(2026, 12, 24))
    assert (
        shown(entry).time_and_place
        == "Nhiều buổi đến 24/12/2026, buổi tới cả ngày thứ Năm 24/12/2026"
    )


@pytest.mark.parametrize(
    ("status", "event_status", "notice", "expected"),
    read_tables("words")["notices"],
)
def test_notice_has_one_label(
    status: str, event_status: str, notice: str, expected: str
) -> None:
    assert CONCERT.event
    event = replace(CONCERT.event, status=event_status)
    entry = replace(CONCERT, status=status, event=event, notice=notice)
    assert shown(entry).notice == expected


def test_title_has_its_state_once() -> None:
    assert CONCERT.event
    event = replace(CONCERT.event, status="cancelled")
    for title in ("Hoà nhạc", "Hủy: Hoà nhạc"):
        entry = replace(CONCERT, title=title, event=event)
        assert shown(entry).title == "Hủy: Hoà nhạc"
    # Editors write the French colon with a usual space, or without one.
    french = replace(CONCERT, language="fr", event=event)
    for title in ("Annulé : Marché", "annulé: Marché"):
        assert shown(replace(french, title=title)).title == title


@pytest.mark.parametrize(
    ("language", "day"),
    [
        ("is", "laugardagur, 12. desember 2026"),
        ("xx-unknown", "Saturday, December 12, 2026"),
    ],
)
def test_language_without_phrases_has_english_words_and_its_own_dates(
    language: str, day: str
) -> None:
    recurrence = Recurrence("FREQ=WEEKLY;BYDAY=TU,SA")
    event = Event(date(2026, 12, 5), None, HANOI, recurrence=recurrence)
    starts = at(2026, 12, 12)
    entry = replace(CONCERT, event=event, starts=starts, language=language)
    assert (
        shown(entry, replace(SITE, language=language)).time
        == "Every Tuesday and Saturday; "
        f"next date: {day}, all day"
    )


def test_body_begins_with_the_notice() -> None:
    image = Image("https://media.example/a.jpg")
    entry = replace(BARE, summary="< 1 km.", notice="<2 km", image=image)
    correction = shown(entry)
    assert correction.summary == "Đính chính: <2 km. < 1 km."
    assert correction.body.startswith(
        "<p><strong>Đính chính: &lt;2 km</strong></p>\n<figure>"
    )
    # The summary stands for content that is missing.
    assert correction.body.endswith("</figure>\n<p>&lt; 1 km.</p>")


@pytest.mark.parametrize(
    ("start", "end", "timezone", "vi", "en", "hours"),
    read_tables("words")["times"],
)
def test_times_of_an_event(
    start: str, end: str, timezone: str, vi: str, en: str, hours: str
) -> None:
    document = {"title": "x", "start": start, "end": end, "timezone": timezone}
    event = EventSchema(SITE).load(document).event
    assert times.format_event_dates(event, SITE, "vi") == vi
    assert times.format_event_dates(event, SITE, "en-GB") == en
    assert event_hours(event, SITE, "en-GB") == hours
