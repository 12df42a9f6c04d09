"""Which requests wait for each other, and how many of them a worker answers at once.

In `asgi.py` those that wait occupy no thread. Under another server a thread waits, but
not for long.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import parse_qs

from flask import request

from feedsvc.errors import FeedsvcError, TooManySearches, Unavailable
from feedsvc.feeds.query import WINDOW

#: Seconds that a thread waits for its turn under a server other than `asgi.py`.
THREAD_WAIT_SECONDS = 1


class Work(NamedTuple):
    """Requests that wait for each other, and for no others.

    :param name: the plural of their name, for messages.
    :param places: how many a worker answers at the same time.
    :param seconds: how long another one may wait for its turn.
    :param error: what tells its client that this was too long.
    """

    name: str
    places: int
    seconds: int = 5
    error: type[FeedsvcError] = Unavailable

    def refusal(self) -> FeedsvcError:
        """Return the error for a request that has waited too long."""
        return self.error(f"Too many {self.name} at the same time. Try again.")


READS = Work("reads", 8)
WRITES = Work("writes", 8, seconds=10)
BATCHES = Work("batches", 4)
SEARCHES = Work("searches", 2, error=TooManySearches)
CALENDARS = Work("calendars and lists of days", 2)
# A page of changes needs some 20 MiB.
EXPORTS = Work("exports", 1)

ALL_WORK = (READS, WRITES, BATCHES, SEARCHES, CALENDARS, EXPORTS)

#: Of the reads that may take long; under `asgi.py` they are always free.
_places = {
    work: threading.BoundedSemaphore(work.places)
    for work in (SEARCHES, CALENDARS, EXPORTS)
}

_EXPORT_PATHS = ("/api/v1/categories", "/api/v1/changes", "/feeds.opml")


def read_work(path: str, query_string: str) -> Work:
    """Return the work of a read, whose URL tells if it may take more than 50 ms."""
    parameters = parse_qs(query_string)
    if "q" in parameters:
        return SEARCHES
    if path in _EXPORT_PATHS:
        return EXPORTS
    is_feed = path.startswith("/feeds/")
    if is_feed and (path.endswith(".ics") or parameters.keys() & set(WINDOW)):
        return CALENDARS
    return READS


@contextmanager
def limit_work() -> Iterator[None]:
    """Run the block, which answers the current request, when its work has a place.

    :raises FeedsvcError: that takes too long.
    """
    work = read_work(request.path, request.query_string.decode("latin-1"))
    places = _places.get(work)
    if places and not places.acquire(timeout=THREAD_WAIT_SECONDS):
        raise work.refusal()
    try:
        yield
    finally:
        if places:
            places.release()
