"""Answer every error: with a problem document (RFC 9457), or a page for browsers."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from flask import Flask, Response, request
from sqlalchemy.exc import (
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    TimeoutError,
)
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.http import HTTP_STATUS_CODES, parse_accept_header

from feedsvc import errors
from feedsvc.errors import FeedsvcError
from feedsvc.feeds.cached_response import MAX_ACCEPT_LENGTH
from feedsvc.services import current_services
from feedsvc.web.responses import public_cache_headers

MEDIA_TYPE = "application/problem+json"

#: Returns a page that shows a status, its detail and the exception.
ErrorPage = Callable[[int, str, Exception], Response]

#: SQLAlchemy's errors that are answered with 503; others are defects.
UNAVAILABLE = (
    # The database is locked, full, read-only or away.
    InternalError,
    OperationalError,
    TimeoutError,
    # A table or a column is missing before an upgrade.
    ProgrammingError,
)


def register_error_handlers(app: Flask, error_page: ErrorPage) -> None:
    """Register the handler of exceptions; HTTPException includes that of a defect.

    :param error_page: returns the response for a browser.
    """
    handler = partial(_error_response, error_page)
    for exception in (FeedsvcError, HTTPException, *UNAVAILABLE):
        app.register_error_handler(exception, handler)


def _error_response(
    error_page: ErrorPage, error: FeedsvcError | HTTPException | SQLAlchemyError
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
        error_page(status, detail, error)
        if _prefers_page() and not is_api
        else _problem_response(status, detail, error)
    )
    response.headers.update(_headers(status, error))
    return response


def _problem_response(status: int, detail: str, error: Exception) -> Response:
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
