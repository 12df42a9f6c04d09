"""Bound how many large documents a worker holds in memory at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from feedsvc.errors import Busy


class ResponseSlots:
    """Slots for large responses, each held by one thread.

    Few threads wait for a slot, and not long: a server thread that waits is one that
    cannot answer small requests.

    :param slots: large responses at once.
    :param max_waiting: threads that may wait for a slot.
    :param timeout: seconds that a thread waits.
    """

    def __init__(
        self, slots: int = 2, max_waiting: int = 8, timeout: float = 5.0
    ) -> None:
        self._free = threading.Semaphore(slots)
        self._queue = threading.Semaphore(max_waiting)
        self._timeout = timeout

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a slot, waiting for one if need be.

        :raises Busy: none became free in time, or too many threads wait already.
        """
        if not self._free.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._free.release()

    def try_acquire(self) -> Callable[[], None] | None:
        """Take a slot if one is free, and return the function that releases it.

        The caller may call that function more than once, from any thread: a response
        that is closed twice must not release two slots.
        """
        if not self._free.acquire(blocking=False):
            return None
        released = threading.Lock()

        def release() -> None:
            if released.acquire(blocking=False):
                self._free.release()

        return release

    def _wait(self) -> None:
        # The queue is short: whoever would wait for longer gets 503 at once.
        if not self._queue.acquire(blocking=False):
            raise Busy
        try:
            if not self._free.acquire(timeout=self._timeout):
                raise Busy
        finally:
            self._queue.release()
