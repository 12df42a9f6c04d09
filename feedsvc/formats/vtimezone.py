"""VTIMEZONE components (RFC 5545 §3.6.5) for the years that a calendar needs.

icalendar 7.3 can make them too, but with errors: it gives the onsets of daylight saving
time in the new offset, where the RFC wants the old one, and it misses changes that are
reversed within 64 days, such as Morocco's for Ramadan.

A zone has yearly rules if its changes follow the same ones in all years, else dates:
Emacs and others read no RDATE, and npm's icalendar no zone that has both.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import prop

from feedsvc.recurrence import WEEKDAYS

#: A year whose changes are always written.
#:
#: vobject compares a zone with UTC in the years 2000 to 2020 alone. Without a change in
#: one of them it takes Europe/London for UTC.
_YEAR_FOR_VOBJECT = 2019

#: Less than the shortest time between two changes of a zone since 1970: Gaza has
#: daylight saving time for seven days, less one hour, in October 2040.
_STEP_DAYS = 6


class _Observance(NamedTuple):
    """The values of an observance but for its onsets, as they are written."""

    component: str
    name: str
    offset_from: str
    offset_to: str


#: A change of the UTC offset, and the local time of its onset as it is written.
_Change = tuple[_Observance, str]


@lru_cache(maxsize=1024)
def vtimezone(key: str, first: int, last: int) -> bytes:
    """Return a zone with its changes, a year before `first` to one after `last`."""
    zone = ZoneInfo(key)
    onsets: dict[_Observance, list[str]] = defaultdict(list)
    if not _changes(zone, first - 1):
        # Every time of an event needs an observance that is in effect.
        observance, onset = _change_at(zone, _new_year(first - 1))
        onsets[observance].append(onset)
    years = sorted({_YEAR_FOR_VOBJECT, *range(first - 1, last + 2)})
    for year in years:
        for observance, onset in _changes(zone, year):
            onsets[observance].append(onset)
    is_regular = all(
        len(its_onsets) == len(years) and len(set(map(_rule, its_onsets))) == 1
        for its_onsets in onsets.values()
    )
    lines = ["BEGIN:VTIMEZONE", f"TZID:{key}"]
    for observance, its_onsets in onsets.items():
        lines += _component(observance, its_onsets, is_regular)
    lines += ["END:VTIMEZONE", ""]
    return "\r\n".join(lines).encode()


# There is room for all zones in all years of events: a calendar that needed more would
# compute all of them anew each time.
@lru_cache(maxsize=1 << 18)
def _changes(zone: ZoneInfo, year: int) -> Sequence[_Change]:
    """Return the changes of the UTC offset of a zone in a year of local time.

    zoneinfo has no public list of them, so the offsets of every sixth day are compared.
    """
    return tuple(
        _change_at(zone, _bisect(zone, day))
        for day, next_day in pairwise(_days(year))
        if zone.utcoffset(day) != zone.utcoffset(next_day)
    )


@cache
def _days(year: int) -> Sequence[datetime]:
    """Return every sixth midnight of a year, and that of the next New Year's Day."""
    begin = _new_year(year)
    steps = range(0, 365, _STEP_DAYS)
    return [*(begin + timedelta(step) for step in steps), _new_year(year + 1)]


def _bisect(zone: ZoneInfo, begin: datetime) -> datetime:
    """Return the first local time with another UTC offset, within a step."""
    offset = zone.utcoffset(begin)

    def is_changed(second: int) -> bool:
        return zone.utcoffset(begin + timedelta(seconds=second)) != offset

    seconds = range(_STEP_DAYS * 24 * 60 * 60)
    second = bisect_left(seconds, True, key=is_changed)
    return begin + timedelta(seconds=second)


def _change_at(zone: ZoneInfo, local: datetime) -> _Change:
    """Return the change after which a local time is the first.

    The offsets are equal if there is none.
    """
    before = zone.utcoffset(local - timedelta(seconds=1)) or timedelta()
    after = zone.utcoffset(local) or timedelta()
    # The onset is in the offset before the change (RFC 5545 §3.6.5). zoneinfo gives
    # skipped local times that offset too, so `local` is later by as much as is skipped.
    onset = local - max(after - before, timedelta())
    observance = _Observance(
        "DAYLIGHT" if zone.dst(local) else "STANDARD",
        zone.tzname(local) or zone.key,
        _utc_offset(before),
        _utc_offset(after),
    )
    return observance, f"{onset:%Y%m%dT%H%M%S}"


@cache
def _utc_offset(offset: timedelta) -> str:
    text: str = prop.vUTCOffset(offset).to_ical()
    return text


def _new_year(year: int) -> datetime:
    return datetime.combine(date(year, 1, 1), time())


def _rule(onset: str) -> tuple[str, str]:
    """Return the time of an onset, and the yearly rule for its day."""
    day = datetime.fromisoformat(onset)
    number = (day.day + 6) // 7
    if (day + timedelta(days=7)).month != day.month:
        number = -1
    weekday = WEEKDAYS[day.weekday()]
    rule = f"FREQ=YEARLY;BYMONTH={day.month};BYDAY={number}{weekday}"
    return f"{day:%H%M%S}", rule


def _component(
    observance: _Observance, onsets: Sequence[str], is_regular: bool
) -> Iterator[str]:
    yield f"BEGIN:{observance.component}"
    yield f"DTSTART:{onsets[0]}"
    if is_regular:
        _, rule = _rule(onsets[0])
        yield f"RRULE:{rule}"
    elif len(onsets) > 1:
        # The first onset is in the list too, although it is DTSTART's: ical.js ignores
        # DTSTART if there is an RDATE. And like vobject it reads only the first value
        # of each RDATE.
        yield from (f"RDATE:{onset}" for onset in onsets)
    yield f"TZNAME:{observance.name}"
    yield f"TZOFFSETFROM:{observance.offset_from}"
    yield f"TZOFFSETTO:{observance.offset_to}"
    yield f"END:{observance.component}"
