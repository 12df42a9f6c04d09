"""Parse requests: JSON bodies, query parameters, preconditions."""

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

from flask import current_app, request
from marshmallow import Schema
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
from feedsvc.input.loading import load_validated
from feedsvc.input.strict_json import loads_strict
from feedsvc.models import Entry
from feedsvc.storage.entries import Precondition

#: Letters of the names that other services have for `dry_run`.
_LIKE_DRY_RUN = (
    "check draft dry dryrun noop preview simulate status test validate validateonly"
).split()

#: Times that a patch is applied to what others have written meanwhile.
MAX_ATTEMPTS = 5


def load_body(schema: Schema, **path: str) -> Any:
    """Return the value that a schema loads from the body of the request.

    :param path: the `id` or `slug` of the path, which need not be in the body.
    :raises BadRequest: the body is not strict JSON.
    :raises ValidationFailed: members are wrong, or it has another `id` or `slug`.
    """
    document = loads_strict(request.get_data())
    if isinstance(document, dict):
        for name, value in path.items():
            if document.get(name) in (None, ""):
                document[name] = value
            # A whole number stands for its digits.
            elif str(document[name]) != value:
                detail = f"Must be the {name} in the path."
                raise ValidationFailed(FieldError(f"#/{name}", detail))
    return load_validated(schema, document)


def load_query(schema: Schema) -> dict[str, Any]:
    """Return the parameters that a schema loads from the query of the request.

    :raises BadRequest: a parameter is wrong.
    """
    try:
        parameters: dict[str, Any] = load_validated(schema, request.args.to_dict())
    except ValidationFailed as failure:
        details = [f"{each.pointer[2:]}: {each.detail}" for each in failure.errors]
        raise BadRequest(" ".join(details)) from None
    return parameters


def parse_dry_run() -> bool:
    """Tell if a write is to be checked only, and not stored.

    :raises BadRequest: `dry_run` is not `true`, or another parameter looks like it.
    """
    # Some clients separate parameters by semicolons, which Werkzeug does not.
    query = request.environ["QUERY_STRING"].replace(";", "&;")
    pairs = [
        pair
        for pair in parse_qsl(query, keep_blank_values=True)
        if re.sub("[^a-z]", "", pair[0].lower()) in _LIKE_DRY_RUN
    ]
    if pairs and pairs != [("dry_run", "true")]:
        raise BadRequest(
            f"{', '.join(dict(pairs))}: "
            "To check a write without storing it, send dry_run=true alone. "
            'To store a draft, send "status": "draft" in the body.'
        )
    return bool(pairs)


def check_body_headers(media_types: Collection[str]) -> None:
    """Refuse a request whose body, by its headers, will not be read.

    :param media_types: those that the body may have besides JSON.
    :raises LengthRequired: the length is missing, or the body is chunked.
    :raises RequestEntityTooLarge: the body is longer than FEEDSVC_MAX_BODY.
    :raises UnsupportedMediaType: the body is encoded, or is not JSON.
    """
    if request.method not in ("POST", "PUT", "PATCH"):
        return
    # Werkzeug would cut a chunked body at the limit without an error.
    if request.content_length is None or "Transfer-Encoding" in request.headers:
        raise LengthRequired("Send a body with a Content-Length, not a chunked one.")
    max_length = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length > max_length:
        raise RequestEntityTooLarge(f"The body has more than {max_length:,} bytes.")
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
                raise PreconditionFailed("If-Match requires that the entry exists.")
            return
        etag = str(entry.version)
        # If-Match compares strongly, If-None-Match weakly (RFC 9110 §13.1).
        if match is not None and not match.contains(etag):
            raise PreconditionFailed(
                "If-Match does not match the entry's version. GET the entry again."
            )
        if none_match.contains_weak(etag):
            raise PreconditionFailed("If-None-Match excludes the stored entry.")

    return check
