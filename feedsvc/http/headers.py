"""Headers that every response has: a request id, and those for browsers' safety."""

from __future__ import annotations

import re
from random import getrandbits

from flask import Blueprint, Response, g, request

from feedsvc.embeds import EMBEDS

REQUEST_ID = "X-Request-ID"

# The id is written to logs, so nothing else may be in it than a proxy's usual ids.
_VALID_ID = re.compile("[A-Za-z0-9._~-]{1,64}")

# Entries may show images, sound and film from any host, and players from the hosts that
# the sanitizer allows. `connect-src` is for Lighthouse, which reads robots.txt from
# within the page.
LIST_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; font-src 'self'; "
    "img-src https: http:; media-src https: http:; "
    f"frame-src {' '.join(f'https://{host}' for host in EMBEDS)}; "
    "form-action 'self'; base-uri 'none'"
)
"""The Content-Security-Policy of lists, which other sites may show in a frame."""

HTML_SECURITY_HEADERS = {
    "Content-Security-Policy": f"{LIST_POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def headers_blueprint() -> Blueprint:
    """Return the blueprint that adds the headers to the responses of all views.

    Views find the request id in `g.request_id`.
    """
    blueprint = Blueprint("headers", __name__)

    @blueprint.before_app_request
    def assign_request_id() -> None:
        g.request_id = request_id(request.headers.get(REQUEST_ID, ""))

    @blueprint.after_app_request
    def add_headers(response: Response) -> Response:
        response.headers.update(common_headers(response.status_code, g.request_id))
        return response

    return blueprint


def common_headers(status: int, given_id: str) -> list[tuple[str, str]]:
    """Return the headers of a response with a status, to a request with an id."""
    headers = [(REQUEST_ID, request_id(given_id))]
    # Caches do not update this header from a 304 (RFC 9111 §3.2).
    if status != 304:
        headers.append(("X-Content-Type-Options", "nosniff"))
    return headers


def request_id(given: str) -> str:
    """Return the id that a proxy has given the request, or a new one.

    The proxy's id lets an operator read both logs together.
    """
    if _VALID_ID.fullmatch(given):
        return given
    return f"{getrandbits(64):016x}"
