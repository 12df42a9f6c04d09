"""Authenticate requests by bearer tokens (RFC 6750), and check their scopes."""

from __future__ import annotations

from collections.abc import Sequence

from flask import g, request

from feedsvc.errors import Forbidden, Unauthorized
from feedsvc.http.client_network import network_of
from feedsvc.http.rate_limits import RateLimiter
from feedsvc.models import Token
from feedsvc.storage.database import Database
from feedsvc.storage.tokens import authenticate


class Authenticator:
    """Authenticate requests, and check the scopes of their tokens."""

    def __init__(
        self, database: Database, writes: RateLimiter, failures: RateLimiter
    ) -> None:
        self._database = database
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
            return authenticate(self._database, credentials)
        except Unauthorized:
            # Only wrong tokens count: a guesser sends one, a browser sends none.
            self._failures.hit(network_of(request.remote_addr or ""))
            raise


def current_token() -> Token:
    """Return the authenticated token of this request."""
    token: Token = g.token
    return token
