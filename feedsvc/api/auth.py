"""Authenticate requests by bearer tokens (RFC 6750), and check their scopes."""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from flask import g, request
from limits import RateLimitItem, RateLimitItemPerMinute

from feedsvc.errors import Forbidden, RateLimited, Unauthorized
from feedsvc.services import current_services
from feedsvc.storage.database import Transaction
from feedsvc.storage.tables import TokenRow
from feedsvc.storage.tokens import authenticate

#: Characters of a refusal that are logged.
MAX_LOGGED = 500

_RATE_FAILURES = RateLimitItemPerMinute(5)


def authorize(scopes: Sequence[str]) -> None:
    """Require that the request's token has at least one of some scopes.

    :raises Unauthorized: there is no valid token.
    :raises Forbidden: the token has none of the scopes.
    :raises RateLimited: the token has written, or the address has failed to
        authenticate, too often.
    """
    g.token = token = _authenticate()
    # Refused writes cost work too, so they count before the scopes are checked.
    if request.method not in ("GET", "HEAD"):
        _count(current_services().rate_writes, "write", token.name)
    if set(token.scopes).isdisjoint(scopes):
        raise Forbidden(f"The token lacks the scope {' or '.join(scopes)}.")


def write_as_token() -> AbstractContextManager[Transaction]:
    """Begin a write transaction of this request's token, limited to its categories."""
    token: TokenRow = g.token
    return current_services().database.write(
        token.name, token.category_ids, is_dry_run=g.is_dry_run
    )


def _authenticate() -> TokenRow:
    authorization = request.authorization
    if (
        authorization is None
        or authorization.type != "bearer"
        or not authorization.token
    ):
        raise Unauthorized("Missing bearer token: Authorization: Bearer fsv_…")
    try:
        return authenticate(current_services().database, authorization.token)
    except Unauthorized:
        # Requests without a token do not count: who guesses tokens sends them.
        _count(_RATE_FAILURES, "failure", request.remote_addr or "")
        raise


def _count(rate: RateLimitItem, *identifiers: str) -> None:
    """Count one action of a token or an address.

    :raises RateLimited: there were too many.
    """
    limiter = current_services().rate_limiter
    if not limiter.hit(rate, *identifiers):
        reset_time = limiter.get_window_stats(rate, *identifiers).reset_time
        raise RateLimited(max(1, math.ceil(reset_time - time.time())))
