"""Problem documents (RFC 9457): the table that gives each error its HTTP status."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, request
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    RequestEntityTooLarge,
)

from feedsvc import errors
from feedsvc.errors import FeedsvcError, FieldError

MEDIA_TYPE = "application/problem+json"

Json = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A kind of error: its status, its title, and what to do."""

    status: int
    title: str
    description: str


_NOT_FOUND = Problem(
    404,
    "Not found",
    "There is nothing at this URL. Check the id or the slug.",
)

_UNAVAILABLE = Problem(
    503,
    "Database unavailable",
    "Try again after the seconds in Retry-After. Earlier items of a batch may "
    "be stored.",
)

PROBLEMS: Mapping[type[FeedsvcError] | int, Problem] = {
    errors.BadRequest: Problem(
        400,
        "Bad request",
        "The body is not valid JSON, or a parameter has a bad value. "
        "The detail says which and why.",
    ),
    errors.Unauthorized: Problem(
        401,
        "Unauthorized",
        "Send the header Authorization: Bearer with a token that is valid, "
        "not revoked and not expired.",
    ),
    errors.Forbidden: Problem(
        403,
        "Insufficient scope",
        "The token lacks the scope that the detail names. "
        "Ask the operator for a token with that scope.",
    ),
    errors.NotFound: _NOT_FOUND,
    # Feeds and pages redirect instead; this is for calls that cannot.
    errors.CategoryRenamed: _NOT_FOUND,
    errors.FeedMoved: _NOT_FOUND,
    errors.Conflict: Problem(
        409,
        "Conflict with the stored entry",
        "The id is taken. Use PUT to replace an entry, or use another id.",
    ),
    errors.Gone: Problem(
        410,
        "Deleted",
        "The resource was deleted, withdrawn or unpublished, or it expired. "
        "PUT restores a deleted entry.",
    ),
    errors.ValidationFailed: Problem(
        422,
        "Validation failed",
        "Each item of errors points to a place in the body and says what is wrong "
        "there. Nothing was stored.",
    ),
    errors.RateLimited: Problem(
        429,
        "Too many requests",
        "The token has written, or the address has failed to authenticate, more often "
        "than the operator allows. Try again after the seconds in Retry-After.",
    ),
    errors.Unavailable: _UNAVAILABLE,
    errors.PreconditionFailed: Problem(
        412,
        "Precondition failed",
        "The stored version is not the one in If-Match, or If-None-Match: * was sent "
        "and the entry exists. Read the entry again before you change it.",
    ),
    404: _NOT_FOUND,
    405: Problem(
        405,
        "Method not allowed",
        "The Allow header names the methods of this URL.",
    ),
    411: Problem(
        411,
        "Content-Length required",
        "Send a Content-Length; chunked bodies are not accepted.",
    ),
    413: Problem(
        413,
        "Body too large",
        "The body exceeds the operator's limit. Send less at once.",
    ),
    415: Problem(
        415,
        "Unsupported media type",
        "Send JSON as application/json, without a Content-Encoding.",
    ),
    500: Problem(
        500,
        "Internal Server Error",
        "A defect of the service, which has logged it. Tell the operator the "
        "X-Request-ID of the response.",
    ),
}
"""The problem of each error of the service, and of each status that Werkzeug raises."""

_STATUS_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


def http_status(error: FeedsvcError) -> int:
    """Return the HTTP status of an error."""
    return PROBLEMS[type(error)].status


def http_error_detail(error: HTTPException) -> str:
    """Return a text that says more than Werkzeug's, or an empty string."""
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        methods = ", ".join(sorted(error.valid_methods))
        return f"{request.method} is not allowed for this URL, only {methods}."
    # A view's own text names the limit, such as that of a batch.
    is_generic = error.description == RequestEntityTooLarge.description
    if error.code != 413 or not is_generic or request.max_content_length is None:
        return ""
    return f"The body has more than {request.max_content_length:,} bytes."


def problem_document(
    problem: Problem, detail: str, field_errors: Iterable[FieldError] = ()
) -> Json:
    """Return the problem document of an error."""
    document: Json = {
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }
    items = [asdict(error) for error in field_errors]
    if items:
        document["errors"] = items
    return document


def problem_response(document: Json) -> Response:
    """Return the response with a problem document."""
    text = json.dumps(document, ensure_ascii=False)
    # A detail that quotes the request may have lone surrogates, which UTF-8 lacks.
    body = text.encode("utf-8", "backslashreplace")
    return Response(body, document["status"], mimetype=MEDIA_TYPE)


def openapi_responses() -> dict[int, Json]:
    """Return OpenAPI's response of each error status, with an example a problem."""
    problems: dict[int, list[Problem]] = {}
    # Several errors may share a problem.
    for problem in dict.fromkeys(PROBLEMS.values()):
        problems.setdefault(problem.status, []).append(problem)
    return {
        status: _openapi_response(status, problems[status])
        for status in sorted(problems)
    }


def _openapi_response(status: int, problems: list[Problem]) -> Json:
    media = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {
            problem.title: {"value": _example(problem)} for problem in problems
        },
    }
    response: Json = {
        "description": " ".join(problem.description for problem in problems),
        "content": {MEDIA_TYPE: media},
    }
    header = _STATUS_HEADERS.get(status)
    if header:
        response["headers"] = {header: {"$ref": f"#/components/headers/{header}"}}
    return response


def _example(problem: Problem) -> Json:
    is_invalid = problem is PROBLEMS[errors.ValidationFailed]
    field_errors = [FieldError("#/title", "Must not be empty.")] if is_invalid else []
    return problem_document(problem, problem.description, field_errors)
