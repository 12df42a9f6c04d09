"""VTIMEZONE components (RFC 5545 §3.6.5), as far as a calendar needs them.

An observance is a yearly RRULE where the zone has such a rule for good, else one RDATE a line: ical.js and
vobject read only the first value of an RDATE.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, prop

from feedsvc.recurrence import WEEKDAYS

_FOR_GOOD = 28
"""Years for which a rule must hold to be one: after them the calendar repeats itself."""

_RULES_SINCE = 2007
"""The year in which rules begin at the latest, where they do not begin later themselves.

vobject compares a zone with UTC in the years from 2000 to 2020 alone, and takes Europe/London for UTC where
its rules begin later.
"""

_ONE_DAY = timedelta(days=1)


_Component = TimezoneDaylight | TimezoneStandard


@dataclass(frozen=True, slots=True)
class _Observance:
    """The offsets before and after a change of the clock, and the name of what follows."""

    before: timedelta
    after: timedelta
    name: str
    daylight: bool


@lru_cache(maxsize=256)
def vtimezone(key: str, first: int, last: int) -> Timezone:
    """Return a zone with the changes of its clocks in some years, the one before and the one after."""
    zone = ZoneInfo(key)
    onsets: dict[_Observance, list[datetime]] = defaultdict(list)
    years = range(min(first - 1, _RULES_SINCE), last + 2 + _FOR_GOOD)
    for change in chain.from_iterable(_changes(zone, year) for year in years):
        observance = _observance(zone, change)
        onsets[observance].append((change + observance.before).replace(tzinfo=None))
    components: list[_Component] = []
    for observance, moments in onsets.items():
        components += _components(observance, moments, first, last)
    if not any(component.DTSTART.year < first for component in components):
        now = datetime(first - 1, 1, 1, tzinfo=UTC).astimezone(zone)
        offset = now.utcoffset() or timedelta()
        steady = _Observance(offset, offset, now.tzname() or key, bool(now.dst()))
        components.append(_component(steady, now.replace(tzinfo=None)))
    timezone = Timezone()
    timezone["TZID"] = prop.vText(key)
    timezone.subcomponents = sorted(components, key=lambda component: component.DTSTART)
    return timezone


@lru_cache(maxsize=8192)
def _changes(zone: ZoneInfo, year: int) -> tuple[datetime, ...]:
    """Return the instants of a year at which the offset of a zone changes."""
    changes = []
    day, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    offset = day.astimezone(zone).utcoffset()
    while day < end:
        following = day + _ONE_DAY
        if (offset_then := following.astimezone(zone).utcoffset()) != offset:
            changes.append(_change(zone, day, following))
            offset = offset_then
        day = following
    return tuple(changes)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the second of the one change between two instants."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _observance(zone: ZoneInfo, change: datetime) -> _Observance:
    before = (change - timedelta(seconds=1)).astimezone(zone).utcoffset() or timedelta()
    local = change.astimezone(zone)
    return _Observance(
        before,
        local.utcoffset() or timedelta(),
        local.tzname() or zone.key,
        bool(local.dst()),
    )


def _components(
    observance: _Observance, onsets: Sequence[datetime], first: int, last: int
) -> list[_Component]:
    """Return the components of an observance: those by a rule, and those by their dates."""
    begin, rule = _rule(onsets, last)
    components: list[_Component] = []
    if rule and onsets[begin].year <= last + 1:
        component = _component(observance, onsets[begin])
        component["RRULE"] = prop.vRecur.from_ical(rule)
        components.append(component)
    dates = [
        onset
        for onset in (onsets[:begin] if rule else onsets)
        if first - 1 <= onset.year <= last + 1
    ]
    if dates:
        component = _component(observance, dates[0])
        if dates[1:]:
            component["RDATE"] = [
                prop.vDDDLists([onset]) for onset in dates
            ]  # ical.js forgets DTSTART beside them
        components.append(component)
    return components


def _component(observance: _Observance, onset: datetime) -> _Component:
    component: _Component = (
        TimezoneDaylight() if observance.daylight else TimezoneStandard()
    )
    component["DTSTART"] = prop.vDDDTypes(onset)
    component["TZOFFSETFROM"] = prop.vUTCOffset(observance.before)
    component["TZOFFSETTO"] = prop.vUTCOffset(observance.after)
    component["TZNAME"] = prop.vText(observance.name)
    return component


def _rule(onsets: Sequence[datetime], last: int) -> tuple[int, str]:
    """Return the yearly rule that the onsets follow for good, and the index of the first that does.

    The rule is empty where there is none.
    """
    final = onsets[-1]
    if final.year < last + _FOR_GOOD:
        return 0, ""
    best = len(onsets), ""
    for rule in _rules(final):
        begin = len(onsets) - 1
        while (
            begin > 0
            and rule in _rules(onsets[begin - 1])
            and _a_year_apart(onsets, begin)
        ):
            begin -= 1
        best = min(best, (begin, rule))
    begin, rule = best
    return (
        (begin, rule) if final.year - onsets[begin].year >= _FOR_GOOD - 1 else (0, "")
    )


def _a_year_apart(onsets: Sequence[datetime], index: int) -> bool:
    before, after = onsets[index - 1], onsets[index]
    return after.year == before.year + 1 and after.time() == before.time()


def _rules(onset: datetime) -> list[str]:
    """Return the yearly rules that give an onset, the usual ones first."""
    day = WEEKDAYS[onset.weekday()]
    month = f"FREQ=YEARLY;BYMONTH={onset.month}"
    rules = [f"{month};BYDAY={(onset.day + 6) // 7}{day}"]
    if onset.day + 7 > monthrange(onset.year, onset.month)[1]:
        rules.insert(0, f"{month};BYDAY=-1{day}")
    rules.append(f"{month};BYMONTHDAY={onset.day}")
    # Such as the Friday before the last Sunday.
    for begin in range(
        max(1, onset.day - 6),
        min(onset.day, monthrange(onset.year, onset.month)[1] - 6) + 1,
    ):
        days = ",".join(str(begin + number) for number in range(7))
        rules.append(f"{month};BYMONTHDAY={days};BYDAY={day}")
    return rules
