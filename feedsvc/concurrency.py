"""Limit how many searches and pages of changes a worker makes at the same time."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from feedsvc.errors import FeedsvcError, TooManySearches, Unavailable

#: Searches that run at the same time: few, so that threads are left for others.
MAX_SEARCHES = 2

#: Seconds that a further search waits for one of them.
SEARCH_WAIT_SECONDS = 1

#: Seconds that a page of changes waits for another one.
CHANGES_WAIT_SECONDS = 2


class Concurrency:
    """The places for searches and pages of changes."""

    def __init__(self) -> None:
        self._changes = threading.BoundedSemaphore(1)
        self._searches = threading.BoundedSemaphore(MAX_SEARCHES)

    def limit_searches(self, words: str) -> AbstractContextManager[None]:
        """Run the block when fewer than `MAX_SEARCHES` other searches run.

        :param words: those of the search; without any, the block runs at once.
        :raises TooManySearches: they take too long.
        """
        if not words:
            return nullcontext()
        error = TooManySearches("Too many searches at the same time. Try again.")
        return _hold(self._searches, SEARCH_WAIT_SECONDS, error)

    def limit_changes(self) -> AbstractContextManager[None]:
        """Run the block when no other thread makes a page of changes.

        A page needs some 20 MiB, and threads take turns at the processor in any case.

        :raises Unavailable: that takes too long.
        """
        error = Unavailable("Too many followers at the same time. Try again.")
        return _hold(self._changes, CHANGES_WAIT_SECONDS, error)


@contextmanager
def _hold(
    places: threading.Semaphore, seconds: float, error: FeedsvcError
) -> Iterator[None]:
    """Run the block with a place, or raise the error if none is free in time."""
    if not places.acquire(timeout=seconds):
        raise error
    try:
        yield
    finally:
        places.release()
