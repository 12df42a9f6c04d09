"""Authenticate requests by bearer tokens (RFC 6750), and check their scopes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import g, request
from flask_smorest import Blueprint

from feedsvc.errors import Forbidden, Unauthorized
from feedsvc.models import Token
from feedsvc.services import current_services
from feedsvc.storage.tokens import authenticate

View = Callable[..., Any]


def authorize(*scopes: str) -> Callable[[View], View]:
    """Return a decorator that requires a token with at least one of some scopes.

    It stands above `arguments`, so that no body is parsed without a token.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def authorized(*args: Any, **kwargs: Any) -> Any:
            _check_token(scopes)
            return view(*args, **kwargs)

        # In OpenAPI, one of these alternatives is enough.
        security = [{"bearer": [scope]} for scope in scopes]
        documented: View = Blueprint.doc(security=security)(authorized)
        return documented

    return decorate


def _check_token(scopes: tuple[str, ...]) -> None:
    """Require that the request's token has at least one of some scopes.

    :raises Unauthorized: there is no valid token.
    :raises Forbidden: the token has none of the scopes.
    :raises RateLimited: the token has written, or the address has failed to
        authenticate, too often.
    """
    g.token = token = _authenticate()
    # Refused writes cost work too, so they count before the scopes are checked.
    if request.method not in ("GET", "HEAD"):
        current_services().write_limit.hit(token.name)
    if not token.scopes.intersection(scopes):
        raise Forbidden(f"The token lacks the scope {' or '.join(scopes)}.")


def _authenticate() -> Token:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    credentials = credentials.strip()
    if scheme.lower() != "bearer" or not credentials:
        raise Unauthorized("Missing bearer token: Authorization: Bearer fsv_…")
    services = current_services()
    try:
        return authenticate(services.database, credentials)
    except Unauthorized:
        # Requests without a token do not count: who guesses tokens sends them.
        services.login_limit.hit(request.remote_addr or "")
        raise


def current_token() -> Token:
    """Return the authenticated token of this request."""
    token: Token = g.token
    return token
