"""Calls under way: how many at once, how many of one site or address, and which give way to others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

YOUNG = 0.5
"""The seconds after which a call no longer counts among those that are expected to end soon."""


class Call:
    """A call under way, with the keys that limits count it by: its site, and addresses."""

    def __init__(
        self, slots: Slots, keys: Iterable[str], timeout: asyncio.Timeout, *, slow: bool
    ) -> None:
        self.slow = slow
        self.begun = time.monotonic()
        self.keys = set(keys)
        self.address: str | None = None
        """What is being called, once that is known."""
        self.gave_way = False
        self._slots, self._timeout = slots, timeout

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return time.monotonic() - self.begun

    def admit(self, address: str) -> bool:
        """Whether it may go to an address that its host has resolved to; from then on it counts there."""
        self.address = address
        if address in self.keys:
            return True
        if self._slots.busy[address] >= self._slots.most_a_key:
            return False
        self.keys.add(address)
        self._slots.busy[address] += 1
        return True

    def give_way(self) -> None:
        """End it, as if its time were over."""
        self.gave_way = True
        self._timeout.reschedule(asyncio.get_running_loop().time())


class Slots:
    """A number of calls at once. Those that take long leave their place to others, up to a total."""

    def __init__(self, young: int, total: int, most_a_key: int) -> None:
        """:param young: the calls at most that are younger than `YOUNG`, without those known as slow.
        :param total: the calls at most; over it, the one that has taken longest gives way.
        :param most_a_key: the calls at most of one site or address.
        """
        self._young, self._total, self.most_a_key = young, total, most_a_key
        self.busy: Counter[str] = Counter()
        self._calls: list[Call] = []

    def room(self) -> int:
        """Return how many calls may begin that are not known as slow."""
        return self._young - sum(
            not call.slow and call.seconds < YOUNG for call in list(self._calls)
        )

    def slow(self) -> int:
        """Return how many calls are under way that are known as slow."""
        return sum(call.slow for call in list(self._calls))

    @asynccontextmanager
    async def hold(
        self, keys: Iterable[str], *, slow: bool = False
    ) -> AsyncIterator[Call]:
        """Count a call while the block runs.

        :raises TimeoutError: it had to give way.
        """
        async with asyncio.timeout(None) as timeout:
            call = Call(self, keys, timeout, slow=slow)
            self._calls.append(call)
            self.busy.update(call.keys)
            staying = [other for other in self._calls if not other.gave_way]
            if len(staying) > self._total:
                staying[0].give_way()
            try:
                yield call
            finally:
                self._calls.remove(call)
                self.busy -= Counter(call.keys)
