"""Parse requests: JSON bodies, query parameters, preconditions."""

from collections.abc import Collection
from typing import Any, NoReturn

from flask import Request, current_app, request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import (
    LengthRequired,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from feedsvc.errors import (
    BadRequest,
    FieldError,
    PreconditionFailed,
    ValidationFailed,
)
from feedsvc.input.loading import field_errors, validation_failed
from feedsvc.input.strict_json import loads_strict
from feedsvc.models import Entry
from feedsvc.storage.entries import Precondition

#: Times that a patch is applied to what others have written meanwhile.
MAX_ATTEMPTS = 5


class StrictParser(FlaskParser):
    """Parse the arguments of views as the API promises.

    webargs' own parser accepts duplicate keys and NaN, and reports errors without JSON
    pointers.
    """

    # Empty, so that the schemas themselves decide: they refuse unknown members.
    DEFAULT_UNKNOWN_BY_LOCATION = {}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the document in the body of a request.

        The `id` or `slug` of the path need not be in it.

        :raises BadRequest: it is not strict JSON.
        :raises ValidationFailed: it has another id or slug than the path.
        """
        document = loads_strict(req.get_data())
        if not isinstance(document, dict):
            return document
        # The variables of paths have the names of members.
        for name, value in (req.view_args or {}).items():
            if document.get(name) in (None, ""):
                document[name] = value
            # A whole number stands for its digits.
            elif str(document[name]) != value:
                detail = f"Must be the {name} in the path."
                raise ValidationFailed(FieldError(f"#/{name}", detail))
        return document

    def handle_error(
        self, error: ValidationError, *args: Any, **kwargs: Any
    ) -> NoReturn:
        """Raise the project's exceptions in place of webargs' own.

        :raises BadRequest: a query parameter is wrong.
        :raises ValidationFailed: members of the body are wrong.
        """
        location, messages = next(iter(error.messages_dict.items()))
        if location != "query":
            raise validation_failed(messages)
        errors = field_errors(messages)
        details = [f"{error.pointer[2:]}: {error.detail}" for error in errors]
        raise BadRequest(" ".join(details))


def check_body_headers(media_types: Collection[str]) -> None:
    """Decide from the headers if the body of a request will be read.

    :param media_types: those that the body may have besides JSON.
    :raises LengthRequired: the length is missing, or the body is chunked.
    :raises RequestEntityTooLarge: the body is longer than FEEDSVC_MAX_BODY.
    :raises UnsupportedMediaType: the body is encoded, or is not JSON.
    """
    if request.method not in ("POST", "PUT", "PATCH"):
        return
    # Werkzeug would cut a chunked body at the limit without an error.
    if (
        request.content_length is None
        or "Transfer-Encoding" in request.headers
    ):
        raise LengthRequired(
            "Send a body with a Content-Length, not a chunked one."
        )
    max_length = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length > max_length:
        raise RequestEntityTooLarge(
            f"The body has more than {max_length:,} bytes."
        )
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("Content-Encoding is not supported.")
    # `is_json` is true for application/merge-patch+json too.
    if not (request.is_json or request.mimetype in media_types):
        expected = " or ".join(["application/json", *media_types])
        raise UnsupportedMediaType(f"The Content-Type must be {expected}.")


def parse_patch() -> dict[str, Any]:
    """Return the JSON merge patch in the body (RFC 7396).

    :raises ValidationFailed: it is no object.
    """
    patch = loads_strict(request.get_data())
    if not isinstance(patch, dict):
        raise ValidationFailed(FieldError("#", "Must be an object."))
    return patch


def request_precondition() -> Precondition:
    """Return the check that If-Match and If-None-Match demand (RFC 9110 §13.1).

    The storage calls it within the write transaction.
    """
    match = request.if_match if "If-Match" in request.headers else None
    none_match = request.if_none_match

    def check(entry: Entry | None) -> None:
        if entry is None or entry.status == "deleted":
            # A deleted entry has no representation that a tag could match.
            if match is not None:
                raise PreconditionFailed(
                    "If-Match requires that the entry exists."
                )
            return
        etag = str(entry.version)
        # If-Match compares strongly, If-None-Match weakly (RFC 9110 §13.1).
        if match is not None and not match.contains(etag):
            raise PreconditionFailed(
                "If-Match does not match the entry's version. GET the entry again."
            )
        if none_match.contains_weak(etag):
            raise PreconditionFailed(
                "If-None-Match excludes the stored entry."
            )

    return check
