"""Occurrences of a recurring event: the recurrence set of RFC 5545 §3.8.5, by dateutil.

Rules run in the local time of the event's time zone. An occurrence at a local time that
a change to daylight saving time skips takes place as long after the change as it was to
be after the start of the skipped period (RFC 5545 §3.3.5), as in calendar programs.

dateutil walks a rule from its start. For a daily rule of 1970 that is through 20,000
days, so the walk begins near the requested time, unless the rule has a COUNT and the
end of the series is not known.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from itertools import takewhile

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrule, rruleset, rrulestr

from feedsvc.models import EPOCH, YEARS, Cancellation, Entry, Event, Recurrence

#: The names of weekdays in rules, indexed by `date.weekday()`.
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

#: The end of an unbounded series; no event takes place later.
MAX_DATETIME = datetime(YEARS.stop, 1, 1, tzinfo=UTC)

_ONE_DAY = timedelta(days=1)

#: The interval of each FREQ, and its days at most.
_INTERVALS: Mapping[str, tuple[timedelta | relativedelta, int]] = {
    "DAILY": (timedelta(days=1), 1),
    "WEEKLY": (timedelta(weeks=1), 7),
    "MONTHLY": (relativedelta(months=1), 31),
    "YEARLY": (relativedelta(years=1), 366),
}

#: The years after which the Gregorian calendar has the same weekdays again.
CYCLE = 400


def occurrences(
    event: Event, after: datetime = EPOCH, ends: datetime | None = None
) -> Iterator[Event]:
    """Yield the occurrences that end later than `after`, in order.

    An event that is not recurring is its only occurrence.

    :param ends: the end of the last one, if it is known: then the walk of a rule with a
        COUNT need not begin at its start.
    """
    candidates: Iterable[Event] = (event,)
    recurrence = event.recurrence
    if recurrence:
        # The UTC offset may differ between the two times, by a day at most.
        duration = event.ends - event.starts
        since = after.astimezone(event.timezone) - duration - _ONE_DAY
        if ends:
            recurrence = _uncounted(recurrence)
        # dateutil goes on until the year 9999, which other zones and ends exceed.
        starts = takewhile(
            lambda start: start.year <= MAX_DATETIME.year,
            _starts_since(event, recurrence, since),
        )
        candidates = (_occurrence_at(event, start) for start in starts)
    for occurrence in candidates:
        if occurrence.starts >= MAX_DATETIME:
            return
        # Only then, since time zone data may have changed since the end was stored.
        if recurrence is not event.recurrence and ends and occurrence.ends > ends:
            return
        if occurrence.ends > after:
            yield occurrence


def current_or_next(event: Event, now: datetime) -> Event:
    """Return the first occurrence that is not over at `now`, cancelled or not.

    If all are over, it is the last one that took place.
    """
    current = next(occurrences(event, now), None)
    return current or last_occurrence(without_cancelled(event))


def without_cancelled(event: Event) -> Event:
    """Return an event that has its cancelled occurrences as exdates."""
    recurrence = event.recurrence
    if recurrence is None or not recurrence.cancelled:
        return event
    exdates = recurrence.exdates + recurrence.cancelled_starts
    return replace(event, recurrence=replace(recurrence, exdates=exdates, cancelled=()))


def next_that_takes_place(
    event: Event, occurrence: Event, ends: datetime | None
) -> Event | None:
    """Return the first occurrence behind another one that is not cancelled.

    :param ends: the end of the last one, cancelled or not.
    """
    later = occurrences(without_cancelled(event), occurrence.starts, ends)
    return next((each for each in later if each.starts > occurrence.starts), None)


def cancelled_occurrences(event: Event) -> list[tuple[Cancellation, Event]]:
    """Return the cancellations of a series with their occurrences, in their order."""
    cancelled = event.recurrence.cancelled if event.recurrence else ()
    pairs = [
        (each, _occurrence_at(event, _as_datetime(each.start))) for each in cancelled
    ]
    return sorted(pairs, key=lambda pair: pair[1].starts)


def last_occurrence(event: Event) -> Event:
    """Return the last occurrence of a series; the event if it is not recurring."""
    return deque(occurrences(event), maxlen=1)[0]


def series_end(event: Event) -> datetime:
    """Return when the last occurrence ends; MAX_DATETIME for an unbounded series."""
    return MAX_DATETIME if is_unbounded(event) else last_occurrence(event).ends


def first_in_period(
    event: Event,
    start: datetime,
    end: datetime,
    ends: datetime | None = None,
) -> Event | None:
    """Return the first occurrence that overlaps a period; None if none does.

    An occurrence without a duration overlaps it if it starts there.

    :param end: the period is over then.
    :param ends: the end of the last occurrence.
    """
    # One without a duration at `start` ends at `start`, so look from shortly before.
    for occurrence in occurrences(event, start - timedelta.resolution, ends):
        if occurrence.ends > start or occurrence.starts == start:
            return occurrence if occurrence.starts < end else None
    return None


def is_unbounded(event: Event) -> bool:
    """Tell if the event recurs without an end."""
    if event.recurrence is None:
        return False
    return not event.recurrence.rule_parts.keys() & {"COUNT", "UNTIL"}


def first_by_rule(event: Event) -> date | None:
    """Return the first occurrence by an event's own rule; None if there is none.

    :raises ValueError: the rule cannot be parsed.
    """
    assert event.recurrence is not None
    start = _as_datetime(event.start)
    rule = rrulestr(event.recurrence.rrule, dtstart=start)
    assert isinstance(rule, rrule)
    # dateutil searches up to the year 9999 if a rule never matches, which takes half a
    # second. So it begins as late as the calendar is the same.
    years = (MAXYEAR - start.year) // CYCLE * CYCLE
    late_start = start.replace(year=start.year + years)
    late_rule = rule.replace(dtstart=late_start, until=None, count=None)
    first = next(iter(late_rule), None)
    if first is None:
        return None
    first = first.replace(year=first.year - years)
    # With UNTIL before the start, there is no occurrence.
    if first == start and next(iter(rule), None) is None:
        return None
    return first.date() if event.all_day else first


def starts_by_moment(
    event: Event, recurrence: Recurrence, moments: Sequence[date]
) -> Mapping[date, list[date]]:
    """Return the starts of the occurrences of some days, by start and by day.

    :param recurrence: that of the event, perhaps without exdates.
    :param moments: the days, or times on them.
    """
    found: Mapping[date, list[date]] = defaultdict(list)
    if not moments:
        return found
    # `toordinal` is the day of a date or a time.
    since = datetime.combine(min(moments, key=date.toordinal), time())
    last = max(map(date.toordinal, moments))
    starts = _starts_since(event, recurrence, since)
    for start in takewhile(lambda start: start.toordinal() <= last, starts):
        found[start.date()].append(start.date() if event.all_day else start)
        found[start].append(start)
    return found


def display_occurrence(entry: Entry) -> Event | None:
    """Return the occurrence that feeds and pages show; None for an article.

    Formats have no clock, so it is the occurrence that starts at `entry.starts`.
    """
    event = entry.event
    if event is None or event.recurrence is None or entry.starts is None:
        return event
    return _occurrence_at(event, entry.starts.astimezone(event.timezone))


def _uncounted(recurrence: Recurrence) -> Recurrence:
    """Return a series with the same occurrences up to its end, without its COUNT."""
    # With rdates the rule may end earlier than the series.
    if recurrence.rdates or "COUNT" not in recurrence.rrule:
        return recurrence
    parts = recurrence.rrule.split(";")
    rrule = ";".join(part for part in parts if not part.startswith("COUNT"))
    return replace(recurrence, rrule=rrule)


def _start_of_walk(
    rule: Mapping[str, str], start: datetime, since: datetime
) -> datetime:
    """Return a time shortly before `since` from which a rule has the same occurrences.

    It is a whole number of intervals after the start of the series.
    """
    # COUNT counts from the start on.
    if since <= start or "COUNT" in rule:
        return start
    interval, days = _INTERVALS[rule["FREQ"]]
    every = int(rule.get("INTERVAL", 1))
    # It is one interval earlier than it may be: dateutil would start in the middle of a
    # week, and BYSETPOS would count from there.
    steps = max(0, (since - start).days // (days * every) - 1)
    begin = start + steps * every * interval
    # In a month that is too short it is the last day, with which a rule would go on.
    while isinstance(interval, relativedelta) and begin.day != start.day:
        steps -= 1
        begin = start + steps * every * interval
    return begin


def _starts_since(
    event: Event, recurrence: Recurrence, since: datetime
) -> Iterator[datetime]:
    """Yield the starts of occurrences from `since` on, in the event's local time."""
    start = _as_datetime(event.start)
    since = since.replace(tzinfo=start.tzinfo)
    recurrence_set = rruleset()
    begin = _start_of_walk(recurrence.rule_parts, start, since)
    rule = rrulestr(recurrence.rrule, dtstart=begin)
    assert isinstance(rule, rrule)
    recurrence_set.rrule(rule)
    for rdate in map(_as_datetime, recurrence.rdates):
        if rdate >= since:
            recurrence_set.rdate(rdate)
    for exdate in map(_as_datetime, recurrence.exdates):
        if exdate >= since:
            recurrence_set.exdate(exdate)
    starts: Iterator[datetime] = recurrence_set.xafter(since, inc=True)
    return starts


def _occurrence_at(event: Event, start: datetime) -> Event:
    """Return the occurrence with this start and the first one's exact duration.

    The duration is exact by RFC 5545 §3.8.5.3, also across a change of the UTC offset.
    """
    # The former start is that of the series.
    event = replace(event, previous_start=None)
    if event.all_day:
        first_day = start.date()
        last_day = event.end and first_day + (event.end - event.start)
        return replace(event, start=first_day, end=last_day, recurrence=None)
    # The way over UTC turns a skipped local time into an existing one.
    instant = start.astimezone(UTC)
    end = None
    if event.end:
        end = (instant + (event.ends - event.starts)).astimezone(event.timezone)
    local = instant.astimezone(event.timezone)
    return replace(event, start=local, end=end, recurrence=None)


def _as_datetime(moment: date) -> datetime:
    """Return a datetime, as dateutil expects: for a date midnight without a zone."""
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time())
