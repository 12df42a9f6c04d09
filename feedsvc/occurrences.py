"""When a series takes place: the recurrence set of RFC 5545 §3.8.5, by dateutil.

Rules run on the clocks of the event's zone. An occurrence at a time that a change of the clock skips takes
place as long after the change as it was to be after it began (RFC 5545 §3.3.5), as calendars have it.

No function here walks a series without an end from its start: `feedsvc.nearby` starts a copy of the rule near
the time that is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile

from dateutil.rrule import rrule, rruleset, rrulestr

from feedsvc.models import EPOCH, Entry, Event
from feedsvc.nearby import last_start, rule_near
from feedsvc.recurrence import Recurrence

MAX_DATETIME = datetime(2201, 1, 1, tzinfo=UTC)
"""When a series without an end is over; no event is later."""

_A_DAY = timedelta(days=1)
_YEAR = timedelta(days=366)
_LONGER_THAN_A_CALENDAR = 146_400
"""Days, weeks, months or years that lead out of the last 400 years before 9999."""


def occurrences(event: Event, after: datetime = EPOCH) -> Iterator[Event]:
    """Yield the occurrences that are not over at `after`, in order; of a single event the event itself."""
    if event.recurrence is None:
        candidates = iter((event,))
    else:
        # The clocks may have changed meanwhile, by a day at most.
        since = after.astimezone(event.timezone) - (event.ends - event.starts) - _A_DAY
        candidates = (
            _occurrence_at(event, moment)
            for moment in _moments(event, event.recurrence, since)
        )
    for occurrence in candidates:
        if occurrence.starts >= MAX_DATETIME:
            return
        if occurrence.ends > after:
            yield occurrence


def current_or_next(event: Event, now: datetime) -> Event:
    """Return the first occurrence that is not over at `now`, else the last one."""
    return next(occurrences(event, now), None) or last_occurrence(event)


def last_occurrence(event: Event) -> Event:
    """Return the last occurrence before the end of time; the event itself where it is no series.

    It is searched for backwards, in longer and longer periods before the last possible start.
    """
    recurrence = event.recurrence
    if recurrence is None:
        return event
    start = _as_datetime(event.start)
    first, bound = _naive(start), _naive(MAX_DATETIME)
    if not is_unbounded(event):
        ends = [
            last_start(recurrence.rrule, start),
            *map(_as_datetime, recurrence.rdates),
        ]
        bound = min(bound, max(map(_naive, ends)) + _A_DAY)
    span = _YEAR
    while True:
        since = max(first, bound - span)
        moments = takewhile(
            lambda moment: _naive(moment) < bound, _moments(event, recurrence, since)
        )
        newest = deque(moments, maxlen=1)
        if newest:
            return _occurrence_at(event, newest[0])
        if since == first:
            raise ValueError("The series has no occurrence.")
        span *= 4


def series_end(event: Event) -> datetime:
    """Return when the whole event is over; the end of time where it has none."""
    return MAX_DATETIME if is_unbounded(event) else last_occurrence(event).ends


def overlaps(event: Event, start: datetime, end: datetime) -> bool:
    """Return whether an occurrence falls within a window; one without length where it starts there."""
    for occurrence in occurrences(event, start - timedelta.resolution):
        if occurrence.ends > start or occurrence.starts == start:
            return occurrence.starts < end
    return False


def is_unbounded(event: Event) -> bool:
    """Return whether the event takes place again without end."""
    return event.recurrence is not None and not event.recurrence.rule_parts.keys() & {
        "COUNT",
        "UNTIL",
    }


def start_matches_rule(event: Event) -> bool:
    """Return whether the start of a series is an occurrence by its own rule.

    The calendar repeats itself every 400 years. The rule is moved into the last ones that dateutil knows,
    with an interval that leaves them at once, so that only the period of the start is looked at.

    :raises ValueError: it is no rule.
    """
    assert event.recurrence is not None
    start = _as_datetime(event.start)
    rule = _rule(event.recurrence, start)
    late = start.replace(year=start.year + (9999 - start.year) // 400 * 400)
    once = rule.replace(
        dtstart=late, until=None, count=None, interval=_LONGER_THAN_A_CALENDAR
    )
    return (
        next(iter(once), None) == late
        and next(iter(rule), None) == start
        and not start.fold
    )


def unmatched_exdates(event: Event) -> list[int]:
    """Return the positions of those exdates of a series that match none of its occurrences."""
    recurrence = event.recurrence
    if recurrence is None or not recurrence.exdates:
        return []
    whole = replace(recurrence, exdates=())
    wanted = sorted(
        (_as_datetime(moment), index) for index, moment in enumerate(recurrence.exdates)
    )
    upcoming: datetime | None = wanted[0][0] - _A_DAY
    missed = []
    for moment, index in wanted:
        if upcoming is not None and upcoming < moment:
            upcoming = next(_moments(event, whole, moment), None)
        if upcoming != moment:
            missed.append(index)
    return sorted(missed)


def display_occurrence(entry: Entry) -> Event | None:
    """Return the event, of a series the occurrence that was current or next when the store last looked."""
    event = entry.event
    if event is None or event.recurrence is None or entry.starts is None:
        return event
    return _occurrence_at(event, entry.starts.astimezone(event.timezone))


def _occurrence_at(event: Event, moment: datetime) -> Event:
    """The occurrence that starts then, exactly as long as the first one (RFC 5545 §3.8.5.3).

    By way of UTC, so that a time which a change of the clock skips becomes one that exists.
    """
    once = replace(event, recurrence=None)
    if event.all_day:
        start = moment.date()
        return replace(
            once, start=start, end=event.end and start + (event.end - event.start)
        )
    instant = moment.astimezone(UTC)
    end = event.end and (instant + (event.ends - event.starts)).astimezone(
        event.timezone
    )
    return replace(once, start=instant.astimezone(event.timezone), end=end)


def _as_datetime(day: date) -> datetime:
    """A time as dateutil wants it: of a date midnight, in no zone."""
    return day if isinstance(day, datetime) else datetime.combine(day, time())


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _rule(recurrence: Recurrence, start: datetime) -> rrule:
    rule = rrulestr(recurrence.rrule, dtstart=start)
    assert isinstance(rule, rrule)
    return rule


def _moments(
    event: Event, recurrence: Recurrence, since: datetime
) -> Iterator[datetime]:
    """Yield the starts of occurrences from `since` on, as the clocks of the event's zone show them."""
    start = _as_datetime(event.start)
    since = since.replace(tzinfo=start.tzinfo)
    recurrence_set = rruleset()
    recurrence_set.rrule(rule_near(recurrence.rrule, start, since))
    for moment in map(_as_datetime, recurrence.rdates):
        if moment >= since:
            recurrence_set.rdate(moment)
    for moment in map(_as_datetime, recurrence.exdates):
        if moment >= since:
            recurrence_set.exdate(moment)
    moments: Iterator[datetime] = recurrence_set.xafter(since, inc=True)
    return moments
