"""The scheduler's threads outlive every error."""

from __future__ import annotations

import logging
import threading

import pytest

from feedsvc.errors import FeedsvcError, Unavailable
from feedsvc.storage import scheduler


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
