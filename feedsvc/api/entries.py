"""The views of `/api/v1/articles` and `/api/v1/events`."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response, make_response
from marshmallow import fields
from marshmallow.validate import OneOf, Range

from feedsvc.api import fields as own
from feedsvc.api.auth import Authenticator, current_token
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.derived_schemas import EntrySchemas
from feedsvc.api.openapi import EXAMPLES, path_parameter
from feedsvc.api.request_parsing import (
    load_patched,
    parse_json_body,
    parse_preconditions,
    reject_query_parameters,
)
from feedsvc.api.schemas import ArgumentsSchema, EntrySchema
from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.models import STATUSES, Entry
from feedsvc.storage import Precondition, Storage
from feedsvc.words import MAX_LENGTH, parse_search

_ENTRY_HEADERS = {"ETag": "ETag"}
_CREATED_HEADERS = {"ETag": "ETag", "Location": "Location"}
_PATH_PARAMETERS = [path_parameter("Article", "id")]


def _parse_search(text: str) -> str:
    try:
        # The message follows the name of the parameter in the errors of feeds only.
        return parse_search(text)
    except ValueError as error:
        raise ValueError(f"{str(error).capitalize()}.") from None


class ListArguments(ArgumentsSchema):
    """The query parameters of a list of entries."""

    status = fields.String(validate=OneOf(STATUSES))
    category = own.CategorySlug()
    q = own.ParsedString(
        _parse_search, attribute="words", metadata={"maxLength": MAX_LENGTH}
    )
    cursor = fields.String(
        # A number of 18 digits fits in the databases' integers.
        validate=own.FullMatch("^[0-9]{1,18}$", error="Must be a next_cursor.")
    )
    limit = own.QueryInteger(validate=Range(1, 200), load_default=50)


class _ConcurrentUpdate(Exception):
    """Another write came between reading an entry and storing its patch."""


def entries_blueprint(
    collection: str,
    schemas: EntrySchemas,
    storage: Storage,
    authenticator: Authenticator,
) -> ApiBlueprint:
    """Return the views of one kind of entry.

    :param collection: the last part of the URL, `articles` or `events`.
    """
    api = ApiBlueprint(collection, authenticator)
    kind, name, response = schemas.kind, schemas.name, schemas.response
    collection_url = f"{schemas.request.site.public_url}/api/v1/{collection}"
    scope = f"{kind}:write"
    conditional = api.doc(parameters=["If-Match", "If-None-Match"])

    write_response = partial(_write_response, response, collection_url)

    @api.post("")
    @api.authorize(scope)
    @api.errors(*BODY_ERRORS, 409)
    @api.arguments(schemas.request, example=EXAMPLES[name])
    @api.response(201, response, description="Created.", headers=_CREATED_HEADERS)
    def create(entry: Entry) -> Response:
        """Create an entry; without an id the service makes one."""
        with storage.writer(current_token().name) as writer:
            stored, _ = writer.entries.put(entry, create=True)
        return write_response(stored, is_new=True)

    @api.put("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(*BODY_ERRORS, 409, 412)
    @conditional
    @api.arguments(schemas.request, example=EXAMPLES[name])
    @api.response(200, response, description="Success.", headers=_ENTRY_HEADERS)
    @api.alt_response(
        201, schema=response, description="Created.", headers=_CREATED_HEADERS
    )
    def put(entry: Entry, id: str) -> Any:
        """Create or replace an entry under your own id."""
        if entry.id != id:
            raise ValidationFailed(FieldError("#/id", "Must be the id in the path."))
        # Storage calls the check within the transaction; before it, another write could
        # come in between.
        check = parse_preconditions()
        with storage.writer(current_token().name) as writer:
            stored, is_new = writer.entries.put(entry, check=check)
        return write_response(stored, is_new=is_new)

    @api.patch("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(*BODY_ERRORS, 404, 409, 410, 412)
    @conditional
    @api.merge_patch(f"{name}Patch", {"notice": "Đã sửa.", "image": None})
    @api.response(200, response, description="Success.", headers=_ENTRY_HEADERS)
    def patch(id: str) -> Any:
        """Change an entry by a JSON merge patch (RFC 7396)."""
        reject_query_parameters()
        document = parse_json_body()
        check = parse_preconditions()
        stored = _patch_entry(storage, schemas.request, id, document, check)
        return write_response(stored, is_new=False)

    @api.get("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(404, 410)
    @api.response(200, response, description="Success.", headers=_ENTRY_HEADERS)
    def get(id: str) -> Any:
        """Get an entry, also a draft."""
        reject_query_parameters()
        with storage.reader() as reader:
            entry = reader.entries.get(id, kind)
        return entry, 200, _entry_headers(entry)

    @api.get("")
    @api.authorize(scope)
    @api.errors(404, 410)
    @api.arguments(ListArguments, location="query", error_status_code=400)
    @api.response(200, schemas.page, description="Success.")
    def list_entries(arguments: dict[str, Any]) -> Any:
        """List entries without their bodies, last created first."""
        cursor = arguments.pop("cursor", None)
        with storage.reader() as reader:
            entries, before = reader.entries.page(
                kind, before=cursor and int(cursor), **arguments
            )
        page = {"items": entries, "next_cursor": before and str(before)}
        return page, {"Cache-Control": "no-store"}

    @api.delete("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(404, 410, 412)
    @conditional
    @api.response(204, description="Deleted.")
    def delete(id: str) -> Response:
        """Delete an entry: its content is erased, and feeds list the deletion."""
        reject_query_parameters()
        check = parse_preconditions()
        with storage.writer(current_token().name) as writer:
            writer.entries.delete(kind, id, check=check)
        return Response(status=204)

    return api


def _write_response(
    schema: EntrySchema, collection_url: str, entry: Entry, *, is_new: bool
) -> Response:
    """Return the response to a write that has stored an entry."""
    document = schema.dump(entry)
    headers = _entry_headers(entry)
    if not is_new:
        return make_response(document, 200, headers)
    location = f"{collection_url}/{entry.id}"
    return make_response(document, 201, {**headers, "Location": location})


def _entry_headers(entry: Entry) -> dict[str, str]:
    # Responses have drafts, which no cache may keep.
    return {"ETag": f'"{entry.version}"', "Cache-Control": "no-store"}


def _patch_entry(
    storage: Storage,
    schema: EntrySchema,
    entry_id: str,
    patch: Any,
    check: Precondition,
) -> Entry:
    """Apply a merge patch to an entry, and return the stored entry.

    :raises ValidationFailed: the patch, or the patched entry, is invalid.
    """
    kind = schema.kind_name
    # Sanitizing may take long, so it happens before the write transaction, which then
    # checks that the entry still is the one that was patched.
    while True:
        with storage.reader() as reader:
            entry = reader.entries.get(entry_id, kind)
        patched: Entry = load_patched(schema, schema.dump_editable(entry), patch)
        if patched.id != entry_id:
            raise ValidationFailed(FieldError("#/id", "Must not change."))
        check_version = partial(_check_version, check, entry.version)
        try:
            with storage.writer(current_token().name) as writer:
                stored, _ = writer.entries.put(patched, check=check_version)
            return stored
        except _ConcurrentUpdate:
            continue


def _check_version(check: Precondition, version: int, entry: Entry | None) -> None:
    """Check a precondition, and that the stored entry has a version."""
    check(entry)
    if entry is None or entry.version != version:
        raise _ConcurrentUpdate
