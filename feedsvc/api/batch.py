"""`/api/v1/batch`: many entries in one request, stored in groups, or all or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from feedsvc.api.auth import Authenticator, BulkRate, can_publish, current_token
from feedsvc.api.batch_body import BatchSlots
from feedsvc.api.batch_run import MAX_FAULTS, BatchRun, Line, expect
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.openapi import EXAMPLES
from feedsvc.api.request_parsing import (
    ViewResult,
    idempotency_key,
    load_validated,
    with_idempotency_key,
)
from feedsvc.api.schemas import EntrySchema
from feedsvc.errors import (
    BadRequest,
    FeedsvcError,
    FieldError,
    Forbidden,
    Unavailable,
    ValidationFailed,
)
from feedsvc.query import KINDS
from feedsvc.storage import Storage, Writer


def batch_blueprint(
    store: Storage,
    door: Authenticator,
    schemas: Mapping[str, EntrySchema],
    status_of: Callable[[FeedsvcError], int],
    most: int,
    rate: BulkRate,
) -> ApiBlueprint:
    """The batch.

    :param status_of: the HTTP status that an error has.
    :param most: bytes of a batch at most.
    :param rate: how many lines a token may send.
    """
    api = ApiBlueprint("batch", door)
    slots = BatchSlots()

    scopes = [f"{kind}:write" for kind in KINDS]
    lines = [
        {"action": "put", "kind": "news", **EXAMPLES["Article"]},
        {"action": "delete", "kind": "events", "id": "hoi-sach"},
    ]
    body = {
        "application/json": ("Batch", lines),
        "application/x-ndjson": ("Line", lines[0]),
    }
    atomic = {
        "name": "atomic",
        "in": "query",
        "schema": {"type": "boolean", "default": False},
    }

    @api.post("", parameters=[atomic])
    @api.endpoint(
        200,
        207,
        schema="Results",
        scopes=scopes,
        errors=BODY_ERRORS,
        headers=["Idempotency-Key"],
        body=body,
    )
    def batch() -> ResponseReturnValue:
        """Put and delete many entries; `?atomic=true` all of them or none."""
        atomic = _is_atomic()
        if idempotency_key() is not None and not atomic:
            raise BadRequest(
                "Idempotency-Key is for atomic batches; others are safe to repeat."
            )
        with slots.body(most) as body:
            body.check_count(atomic=atomic)
            rate.charge(current_token().name, body.count)
            lines = (
                read(index, document) for index, document in enumerate(body.documents())
            )
            if not atomic:
                return BatchRun(store, outcome).response(lines, body.count)
            whole = list(lines)
            with store.writer(current_token().name) as writer:
                return with_idempotency_key(
                    writer, body.fingerprint, lambda: answer(store_all(whole, writer))
                )

    def answer(results: list[dict[str, Any]]) -> ViewResult:
        return {"results": results}, 200, {"Cache-Control": "no-store"}

    def read(index: int, document: Any) -> Line:
        """A line, cleaned, with the error that it has."""
        if isinstance(document, BadRequest):
            return Line(index, error=document)
        if not isinstance(document, dict):
            return Line(
                index, error=ValidationFailed(FieldError("#", "A line is an object."))
            )
        fields = dict(document)
        action, kind, id = (
            fields.pop("action", None),
            fields.pop("kind", None),
            fields.get("id"),
        )
        wrong = (
            []
            if action in ("put", "delete")
            else [FieldError("#/action", "Must be put or delete.")]
        )
        wrong += (
            []
            if kind in KINDS
            else [FieldError("#/kind", f"Must be {' or '.join(KINDS)}.")]
        )
        wrong += [] if isinstance(id, str) else [FieldError("#/id", "Must be text.")]
        if wrong:
            return Line(
                index,
                id=id if isinstance(id, str) else None,
                error=ValidationFailed(*wrong),
            )
        if f"{kind}:write" not in current_token().scopes:
            return Line(
                index,
                kind,
                id,
                error=Forbidden(f"The token lacks the scope {kind}:write."),
            )
        try:
            return Line(
                index,
                kind,
                id,
                None if action == "delete" else load_validated(schemas[kind], fields),
            )
        except ValidationFailed as error:
            return Line(index, kind, id, error=error)

    def store_all(lines: list[Line], writer: Writer) -> list[dict[str, Any]]:
        """The results of an atomic batch.

        :raises Invalid: with a pointer into the batch for all that is wrong.
        """
        expect(lines, writer)
        results = [outcome(line, writer) for line in lines]
        wrong = [
            FieldError(f"#/{result['index']}{error['pointer'][1:]}", error["detail"])
            for result in results
            if result["status"] >= 300
            for error in result["errors"]
        ]
        if wrong:
            raise ValidationFailed(*wrong)
        return results

    def outcome(line: Line, writer: Writer | None) -> dict[str, Any]:
        """Store a line, and say how that went; what the store refuses leaves nothing behind.

        :param writer: None where the line has an error already.
        """
        told = {"index": line.index, "id": line.id}
        try:
            return {**told, "status": stored(line, writer)}
        except Unavailable:
            raise
        except FeedsvcError as error:
            found = (
                error.errors
                if isinstance(error, ValidationFailed)
                else (FieldError("#", str(error)),)
            )
            listed = [asdict(fault) for fault in found[:MAX_FAULTS]]
            return {**told, "status": status_of(error), "errors": listed}

    def stored(line: Line, writer: Writer | None) -> int:
        if line.error:
            raise line.error
        assert writer
        publish = can_publish(line.kind)
        if line.entry is None:
            writer.entries.delete(line.kind, line.id or "", publish=publish)
            return 204
        return 201 if writer.entries.put(line.entry, publish=publish)[1] else 200

    return api


def _is_atomic() -> bool:
    given = request.args.to_dict(flat=False)
    if given not in ({}, {"atomic": ["true"]}, {"atomic": ["false"]}):
        raise BadRequest("The only parameter is atomic, true or false.")
    return given == {"atomic": ["true"]}
