"""Dates and places in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from feedsvc.model import EventDetails
from feedsvc.render import words
from tests.render.feeds import HANOI, SITE

PARIS = ZoneInfo("Europe/Paris")
VI_EN = ("vi", "en")


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
def test_when(start: date, end: date | None, vi: str, en: str) -> None:
    event = EventDetails(start, end, HANOI)
    assert words.when(event, SITE) == vi
    assert words.when(event, replace(SITE, language="en-GB")) == en


def test_another_zone_is_named() -> None:
    event = EventDetails(datetime(2026, 12, 24, 19, tzinfo=PARIS), None, PARIS)
    assert words.when(event, SITE) == "19:00, thứ Năm 24/12/2026 (Giờ Pháp)"


@pytest.mark.parametrize("language", ["de", "xx-unknown", "th"])
def test_other_languages_do_not_fail(language: str) -> None:
    event = EventDetails(at(2026, 12, 24, 19), at(2026, 12, 25, 19), HANOI)
    assert "2026" in words.when(event, replace(SITE, language=language)) or language == "th"


def test_both_languages_have_every_phrase() -> None:
    assert words._PHRASES["vi"].keys() == words._PHRASES["en"].keys()
