"""When entries appear and leave; the scheduler's threads outlive every error."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feedsvc.errors import FeedsvcError, Unavailable
from feedsvc.models import Entry, Event, Recurrence
from feedsvc.storage import scheduler
from tests.fake_clock import HANOI

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def series(start: datetime) -> Event:
    """Return an event of an hour on three days."""
    rule = Recurrence("FREQ=DAILY;COUNT=3")
    return Event(start, start + HOUR, HANOI, recurrence=rule)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"status": "draft", "published": NOW}, (False, None)),
        ({"status": "deleted", "published": NOW}, (False, None)),
        ({"published": NOW + HOUR}, (False, NOW + HOUR)),
        ({"published": NOW}, (True, None)),
        ({"expires": NOW + HOUR}, (True, NOW + HOUR)),
        ({"expires": NOW}, (False, None)),
        (
            {"status": "withdrawn", "withdrawn": NOW - 30 * DAY + HOUR},
            (True, NOW + HOUR),
        ),
        ({"status": "withdrawn", "withdrawn": NOW - 30 * DAY}, (False, None)),
        (
            {"status": "withdrawn", "withdrawn": NOW, "expires": NOW + HOUR},
            (True, NOW + HOUR),
        ),
        ({"event": series(NOW)}, (True, NOW + HOUR)),
        ({"event": series(NOW - 2 * DAY)}, (True, None)),
    ],
)
def test_visibility_and_its_next_change(
    members: dict[str, Any], expected: tuple[bool, datetime | None]
) -> None:
    entry = Entry("a", "news", "Tin", "vi", **members)
    assert scheduler.visibility(entry, NOW) == expected


def test_periodic_action_is_repeated_after_errors(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "POLL_INTERVAL", 0)
    errors = iter([Unavailable("Down."), FeedsvcError("Bad."), ValueError()])
    is_repeated = threading.Event()

    def fail() -> None:
        for error in errors:
            raise error
        is_repeated.set()
        # The thread never ends by itself.
        threading.Event().wait()

    scheduler.run_periodically(fail)
    assert is_repeated.wait(60)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "Scheduler failed, retrying: Bad."),
        (logging.ERROR, "Scheduler failed, retrying"),
    ]
