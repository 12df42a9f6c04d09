"""What comes with a request: its document, its parameters, and the headers that say what is meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from flask import Request, request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import LengthRequired, UnsupportedMediaType

from feedsvc.errors import Fault, Invalid, Malformed, PreconditionFailed, PreconditionRequired
from feedsvc.ingest import documents
from feedsvc.ingest.door import current_token
from feedsvc.model import Entry
from feedsvc.store import Writer

MOST_FAULTS = 500
"""Faults of one document that are told at most."""

_KEY = re.compile(r'("?)([ !#-~]{1,255})\1')

Answered = tuple[Any, int, dict[str, str]]
"""A view's answer: a JSON document, a status, headers."""


def refuse_query() -> None:
    """Refuse a query where none is meant.

    :raises Malformed: there is one.
    """
    if request.args:
        raise Malformed(f"{next(iter(request.args))}: Unknown parameter.")


def precondition(required: bool) -> Callable[[Entry | None], None]:
    """What If-Match and If-None-Match demand of the stored entry (RFC 9110 §13.1), to be asked in the write.

    :raises PreconditionRequired: one is `required`, and there is none.
    """
    match = request.if_match if "If-Match" in request.headers else None
    none_match = request.if_none_match if "If-None-Match" in request.headers else None
    if required and match is None and none_match is None:
        raise PreconditionRequired("If-Match with the entry's ETag is needed, or If-None-Match: * to create.")

    def check(old: Entry | None) -> None:
        stored = None if old is None or old.status == "deleted" else str(old.version)
        if match is not None and (stored is None or not match.contains(stored)):
            raise PreconditionFailed("The entry is not in the version that If-Match names.")
        if none_match is not None and stored is not None and none_match.contains(stored):
            raise PreconditionFailed("The entry is there, in a version that If-None-Match excludes.")

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
        raise Malformed("Idempotency-Key: 1 to 255 printable ASCII characters but quotes are needed.")
    return found[2]


def repeatable(writer: Writer, fingerprint: str, respond: Callable[[], Answered]) -> Answered:
    """The response to a request, the same for one that is sent again with its Idempotency-Key.

    :param fingerprint: the hash of its body.

    Writers wait for each other, so of two at once the second finds what the first was answered.

    :raises KeyReused: the key came with another body before.
    """
    key = idempotency_key()
    if key is None:
        return respond()
    kept = current_token().name, request.path, key, fingerprint
    answer: Answered | None = writer.retries.answer(*kept)
    if answer is None:
        answer = respond()
        writer.retries.keep(*kept, answer, answer[0].get("id"))
    return answer


def check_body(req: Request) -> None:
    """Refuse a body that is not read as it is: without its length, or encoded."""
    if req.content_length is None:
        raise LengthRequired("A body needs a Content-Length.")
    if req.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("A body with a Content-Encoding is not read.")


def read_document(req: Request) -> Any:
    """The strict JSON in a request's body.

    :raises Malformed: it is none.
    """
    check_body(req)
    if not req.is_json:
        raise UnsupportedMediaType("The body must be JSON: Content-Type: application/json.")
    return documents.parse(req.get_data())


def loaded(schema: Schema, document: Any) -> Any:
    """What a schema makes of a document.

    :raises Invalid: with a pointer to each fault.
    """
    try:
        return schema.load(document)
    except ValidationError as error:
        raise Invalid(*faults(error.messages)[:MOST_FAULTS]) from None


def patched(schema: Schema, stored: dict[str, Any], changes: Any) -> Any:
    """What a schema makes of a stored document with a merge patch applied (RFC 7396).

    :raises Invalid: as `loaded`; a null for a member that there is not is refused too.
    """
    if not isinstance(changes, dict):
        raise Invalid(Fault("#", "A merge patch is an object."))
    unknown = dict.fromkeys(changes.keys() - schema.fields.keys())
    return loaded(schema, documents.merge(stored, changes) | unknown)


class BodyParser(FlaskParser):
    """Reads JSON bodies strictly; an id in the path is the document's where that has none."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": "raise"}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The request's document."""
        refuse_query()
        document = read_document(req)
        if isinstance(document, dict):
            return {**(req.view_args or {}), **document}
        return document

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The request's parameters, each given once."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice:
            raise Malformed(f"{twice[0]}: Given more than once.")
        return super().load_querystring(req, schema)

    def handle_error(self, error: ValidationError, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse the body with a pointer to each fault; or the query, whose faults are no document's."""
        location, messages = next(iter(error.messages_dict.items()))
        found = faults(messages)
        if location == "query":
            raise Malformed("; ".join(f"{fault.pointer[2:]}: {fault.detail}" for fault in found))
        raise Invalid(*found[:MOST_FAULTS])


def faults(messages: Any, pointer: str = "#") -> list[Fault]:
    """Marshmallow's nested messages as faults with JSON pointers (RFC 6901 §6)."""
    if isinstance(messages, dict):
        return [
            fault
            for name, inner in messages.items()
            for fault in faults(inner, pointer if name == "_schema" else f"{pointer}/{_escaped(name)}")
        ]
    return [Fault(pointer, str(message)) for message in messages]


def _escaped(name: object) -> str:
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return text.replace("~", "~0").replace("/", "~1")
