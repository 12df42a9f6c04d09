"""Times in words."""

from __future__ import annotations

import pytest

from feedsvc.formats import times
from feedsvc.input.schemas import EventSchema
from tests.formats.feeds import SITE


@pytest.mark.parametrize(
    ("start", "end", "timezone", "vi", "en"),
    [
        ("2026-12-24T19:00:00", None, None, "19:00, thứ Năm 24/12/2026", "19:00, Thursday, 24 December 2026"),
        ("2026-12-24T19:00:00", None, "UTC", "19:00, thứ Năm 24/12/2026 (UTC)", "19:00, Thursday, 24 December 2026 (UTC)"),
        ("2026-12-24T19:00:00", "2026-12-24T19:00:00", None, "19:00, thứ Năm 24/12/2026", "19:00, Thursday, 24 December 2026"),
        ("2026-12-24T09:05:00", "2026-12-24T21:00:00", None, "09:05 – 21:00, thứ Năm 24/12/2026", "09:05 – 21:00, Thursday, 24 December 2026"),
        ("2026-12-26T22:00:00", "2026-12-27T01:00:00", None, "22:00, thứ Bảy 26/12/2026 – 01:00, Chủ Nhật 27/12/2026", "22:00, Saturday, 26 December 2026 – 01:00, Sunday, 27 December 2026"),
        ("2026-12-24", None, None, "cả ngày thứ Năm 24/12/2026", "all day, Thursday, 24 December 2026"),
        ("2026-12-24", "2026-12-25", None, "cả ngày thứ Năm 24/12/2026", "all day, Thursday, 24 December 2026"),
        ("2026-12-24", "2026-12-28", None, "từ thứ Năm 24/12/2026 đến Chủ Nhật 27/12/2026", "from Thursday, 24 December 2026 to Sunday, 27 December 2026"),
    ],
)  # fmt: skip
def test_event_dates(
    start: str, end: str | None, timezone: str | None, vi: str, en: str
) -> None:
    document = {"title": "x", "start": start, "end": end, "timezone": timezone}
    event = EventSchema(SITE).load(document).event
    assert times.format_event_dates(event, SITE, "vi") == vi
    assert times.format_event_dates(event, SITE, "en-GB") == en
