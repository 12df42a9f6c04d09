"""Moments: what appears or leaves by itself is settled through the ledger, once, when its time has come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from feedsvc.errors import FeedsvcError
from feedsvc.models import Entry
from feedsvc.recurrence import current_or_next, series_end

WITHDRAWAL_PERIOD = timedelta(days=30)
"""How long the notice of a withdrawn entry stays in the feeds."""

_PAUSE = 0.4
_log = logging.getLogger(__name__)


def next_start(entry: Entry, now: datetime) -> datetime | None:
    """When that occurrence of an event starts that is current or next at `now`."""
    return current_or_next(entry.event, now).starts if entry.event else None


def visibility(entry: Entry, now: datetime) -> tuple[bool, datetime | None]:
    """Whether an entry stands in the feeds at `now`, and when that, or its occurrence, changes by itself."""
    if entry.status in ("draft", "deleted"):
        return False, None
    if entry.published is not None and entry.published > now:
        return False, entry.published
    ends = [
        moment
        for moment in (
            entry.expires,
            entry.withdrawn and entry.withdrawn + WITHDRAWAL_PERIOD,
        )
        if moment
    ]
    if ends and min(ends) <= now:
        return False, None
    if entry.event and entry.event.recurrence:
        turn = current_or_next(entry.event, now).ends
        ends += [turn] if now < turn < series_end(entry.event) else []
    return True, min(ends, default=None)


def run_periodically(*actions: Callable[[], object]) -> None:
    """Do each every 0.4 s for as long as the process lives, in a thread of its own: none waits."""

    def run(action: Callable[[], object]) -> None:
        pause = threading.Event()
        while not pause.wait(_PAUSE):
            try:
                action()
            except FeedsvcError as error:
                _log.warning("moments wait: %s", error)
            except Exception:
                _log.exception("moments could not be settled")

    for action in actions:
        threading.Thread(
            target=run, args=(action,), name="scheduler", daemon=True
        ).start()
