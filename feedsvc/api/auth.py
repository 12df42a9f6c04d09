"""Who may come in: bearer tokens and their scopes (RFC 6750), and how often."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from flask import g, request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from feedsvc.errors import Forbidden, RateLimited, Unauthorized
from feedsvc.http.client_network import network_of
from feedsvc.models import Token
from feedsvc.storage.tokens import Tokens


class RateLimiter:
    """How often a key may do a thing, in the notation of the library `limits`, such as `600/minute`.

    :param workers: the processes that share it; each counts by itself and enforces its part.
    """

    def __init__(self, notation: str, workers: int) -> None:
        whole = parse(notation)
        self._item = type(whole)(math.ceil(whole.amount / workers), whole.multiples)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, key: str) -> None:
        """Count once more.

        :raises TooMany: the key has no time left; with the seconds to wait.
        """
        if not self._limiter.hit(self._item, key):
            reset = self._limiter.get_window_stats(self._item, key).reset_time
            raise RateLimited(max(1, math.ceil(reset - time.time())))


class BulkRate:
    """How many things a key may do, many at a time; the window slides, approximately, in little memory.

    :param notation: as of `Rate`.
    :param workers: as of `Rate`. Where more come at once than the part of one process, they use all of it.
    """

    def __init__(self, notation: str, workers: int) -> None:
        self._whole = parse(notation)
        part = math.ceil(self._whole.amount / workers)
        self._item = type(self._whole)(part, self._whole.multiples)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def charge(self, key: str, number: int) -> None:
        """Count a number of things.

        :raises TooMany: they are more than the key has left; with the seconds to wait.
        """
        if number > self._whole.amount:
            raise RateLimited(self._whole.get_expiry())
        cost = min(number, self._item.amount)
        if cost and not self._limiter.hit(self._item, key, cost=cost):
            reset = self._limiter.get_window_stats(self._item, key).reset_time
            raise RateLimited(max(1, math.ceil(reset - time.time())))


class Authenticator:
    """Lets requests in that carry a token with the right scope."""

    def __init__(
        self, tokens: Tokens, writes: RateLimiter, failures: RateLimiter
    ) -> None:
        self._tokens, self._writes, self._failures = tokens, writes, failures

    def authorize(self, scopes: Sequence[str]) -> None:
        """Let the request in, whose token must have at least one of some scopes; raises what it lacks."""
        g.token = token = self._authenticate()
        if request.method not in ("GET", "HEAD"):
            self._writes.hit(token.name)
        if not token.scopes.intersection(scopes):
            raise Forbidden(f"The token lacks the scope {' or '.join(scopes)}.")

    def _authenticate(self) -> Token:
        """The token of the request; wrong ones are counted by address, for who guesses."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("A bearer token is needed: Authorization: Bearer fsv_…")
        try:
            return self._tokens.authenticate(credentials.strip())
        except Unauthorized:
            self._failures.hit(network_of(request.remote_addr or ""))
            raise


def current_token() -> Token:
    """The token of this request, which the door has found."""
    token: Token = g.token
    return token


def can_publish(kind: str) -> bool:
    """Whether that token may publish entries of a kind."""
    return f"{kind}:publish" in current_token().scopes
