"""The view of `/api/v1/batch`: put and delete many entries in one request."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

import marshmallow as ma
from flask import g, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf
from werkzeug.exceptions import RequestEntityTooLarge

from feedsvc.api.auth import MAX_LOGGED, write_as_token
from feedsvc.errors import (
    BadRequest,
    FeedsvcError,
    FieldError,
    Forbidden,
    Unavailable,
    ValidationFailed,
)
from feedsvc.input import fields
from feedsvc.input.loading import load_validated
from feedsvc.input.strict_json import MAX_DEPTH, loads_strict
from feedsvc.models import KINDS, Entry
from feedsvc.services import current_services
from feedsvc.storage.database import Transaction
from feedsvc.storage.entries import delete_entry, put_entry

#: The path by which the event loop gives batches threads of their own.
PATH = "/api/v1/batch"

#: Items of a batch.
MAX_ITEMS = 5000

#: Items a transaction: few, so that other writers need not wait for long.
TRANSACTION_SIZE = 100

#: Time after which items are no longer validated: proxies wait for 60 s.
MAX_SECONDS = 45

#: Errors of one item that the response lists.
MAX_ERRORS_PER_ITEM = 10

_log = logging.getLogger(__name__)

NDJSON = "application/x-ndjson"


class BatchItemSchema(ma.Schema):
    """An item: with the action `put`, all fields of an entry may follow."""

    action = ma.fields.String(required=True, validate=OneOf(("put", "delete")))
    kind = ma.fields.String(required=True, validate=OneOf(KINDS))
    id = fields.EntryId(required=True)


# The schema of the entry validates the other members.
_ITEM_SCHEMA = BatchItemSchema(unknown=ma.EXCLUDE)


@dataclass(frozen=True)
class _Item:
    """A validated item of a batch: an entry to put or to delete, or its failure.

    :param head: `action`, `kind` and `id`; empty if one of them is invalid.
    :param entry: None if it is to be deleted.
    :param failure: the status and the errors. The exception would keep the document.
    """

    head: dict[str, str]
    entry: Entry | None = None
    failure: dict[str, Any] | None = None


def post() -> ResponseReturnValue:
    """Put and delete many entries; an item with errors changes nothing."""
    deadline = time.monotonic() + MAX_SECONDS
    documents = _parse_body()
    results: list[dict[str, Any]] = []
    for start in range(0, len(documents), TRANSACTION_SIZE):
        # Sanitizing takes long, so it comes before the transaction.
        items = [
            _validate(document, deadline)
            for document in documents[start : start + TRANSACTION_SIZE]
        ]
        with write_as_token() as transaction:
            for index, item in enumerate(items, start):
                result = _store(item, transaction)
                results.append({"index": index, "id": item.head.get("id"), **result})
    failures = [result for result in results if "errors" in result]
    if failures:
        _log.info(
            "refused %d of %d items of a batch by %s, the first: %s",
            len(failures),
            len(results),
            g.token.name,
            str(failures[0])[:MAX_LOGGED],
        )
    return {"results": results}, 207 if failures else 200


def _parse_body() -> list[Any]:
    """Return the items, with a BadRequest for each line that is not strict JSON.

    :raises BadRequest: the body is not a JSON array.
    :raises RequestEntityTooLarge: there are too many items.
    """
    body = request.get_data()
    if request.mimetype == NDJSON:
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


def _validate(document: Any, deadline: float) -> _Item:
    """Return the item of a document, or the error of an invalid or a late one.

    :param deadline: by the monotonic clock.
    """
    head: dict[str, str] = {}
    entry = None
    try:
        if isinstance(document, BadRequest):
            raise document
        head = load_validated(_ITEM_SCHEMA, document)
        scope = f"{head['kind']}:write"
        if scope not in g.token.scopes:
            raise Forbidden(f"The token lacks the scope {scope}.")
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The batch took more than {MAX_SECONDS} s. Send this item again."
            )
        if head["action"] == "put":
            del document["action"]
            schema = current_services().entry_schemas[head["kind"]]
            entry = load_validated(schema, document)
    except FeedsvcError as error:
        return _Item(head, failure=_failure(error))
    return _Item(head, entry)


def _store(item: _Item, transaction: Transaction) -> dict[str, Any]:
    """Put or delete the entry of an item, and return its status and errors."""
    if item.failure:
        return item.failure
    try:
        if item.entry:
            _, is_new = put_entry(transaction, item.entry)
            return {"status": 201 if is_new else 200}
        delete_entry(transaction, item.head["kind"], item.head["id"])
        return {"status": 204}
    except FeedsvcError as error:
        return _failure(error)


def _failure(error: FeedsvcError) -> dict[str, Any]:
    """Return the status and the errors of an item that changes nothing."""
    errors: Sequence[FieldError] = [FieldError("#", str(error))]
    if isinstance(error, ValidationFailed):
        errors = error.errors[:MAX_ERRORS_PER_ITEM]
    return {"status": error.status, "errors": errors}
