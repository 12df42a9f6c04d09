"""Responses of views, and the headers of all."""

from collections.abc import Iterable
from typing import Any

from flask import Response, abort, current_app, request
from sqlalchemy.orm import Session

from feedsvc.feeds.cached_response import PAGE_MAX_AGE, CachedResponse
from feedsvc.feeds.query import query_string
from feedsvc.services import current_services
from feedsvc.storage.sets import has_entries
from feedsvc.text.languages import broader_tag

#: Beginnings of the paths that scripts of other sites may read (CORS).
#:
#: What they read there is the same for everyone.
_SHARED_PATHS = ("/feeds", "/api/v1/changes", "/api/v1/categories")

_READABLE = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "ETag, Link"),
]
#: Headers by method, for errors and redirects too: a script must see the status.
_CORS_HEADERS = {
    "GET": _READABLE,
    "HEAD": _READABLE,
    "OPTIONS": [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "GET, HEAD"),
        ("Access-Control-Allow-Headers", "If-None-Match"),
        ("Access-Control-Max-Age", "86400"),
    ],
}


def public_cache_headers(seconds: int) -> dict[str, str]:
    """Return the header by which caches may keep a response; others they must not."""
    return {"Cache-Control": f"public, max-age={seconds}"}


def conditional_response(response: CachedResponse) -> Response:
    """Return the Flask response to the current request: 304 if the client has it."""
    status, headers, body = response.prepare(
        {name.lower(): value for name, value in request.headers},
        current_services().clock(),
    )
    response_class = _NotModified if status == 304 else Response
    return response_class(body, status, headers)


def redirect(path: str, *, is_permanent: bool = True) -> Response:
    """Redirect; many feed readers do not know 308. Caches keep what is permanent."""
    response = Response(status=301 if is_permanent else 302)
    response.headers["Location"] = current_services().site.public_url + path
    if is_permanent:
        response.headers.update(public_cache_headers(PAGE_MAX_AGE))
    return response


def redirect_language(session: Session, kinds: Iterable[str], lang: str | None) -> None:
    """Redirect from a `lang` without entries to its language, if that is the portal's.

    It is `de` of `de-DE` (RFC 4647 §3.4). No cache keeps the response, since entries
    may appear.
    """
    if lang is None:
        return
    site = current_services().site
    broader = broader_tag(site.languages or (site.language.lower(),), lang)
    if broader and not has_entries(session, kinds, lang):
        query = query_string({**request.args, "lang": broader})
        abort(redirect(request.path + query, is_permanent=False))


class _NotModified(Response):
    """A 304 with its Last-Modified, which Werkzeug removes."""

    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        if "Last-Modified" in self.headers:
            headers["Last-Modified"] = self.headers["Last-Modified"]
        return headers


def common_headers(method: str, path: str, status: int) -> list[tuple[str, str]]:
    """Return the headers of every response to a method and path with a status."""
    headers = []
    # Caches do not update headers of a body from a 304 (RFC 9111 §3.2).
    if status != 304:
        headers.append(("X-Content-Type-Options", "nosniff"))
    if path.startswith(_SHARED_PATHS):
        headers += _CORS_HEADERS.get(method, [])
    return headers


def add_common_headers(response: Response) -> Response:
    """Add the headers of every response; caches keep those alone that allow it."""
    response.headers.setdefault("Cache-Control", "no-store")
    headers = common_headers(request.method, request.path, response.status_code)
    response.headers.update(headers)
    return response


def answer_preflight() -> Response | None:
    """Answer a browser that asks if a script of another site may send a request.

    A preflight must succeed even where the request itself is an error or a redirect.
    """
    if request.method != "OPTIONS" or not request.path.startswith(_SHARED_PATHS):
        return None
    response: Response = current_app.make_default_options_response()
    response.status_code = 204
    return response
