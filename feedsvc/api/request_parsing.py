"""What comes with a request: its document, its parameters, and the headers that say what is meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from flask import Request, request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import LengthRequired, UnsupportedMediaType

from feedsvc.api import strict_json
from feedsvc.api.auth import current_token
from feedsvc.errors import (
    BadRequest,
    FieldError,
    PreconditionFailed,
    PreconditionRequired,
    ValidationFailed,
)
from feedsvc.models import Entry
from feedsvc.storage import Writer

MAX_ERRORS = 500
"""Faults of one document that are told at most."""

_KEY = re.compile(r'("?)([ !#-~]{1,255})\1')

ViewResult = tuple[Any, int, dict[str, str]]
"""A view's answer: a JSON document, a status, headers."""


def reject_query_parameters() -> None:
    """Refuse a query where none is meant.

    :raises Malformed: there is one.
    """
    if request.args:
        raise BadRequest(f"{next(iter(request.args))}: Unknown parameter.")


def check_preconditions(required: bool) -> Callable[[Entry | None], None]:
    """What If-Match and If-None-Match demand of the stored entry (RFC 9110 §13.1), to be asked in the write.

    :raises PreconditionRequired: one is `required`, and there is none.
    """
    match = request.if_match if "If-Match" in request.headers else None
    none_match = request.if_none_match if "If-None-Match" in request.headers else None
    if required and match is None and none_match is None:
        raise PreconditionRequired(
            "If-Match with the entry's ETag is needed, or If-None-Match: * to create."
        )

    def check(old: Entry | None) -> None:
        stored = None if old is None or old.status == "deleted" else str(old.version)
        if match is not None and (stored is None or not match.contains(stored)):
            raise PreconditionFailed(
                "The entry is not in the version that If-Match names."
            )
        if (
            none_match is not None
            and stored is not None
            and none_match.contains(stored)
        ):
            raise PreconditionFailed(
                "The entry is there, in a version that If-None-Match excludes."
            )

    return check


def idempotency_key() -> str | None:
    """The request's Idempotency-Key, bare or quoted.

    :raises Malformed: it is empty, longer than 255 characters, or not of printable ASCII without quotes.
    """
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    found = _KEY.fullmatch(given.strip())
    if found is None:
        raise BadRequest(
            "Idempotency-Key: 1 to 255 printable ASCII characters but quotes are needed."
        )
    return found[2]


def with_idempotency_key(
    writer: Writer, fingerprint: str, respond: Callable[[], ViewResult]
) -> ViewResult:
    """The response to a request, the same for one that is sent again with its Idempotency-Key.

    :param fingerprint: the hash of its body.

    Writers wait for each other, so of two at once the second finds what the first was answered.

    :raises KeyReused: the key came with another body before.
    """
    key = idempotency_key()
    if key is None:
        return respond()
    kept = current_token().name, request.path, key, fingerprint
    answer: ViewResult | None = writer.idempotency_keys.get(*kept)
    if answer is None:
        answer = respond()
        writer.idempotency_keys.put(*kept, answer, answer[0].get("id"))
    return answer


def check_content_headers(req: Request) -> None:
    """Refuse a body that is not read as it is: without its length, or encoded."""
    if req.content_length is None:
        raise LengthRequired("A body needs a Content-Length.")
    if req.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("A body with a Content-Encoding is not read.")


def parse_json_body(req: Request) -> Any:
    """The strict JSON in a request's body.

    :raises Malformed: it is none.
    """
    check_content_headers(req)
    if not req.is_json:
        raise UnsupportedMediaType(
            "The body must be JSON: Content-Type: application/json."
        )
    return strict_json.loads_strict(req.get_data())


def load_validated(schema: Schema, document: Any) -> Any:
    """What a schema makes of a document.

    :raises Invalid: with a pointer to each fault.
    """
    try:
        return schema.load(document)
    except ValidationError as error:
        raise ValidationFailed(*field_errors(error.messages)[:MAX_ERRORS]) from None


def load_patched(schema: Schema, stored: dict[str, Any], changes: Any) -> Any:
    """What a schema makes of a stored document with a merge patch applied (RFC 7396).

    :raises Invalid: as `loaded`; a null for a member that there is not is refused too.
    """
    if not isinstance(changes, dict):
        raise ValidationFailed(FieldError("#", "A merge patch is an object."))
    unknown = dict.fromkeys(changes.keys() - schema.fields.keys())
    return load_validated(
        schema, strict_json.apply_merge_patch(stored, changes) | unknown
    )


class StrictParser(FlaskParser):
    """Reads JSON bodies strictly; an id in the path is the document's where that has none."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": "raise"}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The request's document."""
        reject_query_parameters()
        document = parse_json_body(req)
        if isinstance(document, dict):
            return {**(req.view_args or {}), **document}
        return document

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The request's parameters, each given once."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice:
            raise BadRequest(f"{twice[0]}: Given more than once.")
        return super().load_querystring(req, schema)

    def handle_error(
        self, error: ValidationError, *args: Any, **kwargs: Any
    ) -> NoReturn:
        """Refuse the body with a pointer to each fault; or the query, whose faults are no document's."""
        location, messages = next(iter(error.messages_dict.items()))
        found = field_errors(messages)
        if location == "query":
            raise BadRequest(
                "; ".join(f"{fault.pointer[2:]}: {fault.detail}" for fault in found)
            )
        raise ValidationFailed(*found[:MAX_ERRORS])


def field_errors(messages: Any, pointer: str = "#") -> list[FieldError]:
    """Marshmallow's nested messages as faults with JSON pointers (RFC 6901 §6)."""
    if isinstance(messages, dict):
        return [
            fault
            for name, inner in messages.items()
            for fault in field_errors(
                inner, pointer if name == "_schema" else f"{pointer}/{_escaped(name)}"
            )
        ]
    return [FieldError(pointer, str(message)) for message in messages]


def _escaped(name: object) -> str:
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return text.replace("~", "~0").replace("/", "~1")
