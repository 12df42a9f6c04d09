"""`/api/v1/articles` and `/api/v1/events`: one set of views for both kinds."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields
from marshmallow.validate import OneOf, Range

from feedsvc.errors import Fault, Invalid
from feedsvc.ingest import fields as own
from feedsvc.ingest.description import EXAMPLES
from feedsvc.ingest.door import Door, current_token, may_publish
from feedsvc.ingest.operations import WRITTEN, Operations
from feedsvc.ingest.requests import Answered, patched, precondition, read_document, refuse_query, repeatable
from feedsvc.ingest.schemas import EntrySchema
from feedsvc.ingest.shapes import NAMES
from feedsvc.model import STATUSES, Entry
from feedsvc.store import Check, Store


class PageArguments(Schema):
    """The parameters of a listing."""

    status = fields.String(validate=OneOf(STATUSES))
    category = own.Slug()
    q = own.Text(200, attribute="title")
    cursor = own.Matching("[0-9]{1,18}", "a cursor that this service gave")
    limit = own.Digits(validate=Range(1, 200), load_default=50)


class _Overtaken(Exception):
    """Another write came between the reading of an entry and its patch."""


def _unchanged(check: Check, read: Entry, found: Entry | None) -> None:
    """Ask a check of the stored entry, and that it is still the one that was read."""
    check(found)
    if found is None or found.version != read.version:
        raise _Overtaken


def entries_blueprint(
    name: str, schema: EntrySchema, store: Store, door: Door, require_if_match: bool
) -> Operations:
    """The collection of one kind under `/api/v1/<name>`.

    :param schema: the kind's schema.
    :param require_if_match: whether a change must say which version it is made for.
    """
    kind = schema.kind_name
    api = Operations(name, door)
    writers, readers = [f"{kind}:write"], [f"{kind}:write", f"{kind}:publish"]
    component = NAMES[kind]
    takes = partial(api.arguments, schema, example=EXAMPLES[component])
    answers: dict[str, Any] = {"schema": f"Stored{component}", "returns": ["ETag", "Location"]}
    conditional: dict[str, Any] = {"scopes": writers, "headers": ["If-Match", "If-None-Match"]}
    changed = {"application/merge-patch+json": (f"{component}Patch", {"notice": "Đã sửa.", "image": None})}
    failed = [412, 428] if require_if_match else [412]

    def answer(entry: Entry, status: int = 200) -> Answered:
        headers = {"ETag": f'"{entry.version}"', "Cache-Control": "no-store"}
        if status == 201:
            headers["Location"] = f"{schema.site.public_url}/api/v1/{name}/{entry.id}"
        return schema.dump(entry), status, headers

    def write(entry: Entry, check: Check) -> ResponseReturnValue:
        with store.write(current_token().name) as writer:
            stored, new = writer.put(entry, publish=may_publish(kind), check=check)
        return answer(stored, 201 if new else 200)

    @api.post("")
    @api.operation(201, **answers, scopes=writers, errors=[*WRITTEN, 409, 410], headers=["Idempotency-Key"])
    @takes()
    def create(entry: Entry) -> ResponseReturnValue:
        """Create an entry; the service makes the id unless the body has one."""
        with store.write(current_token().name) as writer:
            return repeatable(
                writer,
                sha256(request.get_data()).hexdigest(),
                lambda: answer(writer.put(entry, create=True, publish=may_publish(kind))[0], 201),
            )

    @api.put("/<id>")
    @api.operation(200, 201, **answers, **conditional, errors=[*WRITTEN, *failed, 409])
    @takes()
    def put(entry: Entry, id: str) -> ResponseReturnValue:
        """Create or replace an entry under the editor's own id."""
        if entry.id != id:
            raise Invalid(Fault("#/id", "Another id than in the path."))
        return write(entry, precondition(require_if_match))

    @api.patch("/<id>")
    @api.operation(200, **answers, **conditional, errors=[*WRITTEN, *failed, 404, 409, 410], body=changed)
    def patch(id: str) -> ResponseReturnValue:
        """Change members of an entry by a JSON merge patch (RFC 7396)."""
        refuse_query()
        changes, check = read_document(request), precondition(require_if_match)
        while True:
            with store.read() as reader:
                old = reader.entry(id, kind)
            entry: Entry = patched(schema, schema.given(old), changes)
            if entry.id != id:
                raise Invalid(Fault("#/id", "The id of an entry does not change."))
            try:
                return write(entry, partial(_unchanged, check, old))
            except _Overtaken:
                continue

    @api.get("/<id>")
    @api.operation(200, **answers, scopes=readers, errors=[404, 410])
    def get(id: str) -> ResponseReturnValue:
        """One entry, drafts too."""
        refuse_query()
        with store.read() as reader:
            return answer(reader.entry(id, kind))

    @api.get("")
    @api.operation(200, schema=f"{component}Page", scopes=readers, errors=[404, 410])
    @api.arguments(PageArguments, location="query", error_status_code=400)
    def page(arguments: dict[str, Any]) -> ResponseReturnValue:
        """Entries by pages, last created first."""
        cursor = arguments.pop("cursor", None)
        with store.read() as reader:
            found, before = reader.page(kind, before=cursor and int(cursor), **arguments)
        items = [schema.dump(entry) for entry in found]
        document = {"items": items, "next_cursor": None if before is None else str(before)}
        return document, {"Cache-Control": "no-store"}

    @api.delete("/<id>")
    @api.operation(204, **conditional, errors=[*failed, 404, 410])
    def delete(id: str) -> Response:
        """Delete an entry: erase its content, and let feeds list the deletion."""
        refuse_query()
        with store.write(current_token().name) as writer:
            writer.delete(kind, id, publish=may_publish(kind), check=precondition(require_if_match))
        return Response(status=204)

    return api
