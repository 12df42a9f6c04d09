"""Months of publication, by the site's clocks: what archive documents hold (RFC 5005 §4)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def month_of(moment: datetime, zone: ZoneInfo) -> str:
    """The month that an instant lies in, `YYYY-MM`."""
    return moment.astimezone(zone).strftime("%Y-%m")


def bounds(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants at which a month begins and the next one does."""
    year, number = map(int, month.split("-"))
    following = (year + number // 12, number % 12 + 1)
    begin, end = (
        datetime(*first, 1, tzinfo=zone).astimezone(UTC)
        for first in ((year, number), following)
    )
    return begin, end
