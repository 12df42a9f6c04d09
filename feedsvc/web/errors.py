"""The handlers that answer all errors."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response, current_app, g, request
from sqlalchemy.exc import (
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    TimeoutError,
)
from werkzeug.exceptions import HTTPException, InternalServerError

from feedsvc.errors import (
    BadRequest,
    FeedsvcError,
    FieldError,
    Gone,
    Unavailable,
    ValidationFailed,
)
from feedsvc.formats.html import PAGES
from feedsvc.http.headers import HTML_SECURITY_HEADERS
from feedsvc.http.problem_details import (
    MEDIA_TYPE,
    PROBLEMS,
    Problem,
    http_error_detail,
    problem_document,
    problem_response,
)
from feedsvc.models import Site
from feedsvc.suggestions import did_you_mean
from feedsvc.web.pages import requested_language

_MAX_ACCEPT = 1000
"""Characters of the longest Accept header that is parsed."""


class ErrorHandlers:
    """Answer errors with problem documents, or with pages for browsers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def handle_app_error(self, error: FeedsvcError) -> Response:
        """Answer an error of the service."""
        response = self._respond(
            PROBLEMS[type(error)],
            str(error),
            field_errors=error.errors if isinstance(error, ValidationFailed) else (),
            reason=error.reason if isinstance(error, Gone) else "",
            parameter=error.parameter if isinstance(error, BadRequest) else "",
        )
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an error of Werkzeug, such as 405."""
        status = error.code or 500
        # Werkzeug's redirects are exceptions too.
        if status < 400:
            return Response(status=status, headers=error.get_headers())
        problem = PROBLEMS.get(status) or Problem(status, error.name, "See RFC 9110.")
        detail = http_error_detail(error) or _unknown_url(error) or error.description
        response = self._respond(problem, detail or problem.title)
        # The others describe Werkzeug's own page.
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response

    def handle_unavailable(self, error: SQLAlchemyError) -> Response:
        """Answer 503 for a database that is locked, full, read-only or away.

        The reason is in the log alone: it may name hosts and users.
        """
        current_app.logger.warning("Database: %s", getattr(error, "orig", error))
        return self.handle_app_error(
            Unavailable("The database cannot be used at the moment.")
        )

    def handle_unexpected(self, error: Exception) -> Response:
        """Log a defect, and answer 500."""
        current_app.logger.error(
            "Unexpected error in request %s", g.request_id, exc_info=error
        )
        return self.handle_http_exception(InternalServerError())

    def _respond(
        self,
        problem: Problem,
        detail: str,
        *,
        field_errors: Iterable[FieldError] = (),
        reason: str = "",
        parameter: str = "",
    ) -> Response:
        # Feed readers and API clients get the document, browsers a page.
        if _prefers_page() and not _is_api():
            response = _error_page(
                self._site,
                problem,
                detail=detail,
                notice=reason,
                parameter=parameter,
            )
        else:
            document = problem_document(problem, detail, field_errors)
            response = problem_response(document)
        response.headers["Cache-Control"] = _cache_control(problem.status)
        # A proxy may compress the response.
        response.headers["Vary"] = "Accept, Accept-Encoding"
        if problem.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="feedsvc"'
        return response


def errors_blueprint(site: Site) -> Blueprint:
    """Return the blueprint of the application's error handlers."""
    blueprint = Blueprint("errors", __name__)
    handlers = ErrorHandlers(site)
    blueprint.app_errorhandler(FeedsvcError)(handlers.handle_app_error)
    # A table may be missing while another worker migrates the database.
    for error in (OperationalError, InternalError, ProgrammingError, TimeoutError):
        blueprint.app_errorhandler(error)(handlers.handle_unavailable)
    blueprint.app_errorhandler(HTTPException)(handlers.handle_http_exception)
    blueprint.app_errorhandler(Exception)(handlers.handle_unexpected)
    return blueprint


def _prefers_page() -> bool:
    # Werkzeug takes quadratic time to parse Accept; no browser sends a long one.
    if len(request.headers.get("Accept", "")) > _MAX_ACCEPT:
        return False
    preferred = request.accept_mimetypes.best_match([MEDIA_TYPE, "text/html"])
    return preferred == "text/html"


def _is_api() -> bool:
    return request.path == "/api" or request.path.startswith("/api/")


def _unknown_url(error: HTTPException) -> str:
    """Return the detail of a 404, below /api with the nearest known URL."""
    if error.code != 404:
        return ""
    if not _is_api():
        return "There is nothing at this URL."
    known = {
        rule.rule.partition("/<")[0]
        for rule in current_app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
    }
    # Without an id or slug, which may be anything.
    collection = "/".join(request.path.split("/")[:4])
    hint = "" if collection in known else did_you_mean(collection, known)
    return f"There is nothing at this URL.{hint} See the list in /api/docs."


def _error_page(site: Site, problem: Problem, **context: str) -> Response:
    """Return the page of an error, for people; `context` is for its template."""
    # Links are relative, since the page may be read under another host or prefix.
    root = "/".join([".."] * (request.path.count("/") - 1)) or "."
    ui = requested_language(site)
    page = PAGES.render(
        "error.html", site, ui=ui, problem=problem, root=root, **context
    )
    return Response(page, problem.status, HTML_SECURITY_HEADERS, mimetype="text/html")


def _cache_control(status: int) -> str:
    """Return the lifetime of an error: a second for a missing feed or page, else none.

    A cache that may not store the 410 of a deleted entry would keep the entry's page,
    and serve it while the service is unreachable.
    """
    is_read = request.method in ("GET", "HEAD")
    is_public = request.path.startswith(("/feeds/", "/entries/")) and is_read
    return "public, max-age=1" if is_public and status in (404, 410) else "no-store"
