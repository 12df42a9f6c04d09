"""The way around Flask: what is kept is answered at once, all else passed on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.http import HTTP_STATUS_CODES

from feedsvc.feeds.cache import ResponseCache
from feedsvc.http.request_id import HEADER, request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STATUS_LINES = {
    status: f"{status} {HTTP_STATUS_CODES[status].upper()}" for status in (200, 304)
}


class CacheMiddleware:
    """A WSGI app in front of another."""

    def __init__(self, app: WSGIApplication, kept: ResponseCache) -> None:
        self._app, self._kept = app, kept

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer GET and HEAD of a known address."""
        method = environ["REQUEST_METHOD"]
        if method in ("GET", "HEAD") and "HTTP_TRANSFER_ENCODING" not in environ:
            found = self._kept.get(cache_key(environ))
            if found:
                answer, check = found
                status, headers, body = answer.to_response(environ, check)
                start_response(
                    _STATUS_LINES[status], [*headers, (HEADER, request_id(environ))]
                )
                return [body] if method == "GET" else []
        return self._app(environ, start_response)


def cache_key(environ: WSGIEnvironment) -> str:
    """What was asked for: path and query; a path that holds a question mark is told apart."""
    path, query = (
        environ.get("PATH_INFO", "").replace("?", "%3F"),
        environ.get("QUERY_STRING", ""),
    )
    return f"{path}?{query}" if query else path
