"""Occurrences of a recurring event: the recurrence set of RFC 5545 §3.8.5, by dateutil.

Rules run in the local time of the event's time zone. An occurrence at a local time that
a change to daylight saving time skips takes place as long after the change as it was to
be after the start of the skipped period (RFC 5545 §3.3.5), as in calendar programs.

dateutil walks a rule from its start. For a daily rule of 1970 that is through 20,000
days, so the walk begins near the requested time, unless the rule has a COUNT and not
as many occurrences in each of its intervals.
"""

from calendar import isleap
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from itertools import takewhile

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrule, rruleset, rrulestr

from feedsvc.models import EPOCH, Cancellation, Entry, Event, Recurrence

#: The names of weekdays in rules, indexed by `date.weekday()`.
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

#: The end of an unbounded series; no event takes place later.
MAX_DATETIME = datetime(2201, 1, 1, tzinfo=UTC)

_ONE_DAY = timedelta(days=1)

#: The step of each FREQ.
_PERIODS: Mapping[str, timedelta | relativedelta] = {
    "DAILY": timedelta(days=1),
    "WEEKLY": timedelta(weeks=1),
    "MONTHLY": relativedelta(months=1),
    "YEARLY": relativedelta(years=1),
}


def occurrences(event: Event, after: datetime = EPOCH) -> Iterator[Event]:
    """Yield the occurrences that end later than `after`, in order.

    An event that is not recurring is its only occurrence.
    """
    candidates: Iterable[Event] = (event,)
    if event.recurrence:
        # The UTC offset may differ between the two times, by a day at most.
        duration = event.ends - event.starts
        since = after.astimezone(event.timezone) - duration - _ONE_DAY
        # dateutil goes on until the year 9999, which other zones and ends exceed.
        starts = takewhile(
            lambda start: start.year <= MAX_DATETIME.year,
            _starts_since(event, event.recurrence, since),
        )
        candidates = (_occurrence_at(event, start) for start in starts)
    for occurrence in candidates:
        if occurrence.starts >= MAX_DATETIME:
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
    return replace(
        event, recurrence=replace(recurrence, exdates=exdates, cancelled=())
    )


def next_that_takes_place(event: Event, occurrence: Event) -> Event | None:
    """Return the first occurrence behind another one that is not cancelled."""
    later = occurrences(without_cancelled(event), occurrence.starts)
    return next(
        (each for each in later if each.starts > occurrence.starts), None
    )


def cancelled_occurrences(event: Event) -> list[tuple[Cancellation, Event]]:
    """Return the cancellations of a series with their occurrences, in their order."""
    cancelled = event.recurrence.cancelled if event.recurrence else ()
    pairs = [
        (each, _occurrence_at(event, _as_datetime(each.start)))
        for each in cancelled
    ]
    return sorted(pairs, key=lambda pair: pair[1].starts)


def last_occurrence(event: Event) -> Event:
    """Return the last occurrence of a series; the event if it is not recurring."""
    # A walk of the whole series is only needed if the exdates leave out its end.
    for after in (_late_start(event), event.starts - _ONE_DAY):
        last = deque(occurrences(event, after), maxlen=1)
        if last:
            break
    return last[0]


def series_end(event: Event) -> datetime:
    """Return when the last occurrence ends; MAX_DATETIME for an unbounded series."""
    return MAX_DATETIME if is_unbounded(event) else last_occurrence(event).ends


def first_in_period(
    event: Event, start: datetime, end: datetime
) -> Event | None:
    """Return the first occurrence that overlaps a period; None if none does.

    An occurrence without a duration overlaps it if it starts there.

    :param end: the period is over then.
    """
    # One without a duration at `start` ends at `start`, so look from shortly before.
    for occurrence in occurrences(event, start - timedelta.resolution):
        if occurrence.ends > start or occurrence.starts == start:
            return occurrence if occurrence.starts < end else None
    return None


def is_unbounded(event: Event) -> bool:
    """Tell if the event recurs without an end."""
    if event.recurrence is None:
        return False
    return not event.recurrence.rule_parts.keys() & {"COUNT", "UNTIL"}


def start_matches_rule(event: Event) -> bool:
    """Tell if the start of a recurring event is the first occurrence by its own rule.

    :raises ValueError: the rule cannot be parsed.
    """
    assert event.recurrence is not None
    start = _as_datetime(event.start)
    rule = rrulestr(event.recurrence.rrule, dtstart=start)
    assert isinstance(rule, rrule)
    # dateutil searches up to the year 9999 if a rule never matches, which takes half a
    # second. So it begins there, on the same day of a year with the same weekdays.
    late_start = start.replace(year=_last_year_alike(start.year))
    late_rule = rule.replace(dtstart=late_start, until=None, count=None)
    try:
        is_match = next(iter(late_rule), None) == late_start
    except ValueError:
        # There was no match up to the last week, which ends in the year 10000.
        is_match = False
    # With UNTIL before the start, there is no occurrence.
    return is_match and next(iter(rule), None) == start and not start.fold


