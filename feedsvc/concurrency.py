"""Limit how many searches and pages of changes a worker makes at the same time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from feedsvc.errors import TooManySearches, Unavailable

#: Searches that run at the same time: few, so that threads are left for others.
MAX_SEARCHES = 2

#: Seconds that a further search waits for one of them.
SEARCH_WAIT_SECONDS = 1

#: Seconds that a page of changes waits for another one.
CHANGES_WAIT_SECONDS = 2


class Concurrency:
    """The places for searches and pages of changes."""

    def __init__(self) -> None:
        self._changes = threading.Lock()
        self._searches = threading.BoundedSemaphore(MAX_SEARCHES)

    @contextmanager
    def limit_searches(self, words: str) -> Iterator[None]:
        """Run the block when fewer than `MAX_SEARCHES` other searches run.

        :param words: those of the search; without any, the block runs at once.
        :raises TooManySearches: they take too long.
        """
        if not words:
            yield
            return
        if not self._searches.acquire(timeout=SEARCH_WAIT_SECONDS):
            raise TooManySearches("Too many searches at the same time. Try again.")
        try:
            yield
        finally:
            self._searches.release()

    @contextmanager
    def limit_changes(self) -> Iterator[None]:
        """Run the block when no other thread makes a page of changes.

        A page needs some 20 MiB, and threads take turns at the processor in any case.

        :raises Unavailable: that takes too long.
        """
        if not self._changes.acquire(timeout=CHANGES_WAIT_SECONDS):
            raise Unavailable("Too many followers at the same time. Try again.")
        try:
            yield
        finally:
            self._changes.release()
