"""Errors as problem documents (RFC 9457): the one table that gives each its HTTP status."""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.http import HTTP_STATUS_CODES

from feedsvc import errors
from feedsvc.access import redact_tokens
from feedsvc.formats import PAGES
from feedsvc.http.conditional import (
    HTML_SECURITY_HEADERS,
    conditional_response,
    static_response,
)
from feedsvc.models import Site

Json = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A kind of error: its slug, its title, and what it means for whoever meets it."""

    status: int
    slug: str
    title: str
    description: str


PROBLEMS: dict[type[Exception] | int, Problem] = {
    errors.BadRequest: Problem(400, "malformed", "The request cannot be read", "The body is no strict JSON, or a parameter has a value that it cannot have. The detail says what and where."),
    errors.Unauthorized: Problem(401, "unauthorized", "A valid token is needed", "Send Authorization: Bearer with a token that is neither misspelt nor revoked nor expired."),
    errors.Forbidden: Problem(403, "forbidden", "Insufficient scope", "The token is valid but lacks the scope named in the detail. Ask the operator for a token with that scope."),
    errors.NotFound: Problem(404, "not-found", "There is no such thing", "Nothing was ever stored under this address."),
    errors.Conflict: Problem(409, "conflict", "What is stored stands against it", "The id is taken. Use PUT to replace an entry, or another id."),
    errors.Gone: Problem(410, "gone", "Deleted", "The resource existed but was deleted, withdrawn, unpublished or retired. PUT restores a deleted entry."),
    errors.ValidationFailed: Problem(422, "invalid", "The document breaks rules", "Every member of errors points at one place in the body and says what is wrong there. Nothing was stored."),
    errors.IdempotencyKeyConflict: Problem(422, "key-reused", "The Idempotency-Key was used before", "A key stands for one request; this one came with another body before. Take a new key for a new request."),
    errors.RateLimited: Problem(429, "too-many-requests", "Too many requests", "A token has written, or an address has failed to authenticate, more often than the operator allows. Try again after the seconds that Retry-After gives."),
    errors.Unavailable: Problem(503, "unavailable", "The database cannot be used now", "Nothing was stored. Try again after the seconds that Retry-After gives."),
    errors.Busy: Problem(503, "busy", "The server is busy", "Too many large documents are being made at once. Try again after the seconds that Retry-After gives."),
    errors.PreconditionFailed: Problem(412, "precondition-failed", "The entry has changed since", "If-Match names a version that is no longer stored, or If-None-Match one that is. Read the entry again, and decide anew."),
    errors.PreconditionRequired: Problem(428, "precondition-required", "Say which version is meant", "This service takes changes only with If-Match and the ETag of the version that was read, or If-None-Match: * to create."),
    405: Problem(405, "method-not-allowed", "The method is not allowed here", "The Allow header names the methods that are."),
    411: Problem(411, "length-required", "The length of the body is missing", "Send a Content-Length; bodies in chunks are not read."),
    413: Problem(413, "too-large", "The body is too large", "The operator's limit is passed. Send less at once."),
    415: Problem(415, "unsupported-media-type", "The body is in a form that is not read", "Send plain JSON as application/json, without a Content-Encoding."),
}  # fmt: skip
PROBLEMS |= dict.fromkeys(
    (errors.CategoryRenamed, errors.FeedMoved, 404), PROBLEMS[errors.NotFound]
)


def http_status(error: errors.FeedsvcError) -> int:
    """The HTTP status of an error."""
    return PROBLEMS[type(error)].status


def problem_document(
    public_url: str, problem: Problem, detail: str, faults: Iterable[errors.FieldError]
) -> Json:
    """The problem document of an error."""
    listed = [asdict(fault) for fault in faults]
    return {
        "type": f"{public_url}/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        **({"errors": listed} if listed else {}),
    }


def openapi_responses(public_url: str) -> dict[int, Json]:
    """What OpenAPI says of each status of an error, with an example of each of its problems."""
    found: dict[int, Json] = {}
    for status in sorted({problem.status for problem in PROBLEMS.values()}):
        problems = dict.fromkeys(
            problem for problem in PROBLEMS.values() if problem.status == status
        )
        examples = {}
        for problem in problems:
            faults = (
                [errors.FieldError("#/title", "Empty.")]
                if problem.slug == "invalid"
                else []
            )
            example = problem_document(public_url, problem, problem.description, faults)
            examples[problem.slug] = {"summary": problem.title, "value": example}
        media = {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": examples,
        }
        meanings = " ".join(problem.description for problem in problems)
        found[status] = {
            "description": meanings,
            "content": {"application/problem+json": media},
        }
        header = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}.get(
            status
        )
        if header:
            found[status]["headers"] = {
                header: {"$ref": f"#/components/headers/{header}"}
            }
    return found


def _fingerprint(error: Exception) -> str:
    """Eight digits, the same for all errors of one type that come from the same place by the same way."""
    way = [
        (frame.filename, frame.name)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return hashlib.sha256(repr((type(error).__name__, way)).encode()).hexdigest()[:8]


def _cache_control(status: int) -> str:
    """Return the lifetime of an error: a second for a missing or deleted feed or page, else none.

    A cache that may not store the 410 of a deleted entry would keep the entry, and answer it while the service is
    unreachable.
    """
    is_public = request.path.startswith(
        ("/feeds/", "/entries/")
    ) and request.method in ("GET", "HEAD")
    return "public, max-age=1" if is_public and status in (404, 410) else "no-store"


def problems_blueprint(site: Site, max_age: int) -> Blueprint:
    """Pages that say what each error type means, and the handlers that answer with them."""
    blueprint = Blueprint("problems", __name__)

    @blueprint.get("/problems/<slug>")
    def meaning(slug: str) -> Response:
        """What an error type means."""
        for problem in PROBLEMS.values():
            if problem.slug == slug:
                page = PAGES.render("problem.html", site, problem=problem)
                return conditional_response(static_response(page, "text/html", max_age))
        raise errors.NotFound(f"There is no error type “{slug}”.")

    @blueprint.app_errorhandler(errors.FeedsvcError)
    def ours(error: errors.FeedsvcError) -> Response:
        faults = error.errors if isinstance(error, errors.ValidationFailed) else ()
        notice = error.reason if isinstance(error, errors.Gone) else ""
        response = answer(PROBLEMS[type(error)], str(error), faults, notice)
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    @blueprint.app_errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400:
            return Response(status=status, headers=error.get_headers())
        slug = HTTP_STATUS_CODES.get(status, "error").lower().replace(" ", "-")
        problem = PROBLEMS.get(status) or Problem(
            status, slug, error.name, "The status says it all (RFC 9110)."
        )
        response = answer(problem, error.description or problem.title)
        response.headers.extend(
            (n, v) for n, v in error.get_headers() if n in ("Allow", "Retry-After")
        )
        return response

    @blueprint.app_errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        said = "unforeseen error %s in request %s"
        current_app.logger.error(
            said, _fingerprint(error), g.request_id, exc_info=error
        )
        return http(InternalServerError())

    def answer(
        problem: Problem,
        detail: str,
        faults: Iterable[errors.FieldError] = (),
        notice: str = "",
    ) -> Response:
        """A problem document; outside the API a page for those who like one better, as browsers do."""
        liked = request.accept_mimetypes.best_match(
            ["application/problem+json", "text/html"]
        )
        if liked == "text/html" and not request.path.startswith("/api/"):
            root = "/".join([".."] * (request.path.count("/") - 1)) or "."
            page = PAGES.render(
                "error.html",
                site,
                problem=problem,
                detail=redact_tokens(detail),
                notice=notice,
                root=root,
            )
            response = Response(
                page, problem.status, HTML_SECURITY_HEADERS, mimetype="text/html"
            )
        else:
            body = problem_document(site.public_url, problem, detail, faults)
            text = redact_tokens(json.dumps(body, ensure_ascii=False)).encode(
                "utf-8", "backslashreplace"
            )
            response = Response(
                text, problem.status, mimetype="application/problem+json"
            )
        response.headers["Cache-Control"] = _cache_control(problem.status)
        response.headers["Vary"] = "Accept, Accept-Encoding"  # a proxy may compress it
        if problem.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="feedsvc"'
        return response

    return blueprint
