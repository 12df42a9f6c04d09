"""Decide which URL a hub is told next, by values and a clock alone."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

#: Seconds from when a worker sees a change until it tells the hub.
#:
#: The hub may fetch the feed at once, and until then other workers and the cache of
#: deploy/nginx.conf may have the one from before the change.
DELAY = 4

#: Seconds after failures, doubled with each; later changes wait too, so not hours.
_MIN_DELAY = 5
_MAX_DELAY = 300


class _Change(NamedTuple):
    url: str
    revision: datetime
    seen_at: float


class Outbox:
    """The changes that a hub was not told yet, and the delays after its failures.

    :param monotonic: returns seconds, and is never set back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._changes: list[_Change] = []
        # By URL, since one that the hub refuses delays no other; None is for the hub.
        self._due_at: dict[str | None, float] = {}
        self._next_delays: dict[str | None, int] = {}

    def note(self, changes: Iterable[tuple[str, datetime]]) -> None:
        """Note the URLs that changed and the revisions of the changes, as seen now.

        All are noted, since an entry keeps only the revision of its last change.
        """
        now = self._monotonic()
        self._changes += [_Change(*change, now) for change in changes]

    def merge(
        self, told: datetime, waiting: list[str]
    ) -> tuple[datetime, list[str], str | None]:
        """Return both with the changes that are due, and the next URL to tell, if any.

        :param told: the revision up to which the changes need no outbox: the hub was
            told them, or their URLs wait.
        """
        self._changes = [change for change in self._changes if change.revision > told]
        latest = self._monotonic() - DELAY
        due = [change for change in self._changes if change.seen_at <= latest]
        told = max([told, *(change.revision for change in due)])
        urls = dict.fromkeys([*waiting, *(change.url for change in due)])
        return told, list(urls), next(filter(self.is_due, urls), None)

    def is_due(self, url: str | None = None) -> bool:
        """Tell if the delay after failures of the hub or a URL is over."""
        return self._due_at.get(url, 0) <= self._monotonic()

    def fail(self, url: str | None = None) -> int:
        """Note a failure of the hub, or of one URL, and return its delay in seconds."""
        delay = self._next_delays.get(url, _MIN_DELAY)
        self._next_delays[url] = min(2 * delay, _MAX_DELAY)
        self._due_at[url] = self._monotonic() + delay
        return delay

    def succeed(self, url: str) -> None:
        """Forget the failures of the hub and of a URL that it has accepted."""
        self._next_delays.pop(None, None)
        self._next_delays.pop(url, None)
