"""Renders changed feeds in threads of their own, so that no feed holds up the delivery of another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

SLOW = 0.5
"""The seconds from which on a feed is rendered in the thread of slow feeds."""


class Renderer:
    """A thread for feeds that are rendered fast, and one for those that took long the last time."""

    def __init__(self) -> None:
        self._fast, self._slow = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._waiting: dict[str, bool] = {}

    @property
    def waiting(self) -> Collection[str]:
        """The feeds that are being rendered, or will be."""
        return list(self._waiting)

    def room(self, most: int) -> tuple[int, int]:
        """Return how many fast feeds may be added so that `most` wait, and how many slow ones."""
        slow = sum(list(self._waiting.values()))
        return most - (len(self._waiting) - slow), int(not slow)

    def start(self, path: str, seconds: float, work: Callable[[], object]) -> None:
        """Have a feed rendered, unless it is being rendered already.

        :param seconds: how long rendering took the last time.
        :param work: renders it, and does what follows; in the thread.
        """
        if path in self._waiting:
            return
        is_slow = seconds >= SLOW
        self._waiting[path] = is_slow

        def run() -> None:
            try:
                work()
            finally:
                self._waiting.pop(path, None)

        (self._slow if is_slow else self._fast).submit(run)

    def close(self) -> None:
        """Begin nothing any more."""
        for thread in (self._fast, self._slow):
            thread.shutdown(wait=False, cancel_futures=True)
