"""Answer every error: with a problem document (RFC 9457), or a page for browsers."""

import json
from dataclasses import asdict
from typing import Any

from flask import Flask, Response, request
from sqlalchemy.exc import (
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    TimeoutError,
)
from sqlalchemy.orm import Session
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.http import HTTP_STATUS_CODES, parse_accept_header

from feedsvc import errors
from feedsvc.errors import FeedsvcError
from feedsvc.feeds.build import build_list
from feedsvc.feeds.cached_response import MAX_ACCEPT_LENGTH
from feedsvc.feeds.query import FORMATS, FeedQuery
from feedsvc.formats.html import render_page
from feedsvc.models import PageLanguages
from feedsvc.services import current_services
from feedsvc.web.responses import PAGE_HEADERS, cached_page, public_cache_headers

MEDIA_TYPE = "application/problem+json"

#: SQLAlchemy's errors that are answered with 503; others are defects.
_UNAVAILABLE = (
    # The database is locked, full, read-only or away.
    InternalError,
    OperationalError,
    TimeoutError,
    # A table or a column is missing before an upgrade.
    ProgrammingError,
)


def register_error_handlers(app: Flask) -> None:
    """Register the handler of exceptions; HTTPException includes that of a defect."""
    for exception in (FeedsvcError, HTTPException, *_UNAVAILABLE):
        app.register_error_handler(exception, error_response)


def error_response(
    error: FeedsvcError | HTTPException | SQLAlchemyError,
) -> Response:
    """Return the response to an exception."""
    if isinstance(error, SQLAlchemyError):
        # The reason may name hosts and users, so it is in the log alone.
        current_services().database.log_failure(error)
        error = errors.Unavailable("The database cannot be used at the moment.")
    if isinstance(error, FeedsvcError):
        status = error.status
        detail = str(error)
    else:
        status = error.code or 500
        detail = error.description or error.name
        if isinstance(error, NotFound):
            detail = "There is nothing at this URL."
    is_api = request.path.startswith("/api/")
    response = (
        _error_page(status, detail, error)
        if _prefers_page() and not is_api
        else problem_response(status, detail, error)
    )
    response.headers.update(_headers(status, error))
    return response


def problem_response(status: int, detail: str, error: Exception) -> Response:
    """Return the response with the problem document of an exception.

    It has no `type`, so its title is the phrase of the status (RFC 9457 §4.2.1).
    """
    document: dict[str, Any] = {
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "detail": detail,
    }
    if isinstance(error, errors.ValidationFailed):
        document["errors"] = [asdict(field_error) for field_error in error.errors]
    text = json.dumps(document, ensure_ascii=False)
    # A detail that quotes the request may have lone surrogates, which UTF-8 lacks.
    body = text.encode("utf-8", "backslashreplace")
    return Response(body, status, mimetype=MEDIA_TYPE)


def _prefers_page() -> bool:
    """Tell if the client is a browser; feed readers and programs get documents."""
    accept = request.headers.get("Accept", "")[:MAX_ACCEPT_LENGTH]
    accepted = parse_accept_header(accept, MIMEAccept)
    return accepted.best_match([MEDIA_TYPE, "text/html"]) == "text/html"


def _error_page(status: int, detail: str, error: Exception) -> Response:
    site = current_services().site
    lang, ui = request.args.get("lang"), request.args.get("ui")
    languages = PageLanguages.of(site, lang, ui)
    page = render_page(
        "error.html",
        site,
        languages,
        newest=_newest(languages) if status in (404, 410) else "",
        status=status,
        detail=detail,
        notice=error.reason if isinstance(error, errors.Gone) else "",
        parameter=error.parameter if isinstance(error, errors.BadRequest) else "",
        # Links are relative, since the page may be read under another host or prefix.
        root="/".join([".."] * (request.path.count("/") - 1)) or ".",
    )
    return Response(page, status, PAGE_HEADERS, mimetype="text/html")


def _newest(languages: PageLanguages) -> str:
    """Return the newest articles as HTML, from the cache: anyone can miss a page."""
    site = current_services().site
    parameters = {"lang": languages.lists, "ui": languages.ui}
    query = FeedQuery("news", FORMATS["html"], parameters={**parameters, "limit": 3})

    def render(session: Session) -> tuple[bytes, bool]:
        articles = build_list(session, query, site)
        return render_page("_newest.html", site, languages, feed=articles), False

    try:
        return cached_page("newest", parameters, render).body.decode()
    except _UNAVAILABLE:
        # The page is missing in any case.
        return ""


def _headers(status: int, error: Exception) -> dict[str, str]:
    # A proxy may compress the response.
    headers = {"Vary": "Accept, Accept-Encoding"}
    is_public = request.path.startswith(("/feeds/", "/entries/"))
    if is_public and status in (404, 410):
        # Stored, it replaces the page that a cache has of a deleted entry. Otherwise
        # the cache would serve that page while the service is unreachable.
        headers |= public_cache_headers(1)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="feedsvc"'
    if isinstance(error, FeedsvcError) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, HTTPException):
        headers |= {
            name: value for name, value in error.get_headers() if name == "Allow"
        }
    return headers
