"""`/api/v1/articles` and `/api/v1/events`: one set of views for both kinds."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields
from marshmallow.validate import OneOf, Range

from feedsvc.api import fields as own
from feedsvc.api.auth import Authenticator, can_publish, current_token
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.openapi import EXAMPLES
from feedsvc.api.openapi_schemas import SCHEMA_NAMES
from feedsvc.api.request_parsing import (
    ViewResult,
    check_preconditions,
    load_patched,
    parse_json_body,
    reject_query_parameters,
    with_idempotency_key,
)
from feedsvc.api.schemas import EntrySchema
from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.models import STATUSES, Entry
from feedsvc.storage import Precondition, Storage


class PageArguments(Schema):
    """The parameters of a listing."""

    status = fields.String(validate=OneOf(STATUSES))
    category = own.Slug()
    q = own.Text(200, attribute="title")
    cursor = own.RegexString("[0-9]{1,18}", "a cursor that this service gave")
    limit = own.QueryInteger(validate=Range(1, 200), load_default=50)


class _ConcurrentUpdate(Exception):
    """Another write came between the reading of an entry and its patch."""


def _check_version(check: Precondition, read: Entry, found: Entry | None) -> None:
    """Ask a check of the stored entry, and that it is still the one that was read."""
    check(found)
    if found is None or found.version != read.version:
        raise _ConcurrentUpdate


def entries_blueprint(
    name: str,
    schema: EntrySchema,
    store: Storage,
    door: Authenticator,
    require_if_match: bool,
) -> ApiBlueprint:
    """The collection of one kind under `/api/v1/<name>`.

    :param schema: the kind's schema.
    :param require_if_match: whether a change must say which version it is made for.
    """
    kind = schema.kind_name
    api = ApiBlueprint(name, door)
    writers, readers = [f"{kind}:write"], [f"{kind}:write", f"{kind}:publish"]
    component = SCHEMA_NAMES[kind]
    takes = partial(api.arguments, schema, example=EXAMPLES[component])
    answers: dict[str, Any] = {
        "schema": f"Stored{component}",
        "returns": ["ETag", "Location"],
    }
    conditional: dict[str, Any] = {
        "scopes": writers,
        "headers": ["If-Match", "If-None-Match"],
    }
    changed = {
        "application/merge-patch+json": (
            f"{component}Patch",
            {"notice": "Đã sửa.", "image": None},
        )
    }
    failed = [412, 428] if require_if_match else [412]

    def answer(entry: Entry, status: int = 200) -> ViewResult:
        headers = {"ETag": f'"{entry.version}"', "Cache-Control": "no-store"}
        if status == 201:
            headers["Location"] = f"{schema.site.public_url}/api/v1/{name}/{entry.id}"
        return schema.dump(entry), status, headers

    def write(entry: Entry, check: Precondition) -> ResponseReturnValue:
        with store.writer(current_token().name) as writer:
            stored, new = writer.entries.put(
                entry, publish=can_publish(kind), check=check
            )
        return answer(stored, 201 if new else 200)

    @api.post("")
    @api.endpoint(
        201,
        **answers,
        scopes=writers,
        errors=[*BODY_ERRORS, 409, 410],
        headers=["Idempotency-Key"],
    )
    @takes()
    def create(entry: Entry) -> ResponseReturnValue:
        """Create an entry; the service makes the id unless the body has one."""
        with store.writer(current_token().name) as writer:
            return with_idempotency_key(
                writer,
                sha256(request.get_data()).hexdigest(),
                lambda: answer(
                    writer.entries.put(entry, create=True, publish=can_publish(kind))[
                        0
                    ],
                    201,
                ),
            )

    @api.put("/<id>")
    @api.endpoint(
        200, 201, **answers, **conditional, errors=[*BODY_ERRORS, *failed, 409]
    )
    @takes()
    def put(entry: Entry, id: str) -> ResponseReturnValue:
        """Create or replace an entry under the editor's own id."""
        if entry.id != id:
            raise ValidationFailed(FieldError("#/id", "Another id than in the path."))
        return write(entry, check_preconditions(require_if_match))

    @api.patch("/<id>")
    @api.endpoint(
        200,
        **answers,
        **conditional,
        errors=[*BODY_ERRORS, *failed, 404, 409, 410],
        body=changed,
    )
    def patch(id: str) -> ResponseReturnValue:
        """Change members of an entry by a JSON merge patch (RFC 7396)."""
        reject_query_parameters()
        changes, check = parse_json_body(request), check_preconditions(require_if_match)
        while True:
            with store.reader() as reader:
                old = reader.entries.get(id, kind)
            entry: Entry = load_patched(schema, schema.dump_editable(old), changes)
            if entry.id != id:
                raise ValidationFailed(
                    FieldError("#/id", "The id of an entry does not change.")
                )
            try:
                return write(entry, partial(_check_version, check, old))
            except _ConcurrentUpdate:
                continue

    @api.get("/<id>")
    @api.endpoint(200, **answers, scopes=readers, errors=[404, 410])
    def get(id: str) -> ResponseReturnValue:
        """One entry, drafts too."""
        reject_query_parameters()
        with store.reader() as reader:
            return answer(reader.entries.get(id, kind))

    @api.get("")
    @api.endpoint(200, schema=f"{component}Page", scopes=readers, errors=[404, 410])
    @api.arguments(PageArguments, location="query", error_status_code=400)
    def page(arguments: dict[str, Any]) -> ResponseReturnValue:
        """Entries by pages, last created first."""
        cursor = arguments.pop("cursor", None)
        with store.reader() as reader:
            found, before = reader.entries.page(
                kind, before=cursor and int(cursor), **arguments
            )
        items = [schema.dump(entry) for entry in found]
        document = {
            "items": items,
            "next_cursor": None if before is None else str(before),
        }
        return document, {"Cache-Control": "no-store"}

    @api.delete("/<id>")
    @api.endpoint(204, **conditional, errors=[*failed, 404, 410])
    def delete(id: str) -> Response:
        """Delete an entry: erase its content, and let feeds list the deletion."""
        reject_query_parameters()
        with store.writer(current_token().name) as writer:
            writer.entries.delete(
                kind,
                id,
                publish=can_publish(kind),
                check=check_preconditions(require_if_match),
            )
        return Response(status=204)

    return api
