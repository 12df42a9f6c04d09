"""Series of other calendars → start, rule and dates that the API takes.

Times are in the event's zone; a day is its midnight without zone, as dateutil needs.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from itertools import takewhile

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr

from feedsvc.importers import Note
from feedsvc.input.recurrence_validation import (
    MAX_OCCURRENCES,
    MAX_YEARS,
    validate_rrule,
)
from feedsvc.models import utcnow

_LENGTH = relativedelta(years=MAX_YEARS)
#: A series that goes on for so long is meant to have no end.
#:
#: Exchange ends series in 2099, and others after 50 years.
_FOREVER = relativedelta(years=20)
_END = re.compile(";(?:COUNT|UNTIL)=[^;]*")
#: The API does not have them, and most often they repeat the time of the start.
_CLOCK_TIME = re.compile(";BY(?:HOUR|MINUTE|SECOND)=[^;]*")
#: Rules that dateutil may walk for ever.
ENDLESS = re.compile(
    "FREQ=(?:HOUR|MINUTE|SECOND)LY|INTERVAL=0|BY(?:MINUTE|SECOND)=[^;]*,"
)


def read_series(
    first: datetime,
    rules: Sequence[str],
    rdates: Iterable[datetime],
    notes: list[Note],
) -> tuple[str, Sequence[datetime]]:
    """Return the rule of a series, and its start before the dates beside the rule.

    The dates of ten years stand for a rule that the API does not have, for several ones
    and for one that does not give DTSTART: Plone and scripts write that, and it is an
    occurrence too (RFC 5545 §3.8.5.3 leaves that open).

    :param notes: gets what is repaired or left out.
    """
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
            if _expand(fitting, first, present) == dates:
                if fitting != plain:
                    notes.append(("repaired", f"it has no end ({rule})"))
                return fitting, [first, *rdates]
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
@lru_cache(maxsize=1)
def _expand(
    rule: str, first: datetime, present: datetime
) -> frozenset[datetime]:
    """Return the dates of a rule.

    :raises Exception: it cannot be read.
    """
    if ENDLESS.search(rule):
        raise ValueError
    dates = rrulestr(rule, dtstart=first)
    return frozenset(takewhile(lambda date: date < present + _FOREVER, dates))
