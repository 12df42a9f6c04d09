"""Times in words."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from feedsvc.formats import times
from feedsvc.models import Event
from tests.formats.feeds import HANOI, SITE


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=HANOI)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("start", "end", "vi", "en"),
    [
        (at(2026, 12, 24, 19), None, "19:00, thứ Năm 24/12/2026", "19:00, Thursday, 24 December 2026"),
        (at(2026, 12, 24, 19), at(2026, 12, 24, 19), "19:00, thứ Năm 24/12/2026", "19:00, Thursday, 24 December 2026"),
        (at(2026, 12, 24, 9, 5), at(2026, 12, 24, 21), "09:05 – 21:00, thứ Năm 24/12/2026", "09:05 – 21:00, Thursday, 24 December 2026"),
        (at(2026, 12, 26, 22), at(2026, 12, 27, 1), "22:00, thứ Bảy 26/12/2026 – 01:00, Chủ Nhật 27/12/2026", "22:00, Saturday, 26 December 2026 – 01:00, Sunday, 27 December 2026"),
        (date(2026, 12, 24), None, "cả ngày thứ Năm 24/12/2026", "all day, Thursday, 24 December 2026"),
        (date(2026, 12, 24), date(2026, 12, 25), "cả ngày thứ Năm 24/12/2026", "all day, Thursday, 24 December 2026"),
        (date(2026, 12, 24), date(2026, 12, 28), "từ thứ Năm 24/12/2026 đến Chủ Nhật 27/12/2026", "from Thursday, 24 December 2026 to Sunday, 27 December 2026"),
    ],
)  # fmt: skip
def test_event_dates(start: date, end: date | None, vi: str, en: str) -> None:
    event = Event(start, end, HANOI)
    assert times.format_event_dates(event, SITE, "vi") == vi
    assert times.format_event_dates(event, SITE, "en-GB") == en


@pytest.mark.parametrize(
    ("key", "name"), [("Europe/Berlin", "Berlin"), ("UTC", "UTC")]
)
def test_zone_other_than_the_sites_is_named(key: str, name: str) -> None:
    zone = ZoneInfo(key)
    event = Event(datetime(2026, 12, 24, 19, tzinfo=zone), None, zone)
    dates = times.format_event_dates(event, SITE, "vi")
    assert dates == f"19:00, thứ Năm 24/12/2026 ({name})"


@pytest.mark.parametrize("language", ["pt", "xx-unknown", "th"])
def test_dates_in_a_language_without_phrases(language: str) -> None:
    event = Event(at(2026, 12, 24, 19), at(2026, 12, 25, 19), HANOI)
    assert "2026" in times.format_event_dates(event, SITE, language)
