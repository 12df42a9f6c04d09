"""Dates as newspapers, portals and their software write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime

from dateutil import parser

_MONTHS = (
    "một",
    "hai",
    "ba",
    "tư",
    "năm",
    "sáu",
    "bảy",
    "tám",
    "chín",
    "mười",
    "mười một",
    "mười hai",
)
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}
_MONTH_NUMBERS |= {"giêng": 1, "bốn": 4, "bẩy": 7, "chạp": 12}
_ENGLISH_MONTHS = (
    "January February March April May June July August September October November"
    " December"
).split()
# Longest names first, so that "mười hai" is not read as "mười".
_MONTH_NAMES = "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True))
_MONTH = re.compile(
    rf"\btháng\s+({_MONTH_NAMES}|1[0-2]|0?[1-9])\b|\bth(1[0-2]|0?[1-9])\b",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(
    r"\b(?:thứ\s*(?:[2-7]|hai|ba|tư|bốn|năm|sáu|bảy|bẩy)|chủ\s*nhật|cn|t[2-7])\b[\s,.]*",
    re.IGNORECASE,
)
# "năm" is a filler ("year") before a number, else the month or weekday "five".
_FILLER = re.compile(
    r"\b(?:ngày|lúc|vào|hồi|đăng|xuất bản|cập nhật|năm(?=\s+\d))\b(?:\s*:)?",
    re.IGNORECASE,
)
# 17h45, 17g45', 17 giờ 45 phút, 17h. In "17h 05/06/2026" the day is no minute.
_TIME = re.compile(
    r"\b(\d{1,2})[hg](\d{2})\b'?"
    r"|\b(\d{1,2})\s*(?:giờ|h|g)(?!\w)"
    r"(?:\s*(\d{1,2})\s*phút|\s*(\d{2})\b(?!\s*(?:[/.-]|th)))?",
    re.IGNORECASE,
)
_VIETNAMESE_AM_PM = re.compile(r"(?<=\d)\s*\b(sa|ch|sáng|chiều|tối)\b", re.IGNORECASE)
_ENGLISH_AM_PM = re.compile(r"\d\s*[AP]M\b", re.IGNORECASE)
_REDUNDANT_PM = re.compile(r"\b((?:1[3-9]|2[0-3]):\d\d(?::\d\d)?)\s*[AP]M\b")
# (ICT), (Indochina Time)
_COMMENT = re.compile(r"\([^()\d]*\)")
# 25/11/2026 | 09:30
_SEPARATOR = re.compile(r"\s[|•–—-]\s|[()]")
# GMT+7, UTC +7, 11:07:00+07
_OFFSET = re.compile(
    r"(?:\b(?:GMT|UTC)\s*|(?<=\s)|(?<=\d\d:\d\d))([+-])(\d{1,2})(?::?(\d{2}))?$"
)
_NUMERIC_DATE = re.compile(
    r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(?:\d{4}|\d\d)(?!\d)"
)
_YEAR_FIRST = re.compile(r"\b\d{4}[/.-]\d{1,2}[/.-]\d{1,2}\b")
_MAX_LENGTH = 200
# dateutil fills what a text leaves out from a default. Only a text with year, month and
# day gives the same date with both.
_DEFAULTS = (datetime(1, 1, 1), datetime(2, 2, 2))  # noqa: DTZ001


class DateReader:
    """Reads the dates of one file.

    Numbers such as 10/2/2026 are ambiguous. If other dates of the file are not, such as
    10/24/2026, their order holds for all. Otherwise the month comes first before a time
    with AM or PM, as .NET writes it, and the day comes first elsewhere. Dates with AM
    or PM and those without are judged apart, since they come from different programs.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Learn the order of day and month from all dates of the file."""
        orders: dict[bool, set[bool]] = {False: set(), True: set()}
        for text in texts:
            date = _NUMERIC_DATE.search(text)
            if date and (int(date[1]) > 12) != (int(date[3]) > 12):
                orders[_has_am_pm(text)].add(int(date[1]) > 12)
        self._day_first = {
            has_am_pm: order.pop()
            for has_am_pm, order in orders.items()
            if len(order) == 1
        }
        self._ambiguous: dict[bool, list[str]] = {False: [], True: []}

    def read(self, text: str) -> datetime:
        """Return the date of a text, naive where the text has no offset.

        :raises ValueError: the text is no date, or lacks its year, month or day.
        """
        # dateutil takes quadratic time for long texts.
        if len(text) > _MAX_LENGTH:
            raise ValueError("Too long for a date.")
        with suppress(ValueError):
            return datetime.fromisoformat(text)
        english = _to_english(text)
        with suppress(ValueError):
            return datetime.fromisoformat(english)
        # email.utils knows the zone names of RFC 822, but ignores AM and PM.
        if not _ENGLISH_AM_PM.search(english):
            with suppress(ValueError):
                return parsedate_to_datetime(english)
        day_first = self._is_day_first(text) and not _YEAR_FIRST.search(english)
        return _parse_full_date(english, day_first=day_first)

    def warnings(self) -> Iterator[str]:
        """Yield how many ambiguous dates were read, and in which order."""
        for day_first, texts in self._ambiguous.items():
            order = "day" if day_first else "month"
            if texts:
                yield (
                    f"Ambiguous dates, read with the {order} first: {len(texts)}, "
                    f"such as “{texts[0]}”."
                )

    def _is_day_first(self, text: str) -> bool:
        has_am_pm = _has_am_pm(text)
        if has_am_pm in self._day_first:
            return self._day_first[has_am_pm]
        day_first = not has_am_pm
        if _is_ambiguous(text):
            self._ambiguous[day_first].append(text)
        return day_first


def _is_ambiguous(text: str) -> bool:
    """Return whether day and month of a numeric date could be swapped."""
    # In a text with Vietnamese words the day comes first.
    if any(word.search(text) for word in (_WEEKDAY, _FILLER, _VIETNAMESE_AM_PM)):
        return False
    date = _NUMERIC_DATE.search(text)
    if date is None or date[1] == date[3]:
        return False
    return int(date[1]) <= 12 and int(date[3]) <= 12


def _has_am_pm(text: str) -> bool:
    return _ENGLISH_AM_PM.search(text) is not None


def _to_english(text: str) -> str:
    """Translate or drop Vietnamese words, and write the offset as RFC 822 does."""
    text = unicodedata.normalize("NFC", text)
    text = _COMMENT.sub(" ", text)
    text = _WEEKDAY.sub("", text)
    text = _TIME.sub(_to_clock_time, text)
    text = _MONTH.sub(_to_english_month, text)
    text = _FILLER.sub(" ", text)
    text = _VIETNAMESE_AM_PM.sub(_to_english_am_pm, text)
    # "14:30 PM", which dateutil refuses.
    text = _REDUNDANT_PM.sub(r"\1", text)
    text = " ".join(_SEPARATOR.sub(" ", text).split())
    return _OFFSET.sub(_to_rfc822_offset, text)


def _to_clock_time(match: re.Match[str]) -> str:
    hours = match[1] or match[3]
    minutes = match[2] or match[4] or match[5] or "00"
    return f"{hours}:{minutes:0>2}"


def _to_english_month(match: re.Match[str]) -> str:
    name = " ".join((match[1] or match[2]).lower().split())
    number = _MONTH_NUMBERS.get(name) or int(name)
    return f" {_ENGLISH_MONTHS[number - 1]} "


def _to_english_am_pm(match: re.Match[str]) -> str:
    return " AM" if match[1].lower() in ("sa", "sáng") else " PM"


def _to_rfc822_offset(match: re.Match[str]) -> str:
    return f" {match[1]}{match[2]:0>2}{match[3] or '00'}"


def _parse_full_date(text: str, *, day_first: bool) -> datetime:
    first, second = (
        parser.parse(
            text,
            dayfirst=day_first,
            default=default,
            tzinfos=lambda _, offset: offset,
        )
        for default in _DEFAULTS
    )
    if first != second:
        raise ValueError("Not a full date.")
    return first
