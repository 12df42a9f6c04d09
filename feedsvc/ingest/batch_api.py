"""`/api/v1/batch`: many entries in one request, read as a stream and stored in groups, or all or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from feedsvc.errors import Fault, FeedsvcError, Forbidden, Invalid, Malformed, Unavailable
from feedsvc.ingest.description import EXAMPLES
from feedsvc.ingest.door import Door, current_token, may_publish
from feedsvc.ingest.operations import WRITTEN, Operations
from feedsvc.ingest.requests import Answered, check_body, idempotency_key, loaded, repeatable
from feedsvc.ingest.schemas import EntrySchema
from feedsvc.ingest.streams import array, ndjson
from feedsvc.model import Entry
from feedsvc.query import KINDS
from feedsvc.store import Store, Writer

GROUP = 100
"""Lines a transaction: few enough that the write lock is never held for half a second."""

MOST_ATOMIC = 1000


@dataclass(frozen=True)
class Line:
    """One line of a batch: an entry to put, an id to delete, or what is wrong with it."""

    index: int
    kind: str = ""
    id: str | None = None
    entry: Entry | None = None
    error: FeedsvcError | None = None


def batch_blueprint(
    store: Store,
    door: Door,
    schemas: Mapping[str, EntrySchema],
    status_of: Callable[[FeedsvcError], int],
    most: int,
) -> Operations:
    """The batch.

    :param status_of: the HTTP status that an error has.
    :param most: bytes of a batch at most.
    """
    api = Operations("batch", door)

    scopes = [f"{kind}:write" for kind in KINDS]
    lines = [
        {"action": "put", "kind": "news", **EXAMPLES["Article"]},
        {"action": "delete", "kind": "events", "id": "hoi-sach"},
    ]
    body = {"application/json": ("Batch", lines), "application/x-ndjson": ("Line", lines[0])}
    atomic = {"name": "atomic", "in": "query", "schema": {"type": "boolean", "default": False}}

    @api.post("", parameters=[atomic])
    @api.operation(
        200, 207, schema="Results", scopes=scopes, errors=WRITTEN, headers=["Idempotency-Key"], body=body
    )
    def batch() -> ResponseReturnValue:
        """Put and delete many entries; `?atomic=true` all of them or none."""
        atomic = _is_atomic()
        if idempotency_key() is not None and not atomic:
            raise Malformed("Idempotency-Key is for atomic batches; others are safe to repeat.")
        body = _Body(most)
        lines = (read(index, document) for index, document in enumerate(body.documents()))
        if not atomic:
            results = []
            for group in iter(lambda: list(islice(lines, GROUP)), []):
                with store.write(current_token().name) as writer:
                    results += outcomes(group, writer)
            return answer(results)
        whole = list(islice(lines, MOST_ATOMIC + 1))
        if len(whole) > MOST_ATOMIC:
            raise RequestEntityTooLarge(f"An atomic batch has at most {MOST_ATOMIC} lines.")
        with store.write(current_token().name) as writer:
            return repeatable(writer, body.hash.hexdigest(), lambda: answer(store_all(whole, writer)))

    def answer(results: list[dict[str, Any]]) -> Answered:
        fine = all(result["status"] < 300 for result in results)
        return {"results": results}, 200 if fine else 207, {"Cache-Control": "no-store"}

    def read(index: int, document: Any) -> Line:
        """A line, cleaned, with the error that it has."""
        if isinstance(document, Malformed):
            return Line(index, error=document)
        if not isinstance(document, dict):
            return Line(index, error=Invalid(Fault("#", "A line is an object.")))
        fields = dict(document)
        action, kind, id = fields.pop("action", None), fields.pop("kind", None), fields.get("id")
        wrong = [] if action in ("put", "delete") else [Fault("#/action", "Must be put or delete.")]
        wrong += [] if kind in KINDS else [Fault("#/kind", f"Must be {' or '.join(KINDS)}.")]
        wrong += [] if isinstance(id, str) else [Fault("#/id", "Must be text.")]
        if wrong:
            return Line(index, id=id if isinstance(id, str) else None, error=Invalid(*wrong))
        if f"{kind}:write" not in current_token().scopes:
            return Line(index, kind, id, error=Forbidden(f"The token lacks the scope {kind}:write."))
        try:
            return Line(index, kind, id, None if action == "delete" else loaded(schemas[kind], fields))
        except Invalid as error:
            return Line(index, kind, id, error=error)

    def store_all(lines: list[Line], writer: Writer) -> list[dict[str, Any]]:
        """The results of an atomic batch.

        :raises Invalid: with a pointer into the batch for all that is wrong.
        """
        results = outcomes(lines, writer)
        wrong = [
            Fault(f"#/{result['index']}{error['pointer'][1:]}", error["detail"])
            for result in results
            if result["status"] >= 300
            for error in result["errors"]
        ]
        if wrong:
            raise Invalid(*wrong)
        return results

    def outcomes(lines: list[Line], writer: Writer) -> list[dict[str, Any]]:
        writer.expect(line.id for line in lines if line.id and not line.error)
        return [outcome(line, writer) for line in lines]

    def outcome(line: Line, writer: Writer) -> dict[str, Any]:
        """Store a line, and say how that went; what the store refuses leaves nothing behind."""
        told = {"index": line.index, "id": line.id}
        try:
            return {**told, "status": stored(line, writer)}
        except Unavailable:
            raise
        except FeedsvcError as error:
            found = error.faults if isinstance(error, Invalid) else (Fault("#", str(error)),)
            return {**told, "status": status_of(error), "errors": [asdict(fault) for fault in found]}

    def stored(line: Line, writer: Writer) -> int:
        if line.error:
            raise line.error
        publish = may_publish(line.kind)
        if line.entry is None:
            writer.delete(line.kind, line.id or "", publish=publish)
            return 204
        return 201 if writer.put(line.entry, publish=publish)[1] else 200

    return api


def _is_atomic() -> bool:
    given = request.args.to_dict(flat=False)
    if given not in ({}, {"atomic": ["true"]}, {"atomic": ["false"]}):
        raise Malformed("The only parameter is atomic, true or false.")
    return given == {"atomic": ["true"]}


class _Body:
    """The request's body as it comes in, hashed on its way."""

    def __init__(self, most: int) -> None:
        request.max_content_length = most
        check_body(request)
        self.hash = sha256()

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`."""
        chunk = request.stream.read(size)
        self.hash.update(chunk)
        return chunk

    def documents(self) -> Iterator[Any]:
        """The documents in it."""
        if request.mimetype == "application/x-ndjson":
            return ndjson(self)
        if request.mimetype == "application/json":
            return array(self)
        raise UnsupportedMediaType("A batch is application/json (an array) or application/x-ndjson.")
