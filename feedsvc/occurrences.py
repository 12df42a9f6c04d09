"""When a series takes place: the recurrence set of RFC 5545 §3.8.5, by dateutil.

Rules run on the clocks of the event's zone. An occurrence at a time that a change of the clock skips takes
place as long after the change as it was to be after it began (RFC 5545 §3.3.5), as calendars have it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile

from dateutil.rrule import rrule, rruleset, rrulestr

from feedsvc.model import EPOCH, Entry, EventDetails

END_OF_TIME = datetime(2201, 1, 1, tzinfo=UTC)
"""When a series without an end is over; no event is later."""

_A_DAY = timedelta(days=1)


def occurrences(event: EventDetails, after: datetime = EPOCH) -> Iterator[EventDetails]:
    """The occurrences that are not over at `after`, in order; the event itself where it is no series."""
    if event.recurrence is None:
        found = iter((event,))
    else:
        # The clocks may have changed meanwhile, by a day at most.
        since = after.astimezone(event.timezone) - (event.ends - event.starts) - _A_DAY
        moments = _set(event).xafter(since.replace(tzinfo=None) if event.all_day else since, inc=True)
        found = (_at(event, moment) for moment in moments)
    for occurrence in found:
        if occurrence.starts >= END_OF_TIME:
            return
        if occurrence.ends > after:
            yield occurrence


def current(event: EventDetails, now: datetime) -> EventDetails:
    """The first occurrence that is not over at `now`, else the last one."""
    return next(occurrences(event, now), None) or last(event)


def last(event: EventDetails) -> EventDetails:
    """The last occurrence before the end of time; the event itself where it is no series."""
    if event.recurrence is None:
        return event
    moments = takewhile(lambda moment: moment.year < END_OF_TIME.year, _set(event))
    return _at(event, deque(moments, maxlen=1)[0])


def over(event: EventDetails) -> datetime:
    """When the whole event is over; the end of time where it has none."""
    return END_OF_TIME if is_open(event) else last(event).ends


def overlaps(event: EventDetails, start: datetime, end: datetime) -> bool:
    """Whether an occurrence falls within a window; one without length where it starts there."""
    for occurrence in occurrences(event, start - timedelta.resolution):
        if occurrence.ends > start or occurrence.starts == start:
            return occurrence.starts < end
    return False


def is_open(event: EventDetails) -> bool:
    """Whether it takes place again for ever."""
    return event.recurrence is not None and not event.recurrence.parts.keys() & {"COUNT", "UNTIL"}


def starts_itself(event: EventDetails) -> bool:
    """Whether the start of a series is an occurrence by its own rule.

    The calendar repeats itself every 400 years, and the question is put in the last ones that dateutil knows,
    so that a rule which nothing matches soon comes to their end.

    :raises ValueError: it is no rule.
    """
    start, rule = _wall(event.start), _rule(event)
    late = start.replace(year=start.year + (9999 - start.year) // 400 * 400)
    endless = rule.replace(dtstart=late, until=None, count=None)
    return next(iter(endless), None) == late and next(iter(rule), None) == start and not start.fold


def futile(event: EventDetails) -> list[int]:
    """The positions of those exdates of a series that match none of its occurrences."""
    recurrence = event.recurrence
    if recurrence is None or not recurrence.exdates:
        return []
    wanted = [_wall(moment) for moment in recurrence.exdates]
    latest = max(wanted)
    whole = _set(replace(event, recurrence=replace(recurrence, exdates=())))
    known = set(takewhile(lambda moment: moment <= latest, whole))
    return [index for index, moment in enumerate(wanted) if moment not in known]


def settled(entry: Entry) -> EventDetails | None:
    """The event, of a series the occurrence that was current or next when the store last looked."""
    event = entry.event
    if event is None or event.recurrence is None or entry.starts is None:
        return event
    return _at(event, entry.starts.astimezone(event.timezone))


def _at(event: EventDetails, moment: datetime) -> EventDetails:
    """The occurrence that starts then, exactly as long as the first one (RFC 5545 §3.8.5.3).

    By way of UTC, so that a time which a change of the clock skips becomes one that exists.
    """
    once = replace(event, recurrence=None)
    if event.all_day:
        start = moment.date()
        return replace(once, start=start, end=event.end and start + (event.end - event.start))
    instant = moment.astimezone(UTC)
    end = event.end and (instant + (event.ends - event.starts)).astimezone(event.timezone)
    return replace(once, start=instant.astimezone(event.timezone), end=end)


def _wall(day: date) -> datetime:
    """A time as dateutil wants it: of a date midnight, in no zone."""
    return day if isinstance(day, datetime) else datetime.combine(day, time())


def _rule(event: EventDetails) -> rrule:
    assert event.recurrence is not None
    rule = rrulestr(event.recurrence.rrule, dtstart=_wall(event.start))
    assert isinstance(rule, rrule)
    return rule


def _set(event: EventDetails) -> rruleset:
    assert event.recurrence is not None
    found = rruleset()
    found.rrule(_rule(event))
    for moment in event.recurrence.rdates:
        found.rdate(_wall(moment))
    for moment in event.recurrence.exdates:
        found.exdate(_wall(moment))
    return found
