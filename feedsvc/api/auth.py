"""Authenticate requests by bearer tokens (RFC 6750), and limit their rate."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from functools import cached_property

from flask import g, request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import (
    MovingWindowRateLimiter,
    SlidingWindowCounterRateLimiter,
)
from limits.strategies import RateLimiter as LimitStrategy

from feedsvc.errors import Forbidden, RateLimited, Unauthorized
from feedsvc.http.client_network import network_of
from feedsvc.models import Token
from feedsvc.storage.tokens import Tokens

EXPIRY_INTERVAL = 60.0
"""Seconds between two removals of expired counters."""


class RateStorage(MemoryStorage):
    """Counters in memory, of which expired ones are removed once a minute.

    The library's own schedule starts a thread at nearly every action, which then looks
    at the counters of all keys.
    """

    def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802, the library's name
        if self.timer.is_alive():
            return
        remove_expired = self._MemoryStorage__expire_events  # type: ignore[attr-defined]
        self.timer = threading.Timer(EXPIRY_INTERVAL, remove_expired)
        self.timer.daemon = True
        self.timer.start()


class RateLimiter:
    """Limit how often a key may do something.

    :param notation: as in the library `limits`, such as `600/minute`.
    :param workers: the processes that share the limit. Each counts by itself, without
        a common store, and enforces its part.
    """

    strategy: type[LimitStrategy] = MovingWindowRateLimiter

    def __init__(self, notation: str, workers: int) -> None:
        self._total = total = parse(notation)
        share = math.ceil(total.amount / workers)
        self._limit = type(total)(share, total.multiples)

    @cached_property
    def _limiter(self) -> LimitStrategy:
        # Not before the first request: MemoryStorage starts a thread.
        return self.strategy(RateStorage())

    def hit(self, key: str, cost: int = 1) -> None:
        """Count one action of a key, or several.

        :raises RateLimited: the key has reached its limit.
        """
        if not self._limiter.hit(self._limit, key, cost=cost):
            reset_time = self._limiter.get_window_stats(self._limit, key).reset_time
            raise RateLimited(max(1, math.ceil(reset_time - time.time())))


class BulkRateLimiter(RateLimiter):
    """Limit how many items a key may send, many at a time."""

    # It slides approximately: an exact window stores a time for each item.
    strategy = SlidingWindowCounterRateLimiter

    def charge(self, key: str, count: int) -> None:
        """Count a number of items.

        :raises RateLimited: they are more than the key has left.
        """
        if count > self._total.amount:
            raise RateLimited(self._total.get_expiry())
        # A batch may be larger than this worker's part of the limit. It uses it up.
        cost = min(count, self._limit.amount)
        if cost:
            self.hit(key, cost)


class Authenticator:
    """Authenticate requests, and check the scopes of their tokens."""

    def __init__(
        self, tokens: Tokens, writes: RateLimiter, failures: RateLimiter
    ) -> None:
        self._tokens = tokens
        self._writes = writes
        self._failures = failures

    def authorize(self, scopes: Sequence[str]) -> None:
        """Require that the request's token has at least one of some scopes.

        :raises Unauthorized: there is no valid token.
        :raises Forbidden: the token has none of the scopes.
        :raises RateLimited: the token has written, or the address has failed to
            authenticate, too often.
        """
        g.token = token = self._authenticate()
        # Before the scopes are checked: refused writes cost work too.
        if request.method not in ("GET", "HEAD"):
            self._writes.hit(token.name)
        if not token.scopes.intersection(scopes):
            raise Forbidden(f"The token lacks the scope {' or '.join(scopes)}.")

    def _authenticate(self) -> Token:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        credentials = credentials.strip()
        if scheme.lower() != "bearer" or not credentials:
            raise Unauthorized("Missing bearer token: Authorization: Bearer fsv_…")
        try:
            return self._tokens.authenticate(credentials)
        except Unauthorized:
            # Only wrong tokens count: a guesser sends one, a browser sends none.
            self._failures.hit(network_of(request.remote_addr or ""))
            raise


def current_token() -> Token:
    """Return the authenticated token of this request."""
    token: Token = g.token
    return token


def can_publish(kind: str) -> bool:
    """Return whether the request's token may publish entries of a kind."""
    return f"{kind}:publish" in current_token().scopes
