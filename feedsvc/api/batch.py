"""The view of `/api/v1/batch`: put and delete many entries in one request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from hashlib import sha256
from io import BytesIO
from itertools import islice
from shutil import copyfileobj
from typing import Any

from flask import Response, current_app, request
from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import OneOf
from werkzeug.exceptions import (
    ClientDisconnected,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from feedsvc.api import fields as own
from feedsvc.api.auth import (
    Authenticator,
    can_publish,
    current_token,
)
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.derived_schemas import BatchResultsSchema, EntrySchemas, one_of
from feedsvc.api.openapi import EXAMPLES
from feedsvc.api.request_parsing import (
    JsonResult,
    check_content_headers,
    load_validated,
    parse_idempotency_key,
    respond_once,
)
from feedsvc.api.schemas import ArgumentsSchema
from feedsvc.api.strict_json import MAX_DEPTH, loads_strict
from feedsvc.errors import (
    BadRequest,
    FeedsvcError,
    FieldError,
    Forbidden,
    Unavailable,
    ValidationFailed,
)
from feedsvc.feed_query import KINDS
from feedsvc.http.problem_details import http_status
from feedsvc.http.rate_limits import BulkRateLimiter
from feedsvc.http.response_slots import ResponseSlots
from feedsvc.models import Entry
from feedsvc.storage import Storage, Writer

MAX_ITEMS = 50_000
"""Items of a batch."""

MAX_LINES = 2 * MAX_ITEMS
"""Lines of NDJSON, blank ones too: a body has room for millions of them."""

MAX_ATOMIC_ITEMS = 1000
"""Items of an atomic batch, which is one transaction."""

BATCH_SIZE = 100
"""Items a transaction: few, so that the write lock is held for less than 0.5 s."""

MAX_FAILED_ITEMS = 1000
"""Items with errors, after which a batch stops: it is the wrong file, or a defect."""

MAX_ERRORS_PER_ITEM = 50
"""Errors of one item that the response lists."""

_LARGE_BODY = 1024 * 1024
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


class BatchArguments(ArgumentsSchema):
    """The query parameters of a batch."""

    atomic = fields.Boolean(
        truthy={"true"},
        falsy={"false"},
        load_default=False,
        error_messages={"invalid": "Must be true or false."},
        metadata={"description": "Store all items or none."},
    )


class ItemHeadSchema(Schema):
    """The members of an item that say what to do with the others."""

    action = fields.String(required=True, validate=OneOf(("put", "delete")))
    kind = fields.String(required=True, validate=OneOf(KINDS))
    id = own.identifier(required=True)


_ITEM_HEAD = ItemHeadSchema(unknown=EXCLUDE)


@dataclass(frozen=True)
class BatchItem:
    """An item of a batch: an entry to put, an id to delete, or an error."""

    index: int
    kind: str = ""
    id: str | None = None
    entry: Entry | None = None
    error: FeedsvcError | None = None


def batch_blueprint(
    storage: Storage,
    authenticator: Authenticator,
    schemas: Mapping[str, EntrySchemas],
    rate_limiter: BulkRateLimiter,
    max_ndjson: int,
) -> ApiBlueprint:
    """Return the view of batches.

    :param schemas: of entries, by kind.
    :param rate_limiter: counts items by token.
    :param max_ndjson: bytes of a body of NDJSON. A JSON array has the limit of all
        other bodies.
    """
    api = ApiBlueprint("batch", authenticator)
    slots = ResponseSlots(max_waiting=0)

    @api.post("", parameters=["Idempotency-Key"])
    @api.authorize(*(f"{kind}:write" for kind in KINDS))
    @api.errors(*BODY_ERRORS)
    @api.json_body(_BODY)
    @api.arguments(BatchArguments, location="query", error_status_code=400)
    @api.response(200, BatchResultsSchema, description="Success.")
    @api.alt_response(
        207, schema=BatchResultsSchema, description="Some items have errors."
    )
    def batch(arguments: dict[str, Any]) -> Response:
        """Put and delete many entries."""
        atomic = arguments["atomic"]
        # A batch that is not atomic can be repeated as it is, and its results are too
        # large to be stored.
        if parse_idempotency_key() is not None and not atomic:
            raise BadRequest("Idempotency-Key: Only for atomic batches.")
        # Only a few large bodies may be in memory. Small ones need no slot, so
        # that large ones never cause their refusal.
        is_large = (request.content_length or 0) > _LARGE_BODY
        with slots.hold() if is_large else nullcontext():
            body = _read_body(max_ndjson)
            limit = MAX_ATOMIC_ITEMS if atomic else MAX_ITEMS
            if body.count > limit:
                name = "An atomic batch" if atomic else "A batch"
                raise RequestEntityTooLarge(f"{name} has at most {limit:,} items.")
            # Before anything is stored, so that the client can repeat the whole batch.
            rate_limiter.charge(current_token().name, body.count)
            items = (
                _parse_item(index, document, schemas)
                for index, document in enumerate(body.documents)
            )
            if not atomic:
                return _BatchRun(storage).response(items, body.count)
            # Sanitizing takes long, so it comes before the transaction.
            parsed = list(items)
            with storage.writer(current_token().name) as writer:
                return respond_once(
                    writer,
                    body.fingerprint,
                    lambda writer: _store_atomically(parsed, writer),
                )

    return api


@dataclass(frozen=True)
class BatchBody:
    """The items of a batch before they are validated.

    `documents` has a BadRequest for each line that is not strict JSON.
    """

    fingerprint: str
    count: int
    documents: Iterable[Any]


def _lines(ndjson: bytes) -> Iterator[bytes]:
    return (line for line in BytesIO(ndjson) if line.strip())


def _parse_lines(ndjson: bytes) -> Iterator[Any]:
    for line in _lines(ndjson):
        try:
            yield loads_strict(line)
        except BadRequest as error:
            yield error


def _count_lines(ndjson: bytes, max_line_bytes: int) -> int:
    if ndjson.count(b"\n") > MAX_LINES:
        raise RequestEntityTooLarge(f"A batch has at most {MAX_LINES:,} lines.")
    count = 0
    for line in _lines(ndjson):
        if len(line) > max_line_bytes:
            raise BadRequest(f"A line is longer than {max_line_bytes:,} bytes.")
        count += 1
    return count


def _parse_array(body: bytes) -> list[Any]:
    # The array is one more level around the documents.
    array = loads_strict(body, MAX_DEPTH + 1)
    if not isinstance(array, list):
        raise BadRequest("The body must be a JSON array.")
    return array


def _read_body(max_ndjson: int) -> BatchBody:
    """Read the body of the request.

    It is read before anything is stored, so that its items can be counted, and a slow
    client holds no transaction.

    :raises BadRequest: the body is not a JSON array, or a line is too long.
    :raises RequestEntityTooLarge: the body is too large, or has too many lines.
    """
    is_ndjson = request.mimetype == _NDJSON
    # A document is parsed whole, so a line may not be larger than other bodies.
    max_document: int = current_app.config["MAX_CONTENT_LENGTH"]
    if is_ndjson:
        request.max_content_length = max_ndjson
    check_content_headers()
    if not is_ndjson and (request.content_length or 0) > max_document:
        raise RequestEntityTooLarge(
            f"An array has at most {max_document:,} bytes; "
            f"{_NDJSON} has at most {max_ndjson:,}."
        )
    if request.mimetype not in _BODY:
        raise UnsupportedMediaType(f"Must be {_JSON} (an array) or {_NDJSON}.")
    # Without a second copy, which `request.stream.read` makes.
    buffer = BytesIO()
    copyfileobj(request.stream, buffer)
    body = buffer.getvalue()
    # Werkzeug returns what has come when a client disconnects.
    if len(body) < (request.content_length or 0):
        raise ClientDisconnected
    # A repeated request with an Idempotency-Key must have the same bytes.
    fingerprint = sha256(body).hexdigest()
    if is_ndjson:
        count = _count_lines(body, max_document)
        return BatchBody(fingerprint, count, _parse_lines(body))
    array = _parse_array(body)
    return BatchBody(fingerprint, len(array), array)


def _parse_item(
    index: int, document: Any, schemas: Mapping[str, EntrySchemas]
) -> BatchItem:
    """Validate an item, and check the scope that it needs."""
    if isinstance(document, BadRequest):
        return BatchItem(index, error=document)
    if not isinstance(document, dict):
        error = ValidationFailed(FieldError("#", "Must be an object."))
        return BatchItem(index, error=error)
    try:
        head = load_validated(_ITEM_HEAD, document)
    except ValidationFailed as invalid:
        known_id = document.get("id")
        known_id = known_id if isinstance(known_id, str) else None
        return BatchItem(index, id=known_id, error=invalid)
    kind, entry_id = head["kind"], head["id"]
    del document["action"], document["kind"]
    scope = f"{kind}:write"
    if scope not in current_token().scopes:
        forbidden = Forbidden(f"The token lacks the scope {scope}.")
        return BatchItem(index, kind, entry_id, error=forbidden)
    if head["action"] == "delete":
        return BatchItem(index, kind, entry_id)
    try:
        entry = load_validated(schemas[kind].request, document)
    except ValidationFailed as invalid:
        return BatchItem(index, kind, entry_id, error=invalid)
    return BatchItem(index, kind, entry_id, entry)


def _prefetch(items: Iterable[BatchItem], writer: Writer) -> None:
    """Read the stored entries of a group in a few statements for all."""
    writer.entries.prefetch(item.id for item in items if item.id and not item.error)


def _apply(item: BatchItem, writer: Writer | None) -> int:
    """Put or delete the entry of an item, and return the status.

    :param writer: None if the item has an error.
    """
    if item.error:
        raise item.error
    assert writer is not None
    publish = can_publish(item.kind)
    if item.entry is None:
        writer.entries.delete(item.kind, item.id or "", publish=publish)
        return 204
    _, is_new = writer.entries.put(item.entry, publish=publish)
    return 201 if is_new else 200


def _process(item: BatchItem, writer: Writer | None) -> dict[str, Any]:
    """Apply an item, and return its result; one with an error changes nothing."""
    result: dict[str, Any] = {"index": item.index, "id": item.id}
    try:
        result["status"] = _apply(item, writer)
        return result
    except Unavailable:
        # The other items would fail too, so the whole batch is 503.
        raise
    except FeedsvcError as error:
        errors: Iterable[FieldError] = [FieldError("#", str(error))]
        if isinstance(error, ValidationFailed):
            errors = error.errors[:MAX_ERRORS_PER_ITEM]
        result["status"] = http_status(error)
        result["errors"] = [asdict(field_error) for field_error in errors]
        return result


def _store_atomically(items: list[BatchItem], writer: Writer) -> JsonResult:
    """Store all items.

    :raises ValidationFailed: with pointers into the batch for all errors.
    """
    _prefetch(items, writer)
    results = [_process(item, writer) for item in items]
    errors = [
        FieldError(f"#/{result['index']}{error['pointer'][1:]}", error["detail"])
        for result in results
        for error in result.get("errors", ())
    ]
    if errors:
        raise ValidationFailed(*errors)
    return {"results": results}, 200, {"Cache-Control": "no-store"}


class _BatchRun:
    """Store a batch group by group until too many items have errors."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        # JSON at once: 50,000 results as objects take ten times the memory.
        self._results: list[bytes] = []
        self._failed = 0

    def response(self, items: Iterator[BatchItem], total: int) -> Response:
        """Store the items, of which there are `total`, and return the results."""
        while group := list(islice(items, BATCH_SIZE)):
            self._store_group(group)
            if self._failed >= MAX_FAILED_ITEMS:
                break
        results = b",".join(self._results)
        body = [b'{"results":[', results, b"]", self._stopped(total), b"}\n"]
        status = 207 if self._failed else 200
        response = Response(body, status, mimetype=_JSON)
        response.headers["Cache-Control"] = "no-store"
        response.content_length = sum(map(len, body))
        return response

    def _store_group(self, group: list[BatchItem]) -> None:
        # Without a valid item no write lock is needed.
        if all(item.error for item in group):
            self._add_results(group, None)
            return
        with self._storage.writer(current_token().name) as writer:
            _prefetch(group, writer)
            self._add_results(group, writer)

    def _add_results(self, group: list[BatchItem], writer: Writer | None) -> None:
        for item in group:
            if self._failed >= MAX_FAILED_ITEMS:
                return
            result = _process(item, writer)
            if result["status"] >= 300:
                self._failed += 1
            encoded = current_app.json.dumps(result, separators=(",", ":"))
            # The id may have lone surrogates, which UTF-8 lacks.
            self._results.append(encoded.encode("utf-8", "backslashreplace"))

    def _stopped(self, total: int) -> bytes:
        """Return the member that names the first ignored item, if there is one."""
        count = len(self._results)
        if count == total:
            return b""
        detail = (
            f"Stopped after {MAX_FAILED_ITEMS:,} items with errors; the items from "
            "this index on were ignored."
        )
        stopped = current_app.json.dumps({"index": count, "detail": detail})
        return b',"stopped":' + stopped.encode()
