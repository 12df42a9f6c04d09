"""Limits of concurrent calls, and of the subscriptions that lead to one address."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from feedsvc.storage import subscription_limits
from feedsvc.storage.deliveries import RunningCalls
from feedsvc.websub_types import Delivery

RECENT = 0.5
"""Seconds after which a call no longer takes the place of a new one.

Only its duration tells a hostile callback from an ordinary one. A call that takes long
goes on, but others start meanwhile.
"""


class Call:
    """A running call."""

    def __init__(
        self,
        limiter: ConcurrencyLimiter,
        keys: Iterable[str],
        timeout: asyncio.Timeout,
        *,
        is_slow: bool,
    ) -> None:
        self.keys = set(keys)
        """Domain and addresses that it counts by."""
        self.is_slow = is_slow
        """Known as slow before it began."""
        self.is_cancelled = False
        self.address: str | None = None
        """The network that is called, once it is known."""
        self._started = time.monotonic()
        self._limiter = limiter
        self._timeout = timeout

    @property
    def seconds(self) -> float:
        """Return the duration until now."""
        return time.monotonic() - self._started

    def admit(self, address: str) -> bool:
        """Let the call connect to an address, and count it there, within the limit."""
        self.address = address
        if address in self.keys:
            return True
        if not self._limiter.add(address):
            return False
        self.keys.add(address)
        return True

    def cancel(self) -> None:
        """End the call with a TimeoutError."""
        self.is_cancelled = True
        self._timeout.reschedule(asyncio.get_running_loop().time())


class ConcurrencyLimiter:
    """Count running calls by domain and address; end the longest of too many."""

    def __init__(self, max_recent: int, max_running: int, max_per_key: int) -> None:
        """Set the limits.

        :param max_recent: calls younger than `RECENT`, without those known as slow.
        :param max_running: all calls; above it the longest is ended.
        :param max_per_key: calls of one domain or address.
        """
        self._max_recent = max_recent
        self._max_running = max_running
        self._max_per_key = max_per_key
        self._counts: Counter[str] = Counter()
        self._calls: list[Call] = []  # oldest first

    # These three are called from another thread: list() and dict() copy atomically.

    def running(self) -> RunningCalls:
        """Return the number of running calls of each domain and address."""
        return RunningCalls(dict(self._counts), self._max_per_key)

    def available(self) -> int:
        """Return how many calls may start that are not known as slow."""
        recent = [
            call
            for call in list(self._calls)
            if not call.is_slow and call.seconds < RECENT
        ]
        return self._max_recent - len(recent)

    def count_slow(self) -> int:
        """Return the number of running calls that are known as slow."""
        return sum(call.is_slow for call in list(self._calls))

    def add(self, key: str) -> bool:
        """Count one more call of a key, unless it is at its limit."""
        if self._counts[key] >= self._max_per_key:
            return False
        self._counts[key] += 1
        return True

    @asynccontextmanager
    async def call(
        self, keys: Iterable[str], *, is_slow: bool = False
    ) -> AsyncIterator[Call]:
        """Count a call while the block runs.

        :raises TimeoutError: it was ended to make room for others.
        """
        async with asyncio.timeout(None) as timeout:
            call = Call(self, keys, timeout, is_slow=is_slow)
            self._calls.append(call)
            self._counts.update(call.keys)
            # The longest is likely to hang, and its delivery is retried.
            running = [other for other in self._calls if not other.is_cancelled]
            if len(running) > self._max_running:
                running[0].cancel()
            try:
                yield call
            finally:
                self._calls.remove(call)
                self._counts -= Counter(call.keys)


class AddressQuota:
    """Limit the subscriptions that are delivered to one address.

    A callback's name can be pointed at another address after it was verified. So the
    quota of an address applies at each delivery as well.
    """

    def __init__(self) -> None:
        self._counts: Mapping[str, int] = {}
        self._added: defaultdict[str, set[str]] = defaultdict(set)

    def reset(self, counts: Mapping[str, int]) -> None:
        """Start again from the number of stored subscriptions of each address."""
        # Each worker counts for itself in between, so several together may exceed it.
        # Both are replaced, not emptied: this is called in another thread than `admit`.
        self._counts = counts
        self._added = defaultdict(set)

    def admit(self, delivery: Delivery, address: str) -> bool:
        """Let a delivery go to an address that it used before, or that has room.

        New ones count at once, since hundreds may arrive before the next reset.
        """
        added = self._added[address]
        if delivery.address == address or delivery.id in added:
            return True
        count = self._counts.get(address, 0) + len(added)
        if count >= subscription_limits.MAX_PER_ADDRESS:
            return False
        added.add(delivery.id)
        return True
