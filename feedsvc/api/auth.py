"""Authenticate requests by bearer tokens (RFC 6750), and check their scopes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property

from flask import g, request
from limits import RateLimitItem, RateLimitItemPerMinute, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from feedsvc.errors import Forbidden, RateLimited, Unauthorized
from feedsvc.models import Token
from feedsvc.storage.database import Database, Transaction
from feedsvc.storage.tokens import authenticate

_RATE_FAILURES = RateLimitItemPerMinute(5)


class Authenticator:
    """Authenticate requests, check the scopes of their tokens, and limit their rate.

    Each process counts by itself.

    :param rate_writes: for each token, such as `600/minute`.
    """

    def __init__(self, database: Database, rate_writes: str) -> None:
        self._database = database
        self._rate_writes = parse(rate_writes)

    def authorize(self, scopes: Sequence[str]) -> None:
        """Require that the request's token has at least one of some scopes.

        :raises Unauthorized: there is no valid token.
        :raises Forbidden: the token has none of the scopes.
        :raises RateLimited: the token has written, or the address has failed to
            authenticate, too often.
        """
        g.token = token = self._authenticate()
        # Refused writes cost work too, so they count before the scopes are checked.
        if request.method not in ("GET", "HEAD"):
            self._count(self._rate_writes, "write", token.name)
        if not token.scopes.intersection(scopes):
            raise Forbidden(f"The token lacks the scope {' or '.join(scopes)}.")

    def _authenticate(self) -> Token:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        credentials = credentials.strip()
        if scheme.lower() != "bearer" or not credentials:
            raise Unauthorized("Missing bearer token: Authorization: Bearer fsv_…")
        try:
            return authenticate(self._database, credentials)
        except Unauthorized:
            # Requests without a token do not count: who guesses tokens sends them.
            self._count(_RATE_FAILURES, "failure", request.remote_addr or "")
            raise

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        # Not before the first request, because MemoryStorage starts a thread.
        return MovingWindowRateLimiter(MemoryStorage())

    def _count(self, rate: RateLimitItem, *identifiers: str) -> None:
        """Count one action of a token or an address.

        :raises RateLimited: there were too many.
        """
        if not self._limiter.hit(rate, *identifiers):
            reset_time = self._limiter.get_window_stats(rate, *identifiers).reset_time
            raise RateLimited(max(1, math.ceil(reset_time - time.time())))


def current_token() -> Token:
    """Return the authenticated token of this request."""
    token: Token = g.token
    return token


def write_as_token(database: Database) -> AbstractContextManager[Transaction]:
    """Begin a write transaction of this request's token, limited to its categories."""
    token = current_token()
    return database.write(token.name, token.category_ids)
