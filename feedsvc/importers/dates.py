"""Dates of feeds as newspapers, portals and their software spell them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime

from dateutil import parser

_WEEKDAY = re.compile(
    r"\b(?:thứ\s*(?:[2-7]|hai|ba|tư|bốn|năm|sáu|bảy|bẩy)|chủ\s*nhật|cn|t[2-7])\b[\s,.]*",
    re.IGNORECASE,
)
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
_MONTH_NAMES = "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True))
_MONTH = re.compile(
    rf"\btháng\s+({_MONTH_NAMES}|1[0-2]|0?[1-9])\b|\bth(1[0-2]|0?[1-9])\b",
    re.IGNORECASE,
)
_ENGLISH = "January February March April May June July August September October November December".split()
_FILLER = re.compile(
    r"\b(?:ngày|lúc|vào|hồi|đăng|xuất bản|cập nhật|năm(?=\s+\d))\b(?:\s*:)?",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(\d{1,2})[hg](\d{2})\b'?"
    r"|\b(\d{1,2})\s*(?:giờ|h|g)(?!\w)(?:\s*(\d{1,2})\s*phút|\s*(\d{2})\b(?!\s*(?:[/.-]|th)))?",
    re.IGNORECASE,
)
_HALF = re.compile(r"(?<=\d)\s*\b(sa|ch|sáng|chiều|tối)\b", re.IGNORECASE)
_AFTERNOON = re.compile(r"\b((?:1[3-9]|2[0-3]):\d\d(?::\d\d)?)\s*[AP]M\b")
_COMMENT = re.compile(r"\([^()\d]*\)")
_SEPARATOR = re.compile(r"\s[|•–—-]\s|[()]")
_OFFSET = re.compile(
    r"(?:\b(?:GMT|UTC)\s*|(?<=\s)|(?<=\d\d:\d\d))([+-])(\d{1,2})(?::?(\d{2}))?$"
)
_NUMBERS = re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(?:\d{4}|\d\d)(?!\d)")
_YEAR_FIRST = re.compile(r"\b\d{4}[/.-]\d{1,2}[/.-]\d{1,2}\b")
_ENGLISH_HALF = re.compile(r"\d\s*[AP]M\b", re.IGNORECASE)
_LONGEST = 200
_DEFAULTS = (datetime(1, 1, 1), datetime(2, 2, 2))  # noqa: DTZ001 — two, to see what a date leaves out


class DateReader:
    """Reads the dates of one file.

    Numbers such as 10/2/2026 are ambiguous. If the file has others that are not, such as 10/24/2026, these
    decide. Else the month comes first before a time with AM or PM, as .NET writes it, and the day in all
    others.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        orders: dict[bool, set[bool]] = {False: set(), True: set()}
        for text in texts:
            numbers = _NUMBERS.search(text)
            if numbers and (int(numbers[1]) > 12) != (int(numbers[3]) > 12):
                orders[_has_english_half(text)].add(int(numbers[1]) > 12)
        self._day_first = {
            half: order.pop() for half, order in orders.items() if len(order) == 1
        }
        self._ambiguous: Counter[bool] = Counter()
        self._examples: dict[bool, str] = {}

    def read(self, text: str) -> datetime:
        """Return the date that a text spells, without an offset where it has none.

        :raises ValueError: it cannot be read, or leaves out the year, the month or the day.
        """
        if len(text) > _LONGEST:
            raise ValueError("Too long for a date.")
        with suppress(ValueError):
            return datetime.fromisoformat(text)
        plain = _in_english(text)
        with suppress(ValueError):
            return datetime.fromisoformat(plain)
        if not _ENGLISH_HALF.search(plain):
            with suppress(ValueError):
                return parsedate_to_datetime(plain)  # knows the zones of RFC 822
        return _parse(
            plain,
            day_first=self._comes_day_first(text) and not _YEAR_FIRST.search(plain),
        )

    def remarks(self) -> Iterator[str]:
        """Say how many dates were ambiguous, and how they were read."""
        for day_first, count in sorted(self._ambiguous.items()):
            order = "day" if day_first else "month"
            example = self._examples[day_first]
            yield f"Ambiguous dates, read with the {order} first: {count}, such as “{example}”."

    def _comes_day_first(self, text: str) -> bool:
        has_half = _has_english_half(text)
        day_first = self._day_first.get(has_half, not has_half)
        numbers = _NUMBERS.search(text)
        is_ambiguous = (
            numbers
            and numbers[1] != numbers[3]
            and max(int(numbers[1]), int(numbers[3])) <= 12
        )
        if (
            is_ambiguous
            and has_half not in self._day_first
            and not _is_vietnamese(text)
        ):
            self._ambiguous[day_first] += 1
            self._examples.setdefault(day_first, text)
        return day_first


def _has_english_half(text: str) -> bool:
    return _ENGLISH_HALF.search(text) is not None


def _is_vietnamese(text: str) -> bool:
    """Return whether words in a date say that it is Vietnamese, in which the day comes first."""
    return any(pattern.search(text) for pattern in (_WEEKDAY, _FILLER, _HALF))


def _in_english(text: str) -> str:
    """Return a date with Vietnamese words in English or left out, and its offset as RFC 822 has it."""
    text = unicodedata.normalize("NFC", text)
    text = _WEEKDAY.sub("", _COMMENT.sub(" ", text))
    text = _TIME.sub(_time, text)
    text = _MONTH.sub(_month, text)
    text = _FILLER.sub(" ", text)
    text = _HALF.sub(
        lambda half: " AM" if half[1].lower() in ("sa", "sáng") else " PM", text
    )
    text = _AFTERNOON.sub(r"\1", text)  # 14:30 PM
    text = " ".join(_SEPARATOR.sub(" ", text).split())
    return _OFFSET.sub(lambda part: f" {part[1]}{part[2]:0>2}{part[3] or '00'}", text)


def _month(found: re.Match[str]) -> str:
    name = " ".join((found[1] or found[2]).lower().split())
    return f" {_ENGLISH[(_MONTH_NUMBERS.get(name) or int(name)) - 1]} "


def _time(found: re.Match[str]) -> str:
    hours, minutes = found[1] or found[3], found[2] or found[4] or found[5] or "00"
    return f"{hours}:{minutes:0>2}"


def _parse(text: str, *, day_first: bool) -> datetime:
    first, second = (
        parser.parse(
            text, dayfirst=day_first, default=default, tzinfos=lambda _, offset: offset
        )
        for default in _DEFAULTS
    )
    if first != second:
        raise ValueError("Not a full date.")
    return first
