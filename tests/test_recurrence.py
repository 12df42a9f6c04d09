"""Recurrence: the same occurrences as a walk from the start, without the walk."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rruleset, rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from feedsvc.api.recurrence_validation import validate
from feedsvc.models import Event, Recurrence
from feedsvc.recurrence import (
    current_or_next,
    last_occurrence,
    occurrences,
    start_matches_rule,
    unmatched_exdates,
)

HANOI, PARIS, NEW_YORK = (
    ZoneInfo("Asia/Ho_Chi_Minh"),
    ZoneInfo("Europe/Paris"),
    ZoneInfo("America/New_York"),
)

DENSE = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,SU;WKST=SU",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
        "FREQ=DAILY;BYMONTH=5,6;BYDAY=TU,SA",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,FR;BYSETPOS=-1",
        "FREQ=WEEKLY;COUNT=70",
        "FREQ=DAILY;UNTIL=20201025T013000Z",
    ]
)


@settings(deadline=None, max_examples=150)
@given(
    DENSE,
    st.sampled_from([HANOI, PARIS, NEW_YORK]),
    st.integers(0, 700),
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
    start = next(iter(rrulestr(text, dtstart=begin)), None)
    assume(start is not None)
    assert start is not None
    start = start.astimezone(UTC).astimezone(zone)
    event = Event(start, start + timedelta(hours=2), zone, recurrence=Recurrence(text))
    assume(start_matches_rule(event))
    starts = list(islice(rrulestr(text, dtstart=start), 80))
    exdates = tuple(
        data.draw(st.lists(st.sampled_from(starts[1:] or starts), max_size=5))
    )
    extra = st.integers(0, 3000).map(lambda days: start + timedelta(days=days, hours=4))
    rdates = tuple(data.draw(st.lists(extra, max_size=3)))
    event = Event(
        start,
        start + timedelta(hours=2),
        zone,
        recurrence=Recurrence(text, exdates, rdates),
    )
    since = start.astimezone(UTC) + timedelta(days=offset)
    end = since + timedelta(days=length)
    before_end = takewhile(lambda event: event.starts < end, occurrences(event, since))
    assert [event.starts for event in before_end] == walk(event, since, end)


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=DAILY;COUNT=10", date(2020, 3, 16)),
        ("FREQ=WEEKLY;UNTIL=20200601", date(2020, 5, 30)),
    ],
)
def test_last_occurrence(text: str, expected: date) -> None:
    event = Event(date(2020, 3, 7), None, HANOI, recurrence=Recurrence(text))
    assert last_occurrence(event).start == expected
    later = datetime(2026, 1, 1, tzinfo=UTC)
    assert current_or_next(event, later).start == expected


def test_equal_starts_in_two_zones_have_different_last_occurrences() -> None:
    text = "FREQ=DAILY;COUNT=300"
    events = [
        Event(
            datetime(2026, 1, 5, hour, tzinfo=zone),
            None,
            zone,
            recurrence=Recurrence(text),
        )
        for hour, zone in ((19, HANOI), (13, PARIS))
    ]
    assert events[0].start == events[1].start
    hours = [
        last_occurrence(event).starts.astimezone(event.timezone).hour
        for event in events
    ]
    assert hours == [19, 13]


def test_unmatched_exdates_are_found() -> None:
    exdates = tuple(
        date(2020, 1, 1) + timedelta(days=66 * number) for number in range(1000)
    )
    event = Event(
        date(2020, 1, 1),
        None,
        HANOI,
        recurrence=Recurrence("FREQ=DAILY;INTERVAL=2", exdates),
    )
    assert unmatched_exdates(event) == []
    odd = tuple(day + timedelta(days=1) for day in exdates[:3])
    mixed = Recurrence(
        "FREQ=DAILY;INTERVAL=2", (exdates[5], odd[2], exdates[1], odd[0])
    )
    assert unmatched_exdates(
        Event(date(2020, 1, 1), None, HANOI, recurrence=mixed)
    ) == [1, 3]


def test_rule_that_never_matches_is_invalid() -> None:
    event = Event(
        date(2026, 2, 2),
        None,
        HANOI,
        recurrence=Recurrence("FREQ=DAILY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=30"),
    )
    assert validate(event)
