"""Bound how many large answers a worker holds until their clients have read them."""

from __future__ import annotations

import threading
from collections.abc import Callable


class PageSlots:
    """A number of slots, each taken by an answer from before it is made until it was sent."""

    def __init__(self, slots: int = 2) -> None:
        self._free = threading.Semaphore(slots)

    def acquire(self) -> Callable[[], None] | None:
        """Take a slot if one is free; return the function that gives it back, which counts once."""
        if not self._free.acquire(blocking=False):
            return None
        taken = threading.Lock()

        def release() -> None:
            if taken.acquire(blocking=False):
                self._free.release()

        return release
