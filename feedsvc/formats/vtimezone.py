"""VTIMEZONE components (RFC 5545 §3.6.5) for the years that a calendar needs.

icalendar 7.3 can make them too, but with errors: it gives the onsets of daylight saving
time in the new offset, where the RFC wants the old one, and it misses changes that are
reversed within 64 days, such as Morocco's for Ramadan.

An observance is a yearly RRULE if the zone follows one permanently. Else it has one
RDATE property for each onset: ical.js and vobject read only the first value of an
RDATE.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, prop

from feedsvc.recurrence import WEEKDAYS

#: Years after which weekdays and dates repeat: a rule must hold for as long.
_CALENDAR_CYCLE = 28

#: The latest year in which rules start, unless the zone's own rule is newer.
#:
#: vobject compares a zone with UTC in the years 2000 to 2020 alone. It would take
#: Europe/London for UTC if its rules started later.
_RULES_SINCE = 2007

_ONE_DAY = timedelta(days=1)

_Component = TimezoneDaylight | TimezoneStandard


@dataclass(frozen=True, slots=True)
class _Observance:
    """The offsets before and after changes of the UTC offset, and the new name."""

    before: timedelta
    after: timedelta
    name: str
    daylight: bool


# More than there are zones: events in all of them must not compute each anew.
@lru_cache(maxsize=1024)
def vtimezone(key: str, first: int, last: int) -> bytes:
    """Return a zone with its changes, a year before `first` to one after `last`."""
    zone = ZoneInfo(key)
    onsets: dict[_Observance, list[datetime]] = defaultdict(list)
    # 28 more years show whether a rule is permanent.
    years = range(min(first - 1, _RULES_SINCE), last + 2 + _CALENDAR_CYCLE)
    for year in years:
        for change in _changes(zone, year):
            observance = _observance(zone, change)
            # Local time by the offset before the change (RFC 5545 §3.6.5).
            onset = (change + observance.before).replace(tzinfo=None)
            onsets[observance].append(onset)
    components: list[_Component] = []
    for observance, its_onsets in onsets.items():
        components += _components(observance, its_onsets, first, last)
    if not any(component.DTSTART.year < first for component in components):
        # Every time of an event needs an observance that is in effect.
        initial = datetime(first - 1, 1, 1, tzinfo=UTC).astimezone(zone)
        offset = initial.utcoffset() or timedelta()
        name = initial.tzname() or key
        observance = _Observance(offset, offset, name, bool(initial.dst()))
        components.append(_component(observance, initial.replace(tzinfo=None)))
    timezone = Timezone()
    timezone["TZID"] = prop.vText(key)
    timezone.subcomponents = sorted(
        components, key=lambda component: component.DTSTART
    )
    document: bytes = timezone.to_ical()
    return document


# Each calendar needs about 60 years of a zone, and compares each of their days.
@lru_cache(maxsize=65536)
def _changes(zone: ZoneInfo, year: int) -> tuple[datetime, ...]:
    """Return the times in a year at which the UTC offset of a zone changes.

    zoneinfo has no public list of them, so every day is compared with the next.
    """
    changes = []
    day = datetime(year, 1, 1, tzinfo=UTC)
    end = datetime(year + 1, 1, 1, tzinfo=UTC)
    offset = day.astimezone(zone).utcoffset()
    while day < end:
        next_day = day + _ONE_DAY
        next_offset = next_day.astimezone(zone).utcoffset()
        if next_offset != offset:
            changes.append(_change(zone, day))
        day, offset = next_day, next_offset
    return tuple(changes)


def _change(zone: ZoneInfo, day: datetime) -> datetime:
    """Return the second of the one change in the 24 hours after a time."""
    offset = day.astimezone(zone).utcoffset()

    def is_changed(second: int) -> bool:
        moment = day + timedelta(seconds=second)
        return moment.astimezone(zone).utcoffset() != offset

    seconds = range(24 * 60 * 60)
    return day + timedelta(seconds=bisect_left(seconds, True, key=is_changed))


def _observance(zone: ZoneInfo, change: datetime) -> _Observance:
    last_second = change - timedelta(seconds=1)
    before = last_second.astimezone(zone).utcoffset() or timedelta()
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
    """Return the components of an observance: one by its rule, one by its dates."""
    begin, rule = _rule(onsets, last)
    components: list[_Component] = []
    if rule and onsets[begin].year <= last + 1:
        component = _component(observance, onsets[begin])
        component["RRULE"] = prop.vRecur.from_ical(rule)
        components.append(component)
    dates = [
        onset
        for onset in onsets[:begin]
        if first - 1 <= onset.year <= last + 1
    ]
    if dates:
        component = _component(observance, dates[0])
        if len(dates) > 1:
            # The first date is in the list too, although it is DTSTART's: ical.js
            # ignores DTSTART if there is an RDATE.
            component["RDATE"] = [prop.vDDDLists([onset]) for onset in dates]
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
    """Return the permanent yearly rule of onsets, and the index of the first by it.

    If there is none, the rule is empty, and the index is the number of onsets.
    """
    no_rule = (len(onsets), "")
    final = onsets[-1]
    if final.year < last + _CALENDAR_CYCLE:
        return no_rule
    # The rule that holds for longest; of several the first by its text, so that equal
    # feeds have equal bytes.
    begin, rule = min(
        (_first_by_rule(onsets, rule), rule) for rule in _rules(final)
    )
    if final.year - onsets[begin].year < _CALENDAR_CYCLE - 1:
        return no_rule
    return begin, rule


def _first_by_rule(onsets: Sequence[datetime], rule: str) -> int:
    """Return the index from which on all onsets follow a rule."""
    index = len(onsets) - 1
    while index > 0:
        previous, onset = onsets[index - 1], onsets[index]
        is_yearly = (
            onset.year == previous.year + 1 and onset.time() == previous.time()
        )
        if not is_yearly or rule not in _rules(previous):
            break
        index -= 1
    return index


def _rules(onset: datetime) -> list[str]:
    """Return the yearly rules that have an onset."""
    day = WEEKDAYS[onset.weekday()]
    month = f"FREQ=YEARLY;BYMONTH={onset.month}"
    days_in_month = monthrange(onset.year, onset.month)[1]
    rules = [f"{month};BYDAY={(onset.day + 6) // 7}{day}"]
    if onset.day + 7 > days_in_month:
        rules.append(f"{month};BYDAY=-1{day}")
    rules.append(f"{month};BYMONTHDAY={onset.day}")
    # A weekday within seven days, such as the Friday before the last Sunday.
    for begin in range(
        max(1, onset.day - 6), min(onset.day, days_in_month - 6) + 1
    ):
        days = ",".join(str(begin + number) for number in range(7))
        rules.append(f"{month};BYMONTHDAY={days};BYDAY={day}")
    return rules
