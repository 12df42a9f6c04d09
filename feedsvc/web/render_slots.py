"""Bound how many large documents a worker makes at once, and how many threads wait for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from feedsvc.errors import Busy

LARGE = 512 * 1024
"""Estimated bytes from which a document takes a slot."""

_SLOTS, _WAITING, _PATIENCE = 2, 8, 5.0


class RenderSlots:
    """Slots that are each held by one thread; few threads wait for one, and not long."""

    def __init__(
        self, slots: int = _SLOTS, waiting: int = _WAITING, patience: float = _PATIENCE
    ) -> None:
        """:param patience: seconds that a thread waits at most."""
        self._slots, self._queue = (
            threading.Semaphore(slots),
            threading.Semaphore(waiting),
        )
        self._patience = patience

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot.

        :raises Busy: there was none in time, or too many threads wait for one.
        """
        if not self._slots.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._slots.release()

    def _wait(self) -> None:
        if not self._queue.acquire(blocking=False):
            raise Busy
        try:
            if not self._slots.acquire(timeout=self._patience):
                raise Busy
        finally:
            self._queue.release()
