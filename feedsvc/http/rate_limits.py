"""Limit how often a client may do something, such as write."""

from __future__ import annotations

import math
import time
from functools import cached_property

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from feedsvc.errors import RateLimited


class RateLimiter:
    """Limit how often a key may do something.

    :param notation: as in the library `limits`, such as `600/minute`.
    :param workers: the processes that share the limit. Each counts by itself, without
        a common store, and enforces its part.
    """

    def __init__(self, notation: str, workers: int) -> None:
        total = parse(notation)
        share = math.ceil(total.amount / workers)
        self._limit = type(total)(share, total.multiples)

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        # Not before the first request: MemoryStorage starts a thread.
        return MovingWindowRateLimiter(MemoryStorage())

    def hit(self, key: str) -> None:
        """Count one action of a key.

        :raises RateLimited: the key has reached its limit.
        """
        if not self._limiter.hit(self._limit, key):
            reset_time = self._limiter.get_window_stats(self._limit, key).reset_time
            raise RateLimited(max(1, math.ceil(reset_time - time.time())))
