"""Responses of the views of feeds and pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, request

from feedsvc.feeds.response import CachedResponse
from feedsvc.models import Site
from feedsvc.web.headers import HTML_SECURITY_HEADERS, LIST_POLICY

PAGE_MAX_AGE = 60
"""Seconds that caches keep pages and redirects."""

PAGE_HEADERS = tuple(HTML_SECURITY_HEADERS.items())
LIST_HEADERS = tuple(
    {**HTML_SECURITY_HEADERS, "Content-Security-Policy": LIST_POLICY}.items()
)
"""Headers of lists, which other sites may show in a frame."""

NOINDEX = ("X-Robots-Tag", "noindex")


def conditional_response(response: CachedResponse, now: datetime) -> Response:
    """Return the Flask response to the current request: 304 if the client has it."""
    request_headers = {name.lower(): value for name, value in request.headers}
    status, headers, body = response.prepare(request_headers, now)
    response_class = _NotModified if status == 304 else Response
    return response_class(body, status, headers)


def redirect(site: Site, path: str) -> Response:
    """Redirect permanently; many feed readers do not know 308."""
    headers = {
        "Location": site.public_url + path,
        "Cache-Control": f"public, max-age={PAGE_MAX_AGE}",
    }
    return Response(status=301, headers=headers)


class _NotModified(Response):
    """A 304 with its Last-Modified, which Werkzeug removes."""

    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        if "Last-Modified" in self.headers:
            headers["Last-Modified"] = self.headers["Last-Modified"]
        return headers
