"""Recurrence rules near a time: the same occurrences as from the start, without the walk from there.

A copy of the rule begins at a start that its own steps reach: a whole number of intervals behind the first
one. What a rule takes from its start (RFC 5545 §3.3.10: the day of the month, the weekday) is stated in the
copy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Any

from dateutil.rrule import rrule, rrulestr

from feedsvc.recurrence import DAYS, Recurrence

_MOST = 1000
"""Occurrences of a rule with COUNT at most, by the API's validation."""

_FAR = datetime(9999, 1, 1, tzinfo=UTC)
_DAYS_OF_WEEK = "BYDAY=" + ",".join(DAYS)


def rule_near(text: str, start: datetime, since: datetime) -> rrule:
    """Return a rule that has all occurrences from `since` on, and few before.

    :param text: the value of a RRULE.
    :param start: the first occurrence, as the clocks of its zone show it.
    :param since: a time by the same clocks.
    :raises ValueError: the text is no rule.
    """
    text = _by_year(text, start)
    # Aware datetimes of different zones may be equal, so the zone is a part of the key.
    rule = _parsed(text, start.replace(tzinfo=None), start.tzinfo)
    if since <= start:
        return rule
    parts = Recurrence(text).rule_parts
    changes: dict[str, Any] = {
        "dtstart": _aligned(parts, start, since),
        **_implied(parts, start),
    }
    if "COUNT" in parts:
        changes |= {"count": None, "until": last_start(text, start)}
    return rule.replace(**changes)


def check_rule(text: str, start: date) -> None:
    """Check that a text is a rule.

    :raises ValueError: it is none.
    """
    moment = start if isinstance(start, datetime) else datetime.combine(start, time())
    rule_near(text, moment, moment)


@lru_cache(1024)
def _parsed(text: str, start: datetime, zone: tzinfo | None) -> rrule:
    rule = rrulestr(text, dtstart=start.replace(tzinfo=zone))
    assert isinstance(rule, rrule)
    return rule


def last_start(text: str, start: datetime) -> datetime:
    """Return the last occurrence of a rule with COUNT, and of one with UNTIL the time that it says."""
    return _last_start(_by_year(text, start), start.replace(tzinfo=None), start.tzinfo)


@lru_cache(4096)
def _last_start(text: str, start: datetime, zone: tzinfo | None) -> datetime:
    rule = _parsed(text, start, zone)
    until: datetime | None = rule._until  # type: ignore[attr-defined]
    if until is not None:
        until = min(until, _FAR if zone else _FAR.replace(tzinfo=None))
        return until.astimezone(zone) if zone else until
    walked = deque(islice(rule, _MOST), maxlen=1)
    return walked[0] if walked else start.replace(tzinfo=zone)


def _by_year(text: str, start: datetime) -> str:
    """Return a rule that names months as a yearly one: between them dateutil would look at every day.

    Without an interval and BYSETPOS the frequency only says which days the start stands for.
    """
    parts = Recurrence(text).rule_parts
    if (
        "BYMONTH" not in parts
        or "BYSETPOS" in parts
        or parts.get("INTERVAL", "1") != "1"
    ):
        return text
    rest = ";".join(
        f"{name}={value}"
        for name, value in parts.items()
        if name not in ("FREQ", "INTERVAL")
    )
    explicit = "BYDAY" in parts or "BYMONTHDAY" in parts
    if parts["FREQ"] == "DAILY":
        return (
            f"FREQ=YEARLY;{rest}" if explicit else f"FREQ=YEARLY;{rest};{_DAYS_OF_WEEK}"
        )
    if parts["FREQ"] == "WEEKLY":
        return (
            f"FREQ=YEARLY;{rest}"
            if explicit
            else f"FREQ=YEARLY;{rest};BYDAY={DAYS[start.weekday()]}"
        )
    return f"FREQ=YEARLY;{rest}" if parts["FREQ"] == "MONTHLY" else text


def _aligned(parts: Mapping[str, str], start: datetime, since: datetime) -> datetime:
    """Return the latest start not behind `since` that the steps of a rule reach."""
    frequency, interval = parts["FREQ"], int(parts.get("INTERVAL", "1"))
    if frequency == "DAILY":
        return start + timedelta(days=(since - start).days // interval * interval)
    if frequency == "WEEKLY":
        # dateutil begins in the middle of a week, which BYSETPOS would count from there: one step earlier.
        steps = (since - start).days // (7 * interval) - 1
        return start + timedelta(weeks=max(0, steps) * interval)
    if frequency == "MONTHLY":
        months = (since.year - start.year) * 12 + since.month - start.month
        months = months // interval * interval
        if months == 0:
            return start
        year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
        return start.replace(year=year, month=month + 1, day=1)
    years = (since.year - start.year) // interval * interval
    return start.replace(year=start.year + years, month=1, day=1) if years else start


def _implied(parts: Mapping[str, str], start: datetime) -> dict[str, Any]:
    """Return what a monthly or yearly rule takes from its start."""
    stated = {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"}
    if parts["FREQ"] not in ("MONTHLY", "YEARLY") or parts.keys() & stated:
        return {}
    if parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts:
        return {"bymonth": start.month, "bymonthday": start.day}
    return {"bymonthday": start.day}
