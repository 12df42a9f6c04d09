"""Series of other calendars → start, rule and dates that the API takes.

Times are in the event's zone; a day is its midnight without zone, as dateutil needs.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import MAXYEAR, datetime
from functools import lru_cache
from itertools import islice, takewhile

from dateutil.parser import isoparse
from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr
from dateutil.tz import datetime_exists

from feedsvc.extensions.importers.entry import Note
from feedsvc.input.recurrence_validation import (
    MAX_OCCURRENCES,
    MAX_YEARS,
    validate_rrule,
)
from feedsvc.models import utcnow
from feedsvc.recurrence import CYCLE

_LENGTH = relativedelta(years=MAX_YEARS)
#: A series that goes on for so long is meant to have no end.
#:
#: Exchange ends series in 2099, and others after 50 years.
_FOREVER = relativedelta(years=20)
_END = re.compile(";(?:COUNT|UNTIL)=[^;]*")
#: The API does not have them, and most often they repeat the time of the start.
_CLOCK_TIME = re.compile(";BY(?:HOUR|MINUTE|SECOND)=[^;]*")
_UNTIL = re.compile(";UNTIL=([^;]*)")
#: Rules that dateutil may walk for ever, or for minutes.
_ENDLESS = re.compile(
    "FREQ=(?:HOUR|MINUTE|SECOND)LY|INTERVAL=0|BY(?:MINUTE|SECOND)=[^;]*,"
    "|BYSETPOS=(?:[^,;]*,){5}"
    "|=(?:[^,;=\n]*,){366}"
)
_MAX_RULES = 3
#: More dates are not walked: a daily series of 130 years has fewer.
_MAX_DATES = 50_000


def read_series(
    first: datetime,
    rules: Sequence[str],
    rdates: Iterable[datetime],
    notes: list[Note],
) -> tuple[str, Sequence[datetime]]:
    """Return the rule of a series, and its start before the dates beside the rule.

    It starts later than DTSTART if the rule does not give that, or if it is a time that
    a change to daylight saving time skips. DTSTART is an occurrence too, and COUNT does
    not count it (RFC 5545 §3.8.5.3 leaves that open).

    The dates of ten years stand for a rule that the API does not have, and for several
    ones.

    :param notes: gets what is repaired or left out.
    """
    if len(rules) > _MAX_RULES:
        notes.append(("left out", f"all but its first {_MAX_RULES} rules"))
        rules = rules[:_MAX_RULES]
    present = max(first, first.replace(utcnow().year, 1, 1))
    dates = {first}
    for rule in rules:
        try:
            dates.update(_expand(rule, first, present))
        # dateutil raises anything on a rule that it cannot read.
        except Exception:
            reason = f"a rule without dates, or of an unknown kind ({rule})"
            notes.append(("left out", reason))
    is_short = len(dates) <= MAX_OCCURRENCES and max(dates) <= first + _LENGTH
    for rule in rules:
        plain = _CLOCK_TIME.sub("", rule)
        fitting = plain if is_short else _END.sub("", plain)
        with suppress(ValueError):
            validate_rrule(fitting)
            given = _expand(fitting, first, present)
            begin = min(
                date for date in given if date.tzinfo is None or datetime_exists(date)
            )
            if _expand(fitting, begin, present) | {first} == dates:
                if fitting != plain:
                    notes.append(("repaired", f"it has no end ({rule})"))
                if begin != first:
                    reason = f"its rule begins at {begin:%F} ({rule})"
                    notes.append(("repaired", reason))
                return fitting, [begin, *sorted({*rdates} - {first})]
    dates.update(rdates)
    last = max(date for date in dates if date <= present + _LENGTH)
    kept = sorted(date for date in dates if last - _LENGTH <= date <= last)
    kept = kept[:MAX_OCCURRENCES]
    if len(kept) == 1:
        return "", kept
    if rules:
        days = f"{kept[0]:%F} to {kept[-1]:%F}"
        reason = f"it has the dates from {days} ({rules[0]})"
        notes.append(("repaired", reason))
    # Others stand beside the date of this rule.
    return "FREQ=DAILY;COUNT=1", kept


# Most rules fit as they are.
@lru_cache(maxsize=2)
def _expand(rule: str, first: datetime, present: datetime) -> frozenset[datetime]:
    """Return the dates of a rule.

    dateutil searches up to the year 9999 if a rule gives no more dates, which takes
    seconds. So it begins as late as the calendar is the same.

    :raises Exception: it cannot be read, or has too many dates.
    """
    if _ENDLESS.search(rule):
        raise ValueError
    end = present + _FOREVER
    until = _UNTIL.search(rule)
    if until:
        parsed = isoparse(until[1])
        end = min(end, parsed if first.tzinfo else parsed.replace(tzinfo=None))
    years = (MAXYEAR - present.year - _FOREVER.years) // CYCLE * CYCLE
    late_start = first.replace(year=first.year + years, tzinfo=None)
    walk = rrulestr(_UNTIL.sub("", rule), dtstart=late_start)
    dates = (
        date.replace(year=date.year - years, tzinfo=first.tzinfo)
        for date in islice(walk, _MAX_DATES + 1)
    )
    found = frozenset(takewhile(lambda date: date <= end, dates))
    if len(found) > _MAX_DATES:
        raise ValueError
    return found
