"""The view of `/api/v1/batch`: put and delete many entries in one request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from itertools import islice
from typing import Any

import marshmallow as ma
from flask import request
from flask.views import MethodView
from marshmallow import fields
from marshmallow.validate import OneOf
from werkzeug.exceptions import RequestEntityTooLarge

from feedsvc.api import fields as own
from feedsvc.api.auth import current_token, write_as_token
from feedsvc.api.blueprint import ApiBlueprint
from feedsvc.api.entries import EXAMPLES
from feedsvc.api.request_parsing import load_validated
from feedsvc.api.schemas import ClosedSchema, FieldErrorSchema
from feedsvc.api.strict_json import MAX_DEPTH, loads_strict
from feedsvc.errors import (
    BadRequest,
    FeedsvcError,
    FieldError,
    Forbidden,
    ValidationFailed,
)
from feedsvc.models import ENTRY_SCOPES, KINDS, Entry
from feedsvc.services import Services
from feedsvc.storage.database import Transaction
from feedsvc.storage.entries import delete_entry, put_entry
from feedsvc.web.errors import STATUSES

MAX_ITEMS = 5000
"""Items of a batch."""

TRANSACTION_SIZE = 100
"""Items a transaction: few, so that other writers need not wait for long."""

MAX_ERRORS_PER_ITEM = 10
"""Errors of one item that the response lists."""

_NDJSON = "application/x-ndjson"
_EXAMPLE = [
    {"action": "put", "kind": "news", **EXAMPLES["news"]},
    {"action": "delete", "kind": "events", "id": "hoi-sach"},
]


class BatchItemSchema(ma.Schema):
    """An item: with the action `put`, all fields of an entry may follow."""

    class Meta:
        """The schema of the entry validates the other members."""

        unknown = ma.EXCLUDE

    action = fields.String(required=True, validate=OneOf(("put", "delete")))
    kind = fields.String(required=True, validate=OneOf(KINDS))
    id = own.EntryId(required=True)


class BatchResultSchema(ClosedSchema):
    """The result of one item of a batch."""

    index = fields.Integer(required=True)
    id = fields.String(required=True, allow_none=True)
    status = fields.Integer(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))


class BatchResultsSchema(ClosedSchema):
    """The results of a batch."""

    results = fields.List(fields.Nested(BatchResultSchema), required=True)


_BODY = {
    "application/json": {
        "schema": {"type": "array", "items": BatchItemSchema},
        "example": _EXAMPLE,
    },
    _NDJSON: {"schema": BatchItemSchema},
}


Store = Callable[[Transaction], int]
"""Puts or deletes an entry, and returns the status; raises a FeedsvcError."""


def batch_blueprint(services: Services) -> ApiBlueprint:
    """Return the view of batches."""
    blueprint = ApiBlueprint("batch", _NDJSON)

    @blueprint.route("")
    class Batch(MethodView):
        @blueprint.authorize(*ENTRY_SCOPES)
        @blueprint.doc(requestBody={"required": True, "content": _BODY})
        @blueprint.response(200, BatchResultsSchema)
        @blueprint.alt_response(207, schema=BatchResultsSchema)
        def post(self) -> tuple[dict[str, Any], int, dict[str, str]]:
            """Put and delete many entries; an item with errors changes nothing."""
            documents = _parse_body()
            results: list[dict[str, Any]] = []
            for start in range(0, len(documents), TRANSACTION_SIZE):
                # Sanitizing takes long, so it comes before the transaction.
                group = [
                    _validate(document, services)
                    for document in documents[start : start + TRANSACTION_SIZE]
                ]
                with write_as_token(services.database) as transaction:
                    for index, (entry_id, store) in enumerate(group, start):
                        result = _result(store, transaction)
                        results.append({"index": index, "id": entry_id, **result})
            has_failures = any("errors" in result for result in results)
            headers = {"Cache-Control": "no-store"}
            return {"results": results}, 207 if has_failures else 200, headers

    return blueprint


def _parse_body() -> list[Any]:
    """Return the items, with a BadRequest for each line that is not strict JSON.

    :raises BadRequest: the body is not a JSON array.
    :raises RequestEntityTooLarge: there are too many items.
    """
    body = request.get_data()
    if request.mimetype == _NDJSON:
        lines = (line for line in BytesIO(body) if line.strip())
        # No more are parsed than are counted: a body may have millions of lines.
        items = [_parse_line(line) for line in islice(lines, MAX_ITEMS + 1)]
    else:
        # The array is one more level around the items.
        items = loads_strict(body, MAX_DEPTH + 1)
        if not isinstance(items, list):
            raise BadRequest("The body must be a JSON array.")
    if len(items) > MAX_ITEMS:
        raise RequestEntityTooLarge(f"A batch has at most {MAX_ITEMS:,} items.")
    return items


def _parse_line(line: bytes) -> Any:
    try:
        return loads_strict(line)
    except BadRequest as error:
        return error


def _validate(document: Any, services: Services) -> tuple[str | None, Store]:
    """Validate an item; return its id, and a function that stores it.

    If the item is invalid, the function raises why.
    """
    if isinstance(document, BadRequest):
        return None, partial(_fail, document)
    try:
        head = load_validated(BatchItemSchema(), document)
    except ValidationFailed as invalid:
        return None, partial(_fail, invalid)
    kind, entry_id = head["kind"], head["id"]
    scope = f"{kind}:write"
    if scope not in current_token().scopes:
        forbidden = Forbidden(f"The token lacks the scope {scope}.")
        return entry_id, partial(_fail, forbidden)
    if head["action"] == "delete":
        return entry_id, partial(_delete, kind, entry_id)
    del document["action"]
    try:
        entry = load_validated(services.entry_schemas[kind], document)
    except ValidationFailed as invalid:
        return entry_id, partial(_fail, invalid)
    return entry_id, partial(_put, entry)


def _fail(error: FeedsvcError, transaction: Transaction) -> int:
    raise error


def _delete(kind: str, entry_id: str, transaction: Transaction) -> int:
    delete_entry(transaction, kind, entry_id)
    return 204


def _put(entry: Entry, transaction: Transaction) -> int:
    _, is_new = put_entry(transaction, entry)
    return 201 if is_new else 200


def _result(store: Store, transaction: Transaction) -> dict[str, Any]:
    """Store an item, and return its status and errors."""
    try:
        return {"status": store(transaction)}
    except ValidationFailed as invalid:
        return {"status": 422, "errors": invalid.errors[:MAX_ERRORS_PER_ITEM]}
    except FeedsvcError as error:
        errors = [FieldError("#", str(error))]
        return {"status": STATUSES[type(error)], "errors": errors}
