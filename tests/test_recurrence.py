"""Recurrence: the same occurrences as a walk from the start, without the walk."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rruleset, rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from feedsvc.input.recurrence_validation import validate_rrule
from feedsvc.models import Event, Recurrence
from feedsvc.recurrence import (
    WEEKDAYS,
    current_or_next,
    first_by_rule,
    last_occurrence,
    occurrences,
    series_end,
)
from tests.data import read_tables

HANOI, PARIS, NEW_YORK = map(
    ZoneInfo, ("Asia/Ho_Chi_Minh", "Europe/Paris", "America/New_York")
)

NUMBERED = st.tuples(
    st.sampled_from(["", "", "1", "-1", "2", "5", "-2"]),
    st.sampled_from(WEEKDAYS),
).map("".join)


def list_of(item: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(item.map(str), min_size=1, max_size=most, unique=True).map(",".join)


PARTS = {
    "INTERVAL": st.integers(1, 14).map(str),
    "BYDAY": list_of(NUMBERED, 7),
    "BYMONTHDAY": list_of(st.integers(1, 31) | st.integers(-31, -1)),
    "BYMONTH": list_of(st.integers(1, 12)),
    "BYSETPOS": list_of(st.integers(1, 6) | st.integers(-6, -1)),
    "WKST": st.sampled_from(WEEKDAYS),
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Draw a rule that the API takes."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    names = draw(st.lists(st.sampled_from(sorted(PARTS)), max_size=4, unique=True))
    text = ";".join(
        [
            f"FREQ={frequency}",
            *(f"{name}={draw(PARTS[name])}" for name in names),
        ]
    )
    try:
        return validate_rrule(text)
    except ValueError:
        assume(False)
        raise


RULES = read_tables("rules")
DENSE = st.sampled_from(RULES["dense"])
# Without an end, the walk of a rule that never matches would take seconds.
BOUNDED = rules().map(lambda rule: f"{rule};UNTIL=20300101T000000Z")


@settings(max_examples=200)
@given(
    DENSE | BOUNDED,
    st.sampled_from([HANOI, PARIS, NEW_YORK]),
    # Not every month has the last days.
    st.integers(0, 700) | st.sampled_from([28, 29, 30]),
    st.sampled_from([(2, 30), (19, 0), (1, 30)]),
    st.integers(-100, 3000),
    st.integers(0, 400),
    st.data(),
)
def test_occurrences_equal_the_walk_from_the_start(
    text: str,
    zone: ZoneInfo,
    day: int,
    clock: tuple[int, int],
    offset: int,
    length: int,
    data: st.DataObject,
) -> None:
    begin = datetime(2018, 1, 1, *clock, tzinfo=zone) + timedelta(days=day)
    start = next(iter(rrulestr(text, dtstart=begin)), begin)
    start = start.astimezone(UTC).astimezone(zone)
    starts = list(islice(rrulestr(text, dtstart=start), 80))
    exdates = st.lists(st.sampled_from(starts[1:] or [begin]), max_size=5)
    rdates = st.lists(
        st.integers(0, 3000).map(lambda days: start + timedelta(days=days, hours=4)),
        max_size=3,
    )
    recurrence = Recurrence(text, tuple(data.draw(exdates)), tuple(data.draw(rdates)))
    event = Event(start, start + timedelta(hours=2), zone, recurrence=recurrence)
    assume(first_by_rule(event) == start and not start.fold)
    since = start.astimezone(UTC) + timedelta(days=offset)
    end = since + timedelta(days=length)
    expected = walk(event, since, end)
    # Who knows the end of a series begins near the requested time.
    for ends in (None, series_end(event)):
        before_end = takewhile(
            lambda event: event.starts < end, occurrences(event, since, ends)
        )
        assert [event.starts for event in before_end] == expected


def walk(event: Event, since: datetime, end: datetime) -> list[datetime]:
    """Return the starts of the occurrences, found from the first one on."""
    assert event.recurrence
    whole: Any = rruleset()
    whole.rrule(rrulestr(event.recurrence.rrule, dtstart=event.start))
    for moment in event.recurrence.rdates:
        whole.rdate(moment)
    for moment in event.recurrence.exdates:
        whole.exdate(moment)
    length = event.ends - event.starts
    instants = (moment.astimezone(UTC) for moment in whole)
    before = takewhile(lambda moment: moment < end, instants)
    return [moment for moment in before if moment + length > since]


@pytest.mark.parametrize("day", [29, 30, 31])
@pytest.mark.parametrize("rule", ["MONTHLY", "MONTHLY;INTERVAL=5", "YEARLY"])
def test_days_that_some_months_lack_stay(day: int, rule: str) -> None:
    # The 29th is that of a leap year.
    start = datetime(2024, 2 if day == 29 else 3, day, 19, tzinfo=HANOI)
    event = Event(start, None, HANOI, recurrence=Recurrence(f"FREQ={rule}"))
    for month in range(120):
        since = datetime(2025 + month // 12, month % 12 + 1, 15, tzinfo=UTC)
        following = next(occurrences(event, since)).starts
        end = following + timedelta(microseconds=1)
        assert walk(event, since, end) == [following]


@pytest.mark.parametrize(("start", "rrule", "expected"), RULES["last"])
def test_last_occurrence_is_the_current_one_afterwards(
    start: date, rrule: str, expected: date
) -> None:
    event = Event(start, None, HANOI, recurrence=Recurrence(rrule))
    assert last_occurrence(event).start == expected
    later = datetime.combine(expected, time(), UTC) + timedelta(weeks=3)
    assert current_or_next(event, later).start == expected


def test_equal_starts_in_two_zones_have_different_last_occurrences() -> None:
    recurrence = Recurrence("FREQ=DAILY;COUNT=300")
    hours = []
    for hour, zone in ((19, HANOI), (13, PARIS)):
        start = datetime(2026, 1, 5, hour, tzinfo=zone)
        event = Event(start, None, zone, recurrence=recurrence)
        hours.append(last_occurrence(event).starts.astimezone(zone).hour)
    assert hours == [19, 13]
