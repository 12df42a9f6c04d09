"""WSGI middleware that answers from the response cache, before Flask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.http import HTTP_STATUS_CODES

from feedsvc.feeds.cache import ResponseCache
from feedsvc.http.headers import REQUEST_ID, request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STATUS_LINES = {
    status: f"{status} {HTTP_STATUS_CODES[status].upper()}" for status in (200, 304)
}


class CacheMiddleware:
    """A WSGI application that answers what is cached, and passes on all else."""

    def __init__(self, app: WSGIApplication, cache: ResponseCache) -> None:
        self._app = app
        self.cache = cache

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer GET and HEAD of a cached URL."""
        method = environ["REQUEST_METHOD"]
        # A chunked body of a GET is refused by the application.
        if method in ("GET", "HEAD") and "HTTP_TRANSFER_ENCODING" not in environ:
            hit = self.cache.get(cache_key(environ))
            if hit:
                response, check = hit
                status, headers, body = response.to_response(environ, check)
                start_response(
                    _STATUS_LINES[status],
                    [*headers, (REQUEST_ID, request_id(environ))],
                )
                return [body] if method == "GET" else []
        return self._app(environ, start_response)


def cache_key(environ: WSGIEnvironment) -> str:
    """Return the path and query string of a request.

    The path is decoded already, so a question mark in it is encoded again: `/a%3Fb` is
    not `/a?b`.
    """
    path = environ.get("PATH_INFO", "").replace("?", "%3F")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path
