"""Series of other calendars → start, rule and dates that the API takes.

Times are in the event's zone; a day is its midnight without zone, as dateutil needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr

from feedsvc.input.recurrence_validation import (
    MAX_OCCURRENCES,
    MAX_YEARS,
    validate_rrule,
)
from feedsvc.models import utcnow

_LENGTH = relativedelta(years=MAX_YEARS)
_END = re.compile(";(?:COUNT|UNTIL)=[^;]*")
#: dateutil may walk them for ever.
_ENDLESS = re.compile("FREQ=(?:HOUR|MINUTE|SECOND)LY|INTERVAL=0")
_UNUSABLE = "a rule without dates, or of an unknown kind"


class Series(NamedTuple):
    """The dates of an event: `start`, those of a rule, `rdates`, and `singles`.

    `singles` are too early or too late for a series of the API. Without rule and rdates
    the event does not recur.
    """

    start: datetime
    rule: str
    rdates: Sequence[datetime]
    singles: Sequence[datetime]


def read_series(
    first: datetime,
    rules: Iterable[str],
    rdates: Iterable[datetime],
    notes: list[tuple[str, str]],
) -> Series:
    """Return the dates of an event as the API takes them.

    DTSTART is an occurrence also if the rule does not give it, as Plone and scripts
    write it (RFC 5545 §3.8.5.3 leaves that open). Dates stand for all but one of
    several rules, and for a rule that the API does not have.
    """
    start, kept = first, ""
    dates, begins = set(rdates), set()
    for rule in rules:
        try:
            fitting, occurrences = _fit(rule, first, notes)
            begins.add(rrulestr(rule, dtstart=first)[0])
        # dateutil raises anything on a rule that it cannot read.
        except Exception:
            notes.append(("left out", f"{_UNUSABLE} ({rule})"))
            continue
        if fitting and not kept:
            start, kept = occurrences[0], fitting
        else:
            dates.update(occurrences)
    if begins and first not in begins:
        dates.add(first)
        notes.append(("repaired", "its start is an event of its own"))
    if not kept:
        dates.add(first)
        start = min(day for day in dates if day + _LENGTH >= max(dates))
    ordered = sorted(dates)
    added = [day for day in ordered if start < day <= start + _LENGTH]
    added = added[: MAX_OCCURRENCES - 1]
    singles = [day for day in ordered if day not in {start, *added}]
    if added and not kept:
        kept = "FREQ=DAILY;COUNT=1"
    return Series(start, kept, added, singles)


def _fit(
    rule: str, first: datetime, notes: list[tuple[str, str]]
) -> tuple[str, Sequence[datetime]]:
    """Return a rule as the API takes it, or an empty text, and its dates.

    :raises Exception: the rule cannot be read, or has no date.
    """
    if _ENDLESS.search(rule):
        raise ValueError
    rule = _shorten(rule, first)
    is_supported = _is_supported(rule)
    unended = _END.sub("", rule)
    dates = rrulestr(rule, dtstart=first)
    beginning = list(islice(dates, MAX_OCCURRENCES + 1))
    is_long = (
        len(beginning) > MAX_OCCURRENCES
        or beginning[-1] > beginning[0] + _LENGTH
    )
    if is_supported and (rule == unended or not is_long):
        return rule, beginning
    # Exchange ends series in 2099, and others after 50 years, that are meant to have
    # no end.
    horizon = first.replace(utcnow().year + MAX_YEARS, 1, 1)
    if is_supported and dates.after(horizon):
        notes.append(("repaired", f"it has no end any more ({rule})"))
        return unended, beginning
    last: Any = dates.before(horizon)
    latest = dates.between(last - _LENGTH, last, inc=True)[-MAX_OCCURRENCES:]
    if is_long:
        notes.append(
            ("left out", f"dates outside {latest[0]:%F} to {last:%F} ({rule})")
        )
    if not is_supported:
        return "", latest
    until = f"{last:%Y%m%d}"
    if last.tzinfo:
        until = f"{last.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{unended};UNTIL={until}", latest


def _is_supported(rule: str) -> bool:
    try:
        validate_rrule(_END.sub("", rule))
    except ValueError:
        return False
    return True


def _shorten(rule: str, first: datetime) -> str:
    """Leave out parts that the API does not have and that have no effect.

    Such as BYHOUR=19 if the start is at 19:00, and Outlook's BYSETPOS=1 of one weekday.
    """
    for part in reversed(re.findall(";BY[^;]*", rule)):
        shorter = rule.replace(part, "")
        if not _is_supported(rule):
            dates, same = (
                list(islice(rrulestr(each, dtstart=first), 100))
                for each in (rule, shorter)
            )
            rule = shorter if dates == same else rule
    return rule
