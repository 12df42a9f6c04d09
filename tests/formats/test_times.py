"""Times in words."""

from __future__ import annotations

import pytest

from feedsvc.formats import times
from feedsvc.input.schemas import EventSchema
from tests.data import read_tables
from tests.formats.feeds import SITE


@pytest.mark.parametrize(
    ("start", "end", "timezone", "vi", "en"), read_tables("words")["times"]
)
def test_event_dates(
    start: str, end: str, timezone: str, vi: str, en: str
) -> None:
    document = {"title": "x", "start": start, "end": end, "timezone": timezone}
    event = EventSchema(SITE).load(document).event
    assert times.format_event_dates(event, SITE, "vi") == vi
    assert times.format_event_dates(event, SITE, "en-GB") == en
