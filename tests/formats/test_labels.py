"""Labels: dates, recurrence, phrases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from feedsvc.formats import labels
from feedsvc.models import (
    AVAILABILITIES,
    UI_LANGUAGES,
    Event,
    Place,
    Recurrence,
)
from tests.formats.feeds import CONCERT, HANOI, SITE


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=HANOI)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("start", "end", "vi", "en"),
    [
        (at(2026, 12, 24, 19), None, "19:00, thứ Năm 24/12/2026", "19:00, Thursday, 24 December 2026"),
        (at(2026, 12, 24, 19), at(2026, 12, 24, 19), "19:00, thứ Năm 24/12/2026", "19:00, Thursday, 24 December 2026"),
        (at(2026, 12, 24, 9, 5), at(2026, 12, 24, 21), "09:05 – 21:00, thứ Năm 24/12/2026", "09:05 – 21:00, Thursday, 24 December 2026"),
        (at(2026, 12, 26, 22), at(2026, 12, 27, 1), "22:00, thứ Bảy 26/12/2026 – 01:00, Chủ Nhật 27/12/2026", "22:00, Saturday, 26 December 2026 – 01:00, Sunday, 27 December 2026"),
        (date(2026, 12, 24), None, "Cả ngày thứ Năm 24/12/2026", "All day, Thursday, 24 December 2026"),
        (date(2026, 12, 24), date(2026, 12, 25), "Cả ngày thứ Năm 24/12/2026", "All day, Thursday, 24 December 2026"),
        (date(2026, 12, 24), date(2026, 12, 28), "Từ thứ Năm 24/12/2026 đến Chủ Nhật 27/12/2026", "From Thursday, 24 December 2026 to Sunday, 27 December 2026"),
    ],
)  # fmt: skip
def test_event_dates(start: date, end: date | None, vi: str, en: str) -> None:
    event = Event(start, end, HANOI)
    assert labels.format_event_dates(event, SITE, "vi") == vi
    assert labels.format_event_dates(event, SITE, "en-GB") == en


@pytest.mark.parametrize(
    ("key", "name"), [("Europe/Paris", "Giờ Pháp"), ("UTC", "UTC")]
)
def test_zone_other_than_the_sites_is_named(key: str, name: str) -> None:
    zone = ZoneInfo(key)
    event = Event(datetime(2026, 12, 24, 19, tzinfo=zone), None, zone)
    dates = labels.format_event_dates(event, SITE, "vi")
    assert dates == f"19:00, thứ Năm 24/12/2026 ({name})"


@pytest.mark.parametrize("language", ["de", "xx-unknown", "th"])
def test_dates_in_a_language_without_phrases(language: str) -> None:
    event = Event(at(2026, 12, 24, 19), at(2026, 12, 25, 19), HANOI)
    assert "2026" in labels.format_event_dates(event, SITE, language)


@pytest.mark.parametrize(
    ("rule", "vi", "en"),
    [
        ("FREQ=DAILY", "Hằng ngày", "Every day"),
        ("FREQ=DAILY;INTERVAL=3", "3 ngày một lần", "Every 3 days"),
        ("FREQ=WEEKLY", "Hằng tuần vào thứ Bảy", "Every week on Saturday"),
        ("FREQ=WEEKLY;BYDAY=SU,SA,TU", "Hằng tuần vào thứ Ba, thứ Bảy và Chủ Nhật", "Every week on Tuesday, Saturday, and Sunday"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "2 tuần một lần vào thứ Bảy", "Every 2 weeks on Saturday"),
        ("FREQ=WEEKLY;COUNT=3", "Hằng tuần vào thứ Bảy đến 19/12/2026", "Every week on Saturday until 19 December 2026"),
        ("FREQ=WEEKLY;UNTIL=20261220T170000Z", "Hằng tuần vào thứ Bảy đến 19/12/2026", "Every week on Saturday until 19 December 2026"),
        ("FREQ=MONTHLY", "Hằng tháng", "Every month"),
        ("FREQ=YEARLY;INTERVAL=2", "2 năm một lần", "Every 2 years"),
        ("FREQ=MONTHLY;BYDAY=1SA", "Nhiều lần", "Repeatedly"),
        ("FREQ=DAILY;BYDAY=SA;COUNT=2", "Nhiều lần đến 12/12/2026", "Repeatedly until 12 December 2026"),
    ],
)  # fmt: skip
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
        labels.event_line(entry, SITE)
        == f"{vi}, lần tới 19:00, thứ Bảy 12/12/2026 · Chợ"
    )
    english = replace(SITE, language="en")
    assert (
        labels.event_line(entry, english)
        == f"{en}; next 19:00, Saturday, 12 December 2026 · Chợ"
    )


def test_all_day_series_with_added_dates_and_in_german() -> None:
    recurrence = Recurrence("FREQ=WEEKLY;COUNT=2", (), (date(2026, 12, 24),))
    event = Event(date(2026, 12, 5), None, HANOI, recurrence=recurrence)
    entry = replace(CONCERT, event=event, starts=at(2026, 12, 24))
    assert (
        labels.event_line(entry, SITE)
        == "Nhiều lần đến 24/12/2026, lần tới cả ngày thứ Năm 24/12/2026"
    )
    assert "24. Dezember 2026" in labels.event_line(
        entry, replace(SITE, language="de")
    )
    weekly = replace(event, recurrence=Recurrence("FREQ=WEEKLY"))
    german = labels.event_line(
        replace(entry, event=weekly, starts=at(2026, 12, 12)),
        replace(SITE, language="de"),
    )
    assert (
        german
        == "Every week on Samstag; next all day, Samstag, 12. Dezember 2026"
    )


def placeholders(language: str) -> dict[str, int]:
    """Return the number of placeholders of each phrase."""
    phrases = labels.phrases(language)
    assert all(phrases.values())
    return {key: phrase.count("{}") for key, phrase in phrases.items()}


def test_all_languages_have_the_same_phrases_and_placeholders() -> None:
    folder = Path(labels.__file__).parent
    assert {path.stem for path in folder.glob("*.toml")} == set(UI_LANGUAGES)
    for language in UI_LANGUAGES:
        assert placeholders(language) == placeholders("en"), language


def test_every_phrase_is_used() -> None:
    folder = Path(labels.__file__).parent
    sources = [*folder.glob("*.py"), *folder.glob("templates/*.html")]
    text = "".join(path.read_text("utf-8") for path in sources)
    # Their keys are put together from these and a name.
    computed = (
        "badge.",
        "error.",
        "kind.",
        "state.",
        "recurrence.",
        "date.",
        "feed.news",
        "feed.events",
        "feed.past",
        "feed.upcoming",
        "feed.more_",
        "entry.related_",
        "event.is_",
        "page.search_",
        "event.mixed",
        *(f"event.{each}" for each in AVAILABILITIES),
    )
    unused = [
        key
        for key in labels.phrases("en")
        if key not in text and not key.startswith(computed)
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("status", "event_status", "notice", "expected"),
    [
        ("published", "confirmed", "Lúc 8 giờ.", "Đính chính: Lúc 8 giờ."),
        ("published", "cancelled", "Vì mưa bão.", "Lý do: Vì mưa bão."),
        ("published", "postponed", "Vì mưa bão.", "Lý do: Vì mưa bão."),
        ("withdrawn", "cancelled", "Đăng nhầm.", "Đã gỡ: Đăng nhầm."),
        (
            "published",
            "confirmed",
            "ĐÍNH CHÍNH: Lúc 8 giờ.",
            "ĐÍNH CHÍNH: Lúc 8 giờ.",
        ),
        ("published", "confirmed", "", ""),
    ],
)
def test_notice_has_one_label(
    status: str, event_status: str, notice: str, expected: str
) -> None:
    assert CONCERT.event
    event = replace(CONCERT.event, status=event_status)
    entry = replace(CONCERT, status=status, event=event, notice=notice)
    assert labels.notice_text(entry, "vi") == expected


def test_title_has_its_state_once() -> None:
    assert CONCERT.event
    event = replace(CONCERT.event, status="cancelled")
    for title in ("Hoà nhạc", "Hủy: Hoà nhạc"):
        entry = replace(CONCERT, title=title, event=event)
        assert labels.entry_title(entry, "vi") == "Hủy: Hoà nhạc"
