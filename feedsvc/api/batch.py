"""The view of `/api/v1/batch`: put and delete many entries in one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

from flask import request
from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import OneOf
from werkzeug.exceptions import RequestEntityTooLarge

from feedsvc.api import fields as own
from feedsvc.api.auth import current_token
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.derived_schemas import BatchResultsSchema, EntrySchemas, one_of
from feedsvc.api.openapi import EXAMPLES
from feedsvc.api.request_parsing import (
    load_validated,
    reject_query_parameters,
)
from feedsvc.api.strict_json import MAX_DEPTH, loads_strict
from feedsvc.errors import (
    BadRequest,
    FeedsvcError,
    FieldError,
    Forbidden,
    ValidationFailed,
)
from feedsvc.http.problem_details import http_status
from feedsvc.models import KINDS, Entry
from feedsvc.services import Services
from feedsvc.storage.database import Transaction
from feedsvc.storage.entries import delete_entry, put_entry

MAX_ITEMS = 5000
"""Items of a batch."""

TRANSACTION_SIZE = 100
"""Items a transaction: few, so that the write lock is held for less than 0.5 s."""

MAX_ERRORS_PER_ITEM = 10
"""Errors of one item that the response lists."""

_JSON, _NDJSON = "application/json", "application/x-ndjson"
_ITEM = one_of("ArticleBatchItem", "EventBatchItem", "DeletionBatchItem")
_PUT_EXAMPLE = {"action": "put", "kind": "news", **EXAMPLES["Article"]}
_DELETE_EXAMPLE = {"action": "delete", "kind": "events", "id": "hoi-sach"}
_BODY = {
    _JSON: {
        "schema": {"type": "array", "items": _ITEM},
        "example": [_PUT_EXAMPLE, _DELETE_EXAMPLE],
    },
    _NDJSON: {"schema": _ITEM, "example": _PUT_EXAMPLE},
}


class ItemHeadSchema(Schema):
    """The members of an item that say what to do with the others."""

    action = fields.String(required=True, validate=OneOf(("put", "delete")))
    kind = fields.String(required=True, validate=OneOf(KINDS))
    id = own.identifier(required=True)


_ITEM_HEAD = ItemHeadSchema(unknown=EXCLUDE)


@dataclass(frozen=True)
class BatchItem:
    """An item of a batch: an entry to put, an id to delete, or an error."""

    kind: str = ""
    id: str | None = None
    entry: Entry | None = None
    error: FeedsvcError | None = None


def batch_blueprint(services: Services) -> ApiBlueprint:
    """Return the view of batches."""
    api = ApiBlueprint("batch", services.authenticator, _NDJSON)
    schemas = services.entry_schemas

    @api.post("")
    @api.authorize(*(f"{kind}:write" for kind in KINDS))
    @api.errors(*BODY_ERRORS)
    @api.json_body(_BODY)
    @api.response(200, BatchResultsSchema, description="Success.")
    @api.alt_response(
        207, schema=BatchResultsSchema, description="Some items have errors."
    )
    def batch() -> Any:
        """Put and delete many entries; an item with errors changes nothing."""
        reject_query_parameters()
        documents = _parse_body()
        results: list[dict[str, Any]] = []
        for start in range(0, len(documents), TRANSACTION_SIZE):
            # Sanitizing takes long, so it comes before the transaction.
            group = [
                _parse_item(document, schemas)
                for document in documents[start : start + TRANSACTION_SIZE]
            ]
            with services.database.write(current_token().name) as transaction:
                for index, item in enumerate(group, start):
                    results.append({"index": index, **_store(item, transaction)})
        has_failures = any("errors" in result for result in results)
        status = 207 if has_failures else 200
        return {"results": results}, status, {"Cache-Control": "no-store"}

    return api


def _parse_body() -> list[Any]:
    """Return the items, with a BadRequest for each line that is not strict JSON.

    :raises BadRequest: the body is not a JSON array.
    :raises RequestEntityTooLarge: there are too many items.
    """
    body = request.get_data()
    if request.mimetype == _NDJSON:
        lines = (line for line in BytesIO(body) if line.strip())
        # No more than that, since a body has room for millions of lines.
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


def _parse_item(document: Any, schemas: Mapping[str, EntrySchemas]) -> BatchItem:
    """Validate an item, and check the scope that it needs."""
    if isinstance(document, BadRequest):
        return BatchItem(error=document)
    if not isinstance(document, dict):
        error = ValidationFailed(FieldError("#", "Must be an object."))
        return BatchItem(error=error)
    try:
        head = load_validated(_ITEM_HEAD, document)
    except ValidationFailed as invalid:
        return BatchItem(error=invalid)
    kind, entry_id = head["kind"], head["id"]
    del document["action"], document["kind"]
    scope = f"{kind}:write"
    if scope not in current_token().scopes:
        forbidden = Forbidden(f"The token lacks the scope {scope}.")
        return BatchItem(kind, entry_id, error=forbidden)
    if head["action"] == "delete":
        return BatchItem(kind, entry_id)
    try:
        entry = load_validated(schemas[kind].request, document)
    except ValidationFailed as invalid:
        return BatchItem(kind, entry_id, error=invalid)
    return BatchItem(kind, entry_id, entry)


def _store(item: BatchItem, transaction: Transaction) -> dict[str, Any]:
    """Put or delete the entry of an item, and return the result."""
    try:
        return {"id": item.id, "status": _apply(item, transaction)}
    except FeedsvcError as error:
        errors = [FieldError("#", str(error))]
        if isinstance(error, ValidationFailed):
            errors = list(error.errors[:MAX_ERRORS_PER_ITEM])
        return {"id": item.id, "status": http_status(error), "errors": errors}


def _apply(item: BatchItem, transaction: Transaction) -> int:
    """Put or delete the entry of an item, and return the status."""
    if item.error:
        raise item.error
    if item.entry is None:
        delete_entry(transaction, item.kind, item.id or "")
        return 204
    _, is_new = put_entry(transaction, item.entry)
    return 201 if is_new else 200
