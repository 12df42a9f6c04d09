"""The scheduler: when entries appear, expire or go on to their next occurrence.

The end of an event is none of these: it leaves the feeds of upcoming events by their
period, in feed_conditions.py.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from feedsvc.errors import FeedsvcError, Unavailable
from feedsvc.models import Entry
from feedsvc.recurrence import current_or_next, series_end

WITHDRAWAL_PERIOD = timedelta(days=30)
"""Time for which a withdrawn entry stays in the feeds, with its notice."""

POLL_INTERVAL = 0.4
"""Seconds between two looks for scheduled changes, and for changes of other workers.

Together with the render of a feed it is below the second within which readers see every
change.
"""

_log = logging.getLogger(__name__)


def next_start(entry: Entry, now: datetime) -> datetime | None:
    """Return the start of the event's occurrence that is current or next at a time."""
    return current_or_next(entry.event, now).starts if entry.event else None


def visibility(entry: Entry, now: datetime) -> tuple[bool, datetime | None]:
    """Return whether an entry is in the feeds at a time, and its next scheduled change.

    A recurring event changes when its current occurrence ends, except for the last.
    """
    if entry.status in ("draft", "deleted"):
        return False, None
    if entry.published is not None and entry.published > now:
        return False, entry.published
    scheduled: list[datetime] = []
    if entry.expires:
        scheduled.append(entry.expires)
    if entry.withdrawn:
        scheduled.append(entry.withdrawn + WITHDRAWAL_PERIOD)
    if scheduled and min(scheduled) <= now:
        return False, None
    if entry.event and entry.event.recurrence:
        occurrence_end = current_or_next(entry.event, now).ends
        if now < occurrence_end < series_end(entry.event):
            scheduled.append(occurrence_end)
    return True, min(scheduled, default=None)


def run_periodically(*actions: Callable[[], object]) -> None:
    """Run actions every 0.4 s until the process ends, each in a thread of its own.

    A thread for each, so that none waits while another waits for the database.
    """
    for action in actions:
        # A daemon, since nothing is lost at the end: what is due is due again.
        thread = threading.Thread(
            target=_repeat, args=(action,), name="scheduler", daemon=True
        )
        thread.start()


def _repeat(action: Callable[[], object]) -> None:
    while True:
        time.sleep(POLL_INTERVAL)
        try:
            action()
        except Unavailable:
            pass  # the database's OutageLog has logged it
        except FeedsvcError as error:
            _log.warning("Scheduler failed, retrying: %s", error)
        except Exception:
            # The thread must outlive every error: without it, nothing is published.
            _log.exception("Scheduler failed, retrying")