def _last_year_alike(year: int) -> int:
    """Return the last year, up to 9999, with the same weekdays of all dates."""

    def weekdays(year: int) -> tuple[int, bool]:
        return date(year, 1, 1).weekday(), isleap(year)

    return next(
        late_year
        for late_year in range(MAXYEAR, year, -1)
        if weekdays(late_year) == weekdays(year)
    )


def unmatched(
    event: Event, recurrence: Recurrence, moments: Sequence[date]
) -> list[int]:
    """Return the indexes of the dates or times at which no occurrence starts.

    :param recurrence: that of the event, perhaps without exdates.
    """
    if not moments:
        return []
    wanted = [_as_datetime(moment) for moment in moments]
    last = max(wanted)
    starts = set(
        takewhile(
            lambda start: start <= last,
            _starts_since(event, recurrence, min(wanted)),
        )
    )
    return [
        index for index, moment in enumerate(wanted) if moment not in starts
    ]


def display_occurrence(entry: Entry) -> Event | None:
    """Return the occurrence that feeds and pages show; None for an article.

    Formats have no clock, so it is the occurrence that starts at `entry.starts`.
    """
    event = entry.event
    if event is None or event.recurrence is None or entry.starts is None:
        return event
    return _occurrence_at(event, entry.starts.astimezone(event.timezone))


def _late_start(event: Event) -> datetime:
    """Return a time shortly before the last occurrence by the rule of a series.

    It may be any time before, down to the start, if the rule tells no better one.
    """
    if event.recurrence is None:
        return event.starts - _ONE_DAY
    rule = event.recurrence.rule_parts
    days = _longest_days(rule)
    steps = 0
    if "UNTIL" in rule:
        until = datetime.strptime(rule["UNTIL"][:8], "%Y%m%d").replace(
            tzinfo=UTC
        )
        steps = (until - event.starts).days // days
    elif "COUNT" in rule and _per_interval(rule):
        # The shortest month and year are shorter than the longest by a tenth at most.
        steps = int(rule["COUNT"]) // _per_interval(rule) * 9 // 10
    # No occurrence is later than MAX_DATETIME.
    steps = min(steps - 2, (MAX_DATETIME - event.starts).days // days)
    return event.starts + max(0, steps) * days * _ONE_DAY


def _longest_days(rule: Mapping[str, str]) -> int:
    """Return the days of the longest interval of a rule."""
    days = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}[
        rule["FREQ"]
    ]
    return days * int(rule.get("INTERVAL", 1))


def _per_interval(rule: Mapping[str, str]) -> int:
    """Return the number of occurrences in each interval of a rule; 0 if it varies."""
    parts = rule.keys() - {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
    if not parts:
        return 1
    if rule["FREQ"] == "WEEKLY" and parts == {"BYDAY"}:
        return len(set(rule["BYDAY"].split(",")))
    return 0


def _start_of_walk(
    rule: Mapping[str, str], start: datetime, since: datetime
) -> tuple[datetime, int]:
    """Return a time shortly before `since` from which a rule has the same occurrences.

    It is a whole number of intervals after the start of the series. The second value is
    the number of occurrences between the two, by which COUNT is less from there on.
    """
    frequency = rule["FREQ"]
    # Not every month has a later day.
    has_every_day = start.day <= 28 or frequency in ("DAILY", "WEEKLY")
    per_interval = _per_interval(rule) if has_every_day else 0
    is_countable = "COUNT" not in rule or per_interval > 0
    if since <= start or not is_countable:
        return start, 0
    # It is one interval earlier than it may be: dateutil would start in the middle of a
    # week, and BYSETPOS would count from there.
    steps = max(0, (since - start).days // _longest_days(rule) - 1)
    if "COUNT" in rule:
        steps = min(steps, (int(rule["COUNT"]) - 1) // per_interval)
    period = int(rule.get("INTERVAL", 1)) * _PERIODS[frequency]
    # In a month that is too short it is the last day, with which a rule would go on.
    while (start + steps * period).day != start.day:
        steps -= 1
    return start + steps * period, steps * per_interval


def _starts_since(
    event: Event, recurrence: Recurrence, since: datetime
) -> Iterator[datetime]:
    """Yield the starts of occurrences from `since` on, in the event's local time."""
    start = _as_datetime(event.start)
    since = since.replace(tzinfo=start.tzinfo)
    recurrence_set = rruleset()
    begin, passed = _start_of_walk(recurrence.rule_parts, start, since)
    rule = rrulestr(recurrence.rrule, dtstart=begin)
    assert isinstance(rule, rrule)
    if "COUNT" in recurrence.rule_parts:
        rule = rule.replace(count=int(recurrence.rule_parts["COUNT"]) - passed)
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
    if event.all_day:
        first_day = start.date()
        last_day = event.end and first_day + (event.end - event.start)
        return replace(event, start=first_day, end=last_day, recurrence=None)
    # The way over UTC turns a skipped local time into an existing one.
    instant = start.astimezone(UTC)
    end = None
    if event.end:
        end = (instant + (event.ends - event.starts)).astimezone(
            event.timezone
        )
    local = instant.astimezone(event.timezone)
    return replace(event, start=local, end=end, recurrence=None)


def _as_datetime(moment: date) -> datetime:
    """Return a datetime, as dateutil expects: for a date midnight without a zone."""
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time())
