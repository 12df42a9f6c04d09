"""Headers that every response has: a request id, and those for browsers' safety."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import getrandbits
from typing import Any

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
        g.request_id = request_id(request.environ)

    @blueprint.after_app_request
    def add_headers(response: Response) -> Response:
        response.headers[REQUEST_ID] = g.request_id
        # Caches do not update this header from a 304 (RFC 9111 §3.2).
        if response.status_code != 304:
            response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return blueprint


def request_id(environ: Mapping[str, Any]) -> str:
    """Return the id that a proxy has given the request, or a new one.

    The proxy's id lets an operator read both logs together.
    """
    given: str = environ.get("HTTP_X_REQUEST_ID", "")
    if _VALID_ID.fullmatch(given):
        return given
    return f"{getrandbits(64):016x}"
