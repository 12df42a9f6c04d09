"""The views of `/api/v1/articles` and `/api/v1/events`."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response, jsonify, make_response
from marshmallow import fields
from marshmallow.validate import OneOf, Range
from sqlalchemy.orm import Session

from feedsvc.api import fields as own
from feedsvc.api.auth import current_token
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.openapi import EXAMPLES, path_parameter
from feedsvc.api.request_parsing import (
    load_patched,
    parse_json_body,
    parse_preconditions,
    reject_query_parameters,
)
from feedsvc.api.schemas import ArgumentsSchema
from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.models import STATUSES, Entry
from feedsvc.services import Services
from feedsvc.storage.entries import (
    Precondition,
    delete_entry,
    get_entry,
    list_entries,
    put_entry,
)
from feedsvc.storage.tables import EntryRow
from feedsvc.words import MAX_LENGTH, parse_search

_COLLECTIONS = {"news": "articles", "events": "events"}
"""The last part of the URL of each kind."""

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
    page = own.QueryInteger(validate=Range(1, 1_000_000), load_default=1)
    limit = own.QueryInteger(validate=Range(1, 200), load_default=50)


class _ConcurrentUpdate(Exception):
    """Another write came between reading an entry and storing its patch."""


def entries_blueprint(services: Services, kind: str) -> ApiBlueprint:
    """Return the views of one kind of entry."""
    api = ApiBlueprint(_COLLECTIONS[kind], services.authenticator)
    database = services.database
    schemas = services.entry_schemas[kind]
    name, response = schemas.name, schemas.response
    scope = f"{kind}:write"
    conditional = api.doc(parameters=["If-Match", "If-None-Match"])

    @api.post("")
    @api.authorize(scope)
    @api.errors(*BODY_ERRORS, 409)
    @api.arguments(schemas.request, example=EXAMPLES[name])
    @api.response(201, response, description="Created.", headers=_CREATED_HEADERS)
    def create(entry: Entry) -> Response:
        """Create an entry; without an id the service makes one."""
        with database.write(current_token().name) as transaction:
            row, _ = put_entry(transaction, entry, create=True)
            return _respond(services, transaction.session, row, is_new=True)

    @api.put("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(*BODY_ERRORS, 409, 412)
    @conditional
    @api.arguments(schemas.request, example=EXAMPLES[name])
    @api.response(200, response, description="Success.", headers=_ENTRY_HEADERS)
    @api.alt_response(
        201, schema=response, description="Created.", headers=_CREATED_HEADERS
    )
    def put(entry: Entry, id: str) -> Response:
        """Create or replace an entry under your own id."""
        if entry.id != id:
            raise ValidationFailed(FieldError("#/id", "Must be the id in the path."))
        with database.write(current_token().name) as transaction:
            row, is_new = put_entry(transaction, entry, check=parse_preconditions())
            return _respond(services, transaction.session, row, is_new=is_new)

    @api.patch("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(*BODY_ERRORS, 404, 409, 410, 412)
    @conditional
    @api.merge_patch(f"{name}Patch", {"notice": "Đã sửa.", "image": None})
    @api.response(200, response, description="Success.", headers=_ENTRY_HEADERS)
    def patch(id: str) -> Response:
        """Change an entry by a JSON merge patch (RFC 7396)."""
        reject_query_parameters()
        document = parse_json_body()
        check = parse_preconditions()
        while True:
            try:
                return _store_patch(services, kind, id, document, check)
            except _ConcurrentUpdate:
                continue

    @api.get("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(404, 410)
    @api.response(200, response, description="Success.", headers=_ENTRY_HEADERS)
    def get(id: str) -> Response:
        """Get an entry, also a draft."""
        reject_query_parameters()
        with database.read() as session:
            return _respond(services, session, get_entry(session, kind, id))

    @api.get("")
    @api.authorize(scope)
    @api.errors(404, 410)
    @api.arguments(ListArguments, location="query", error_status_code=400)
    @api.response(200, schemas.page, description="Success.")
    def list_(arguments: dict[str, Any]) -> Any:
        """List entries without their bodies, those that changed last first."""
        return _list_response(services, kind, **arguments)

    @api.delete("/<id>", parameters=_PATH_PARAMETERS)
    @api.authorize(scope)
    @api.errors(404, 410, 412)
    @conditional
    @api.response(204, description="Deleted.")
    def delete(id: str) -> Response:
        """Delete an entry: its content is erased."""
        reject_query_parameters()
        check = parse_preconditions()
        with database.write(current_token().name) as transaction:
            delete_entry(transaction, kind, id, check)
        return Response(status=204)

    return api


def _respond(
    services: Services, session: Session, row: EntryRow, *, is_new: bool = False
) -> Response:
    """Return the response with an entry, which no cache may keep."""
    headers = {"ETag": f'"{row.version}"', "Cache-Control": "no-store"}
    if is_new:
        collection = _COLLECTIONS[row.kind]
        url = f"{services.site.public_url}/api/v1/{collection}/{row.id}"
        headers["Location"] = url
    document = _document(services, session, row)
    return make_response(document, 201 if is_new else 200, headers)


def _list_response(
    services: Services, kind: str, page: int, limit: int, **filters: Any
) -> Response:
    with services.database.read() as session:
        rows = list_entries(session, kind, page=page, limit=limit, **filters)
        items = [_document(services, session, row) for row in rows[:limit]]
    for item in items:
        # Together they may be hundreds of megabytes.
        item.pop("content_html", None)
        item.pop("content_text", None)
    next_page = page + 1 if len(rows) > limit else None
    response = jsonify(items=items, next_page=next_page)
    response.headers["Cache-Control"] = "no-store"
    return response


def _document(services: Services, session: Session, row: EntryRow) -> dict[str, Any]:
    """Return an entry with the members that only editors see."""
    schema = services.entry_schemas[row.kind].response
    document = {**schema.dump(row.entry), "public": row.is_public}
    if not row.is_public:
        document["preview_url"] = services.preview_url(session, row.id)
    return document


def _store_patch(
    services: Services, kind: str, id: str, patch: Any, check: Precondition
) -> Response:
    """Apply a merge patch to an entry, and return the response with the stored one.

    :raises ValidationFailed: the patch, or the patched entry, is invalid.
    :raises _ConcurrentUpdate: another write came between.
    """
    schema = services.entry_schemas[kind].request
    if isinstance(patch, dict) and not patch.keys() & {"content_html", "content_text"}:
        # Of an import, the content may be longer than a posted one.
        schema = services.schemas[kind]
    with services.database.read() as session:
        stored = get_entry(session, kind, id).entry
    # Sanitizing may take long, so it happens before the lock is taken.
    patched: Entry = load_patched(schema, schema.dump_editable(stored), patch)
    if patched.id != id:
        raise ValidationFailed(FieldError("#/id", "Must not change."))
    is_current = partial(_check_version, check, stored.version)
    with services.database.write(current_token().name) as transaction:
        row, _ = put_entry(transaction, patched, check=is_current)
        return _respond(services, transaction.session, row)


def _check_version(check: Precondition, version: int, entry: Entry | None) -> None:
    """Check a precondition, and that the stored entry has a version."""
    check(entry)
    if entry is None or entry.version != version:
        raise _ConcurrentUpdate
