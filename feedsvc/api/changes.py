"""The view of `/api/v1/changes`, by which partners replicate public entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, current_app, jsonify, request
from flask.views import MethodView
from marshmallow import fields
from marshmallow.validate import OneOf, Range
from sqlalchemy.orm import Session

from feedsvc.api.blueprint import ApiBlueprint
from feedsvc.api.schemas import ClosedSchema, EntrySchema
from feedsvc.errors import Gone
from feedsvc.models import KINDS
from feedsvc.services import Services
from feedsvc.storage.database import revision_row
from feedsvc.storage.entries import list_changes
from feedsvc.storage.tables import EntryRow, from_microseconds, to_microseconds

PAGE_BYTES = 4 * 1024 * 1024

_MAX_CURSOR = 2**62
"""More than any time in microseconds, and within the databases' integers."""


class ChangesArguments(ClosedSchema):
    """The query parameters of a page of changes."""

    after = fields.Integer(validate=Range(0, _MAX_CURSOR), load_default=0)
    kind = fields.String(validate=OneOf(KINDS))
    limit = fields.Integer(validate=Range(1, 1000), load_default=100)


class ChangeSchema(ma.Schema):
    """A change: with the action `put`, all fields of the entry are in it too."""

    seq = fields.Integer(required=True)
    action = fields.String(required=True, validate=OneOf(("put", "delete")))
    kind = fields.String(required=True, validate=OneOf(KINDS))
    id = fields.String(required=True)
    guid = fields.String(required=True)


class ChangesSchema(ClosedSchema):
    """A page of changes; `next` is the value of `after` for the next page."""

    changes = fields.List(fields.Nested(ChangeSchema), required=True)
    next = fields.Integer(required=True)


def changes_blueprint(services: Services) -> ApiBlueprint:
    """Return the view of changes, which is public."""
    blueprint = ApiBlueprint("changes")

    @blueprint.route("")
    class Changes(MethodView):
        @blueprint.arguments(ChangesArguments, location="query", error_status_code=400)
        @blueprint.response(200, ChangesSchema)
        def get(self, arguments: dict[str, Any]) -> Response:
            """List public changes after a cursor, oldest first."""
            with services.database.read() as session:
                return _page(session, services.entry_schemas, **arguments)

    return blueprint


def _page(
    session: Session,
    schemas: Mapping[str, EntrySchema],
    after: int,
    limit: int,
    kind: str | None = None,
) -> Response:
    """Return a page, which ends after `PAGE_BYTES`.

    :raises Gone: the cursor is from before a restore.
    """
    revisions = revision_row(session)
    is_lost = 0 < after < to_microseconds(revisions.floor)
    if is_lost or after > to_microseconds(revisions.last):
        raise Gone(
            "There is no change with this cursor: the database was restored from a "
            "backup. Begin again with after=0."
        )
    items: list[dict[str, Any]] = []
    size = 0
    for row in list_changes(session, from_microseconds(after), kind, limit):
        item = _document(row, schemas)
        size += len(current_app.json.dumps(item).encode())
        # The first change is sent however large it is, or the client would never get
        # past it.
        if items and size > PAGE_BYTES:
            break
        items.append(item)
        after = to_microseconds(row.changed_at)
    response = jsonify(changes=items, next=after)
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _document(row: EntryRow, schemas: Mapping[str, EntrySchema]) -> dict[str, Any]:
    head = {
        "seq": to_microseconds(row.changed_at),
        "action": "put" if row.is_public else "delete",
        "kind": row.kind,
        "id": row.id,
        "guid": row.guid,
    }
    if not row.is_public:
        return head
    entry = row.entry.public_view()
    return {**head, **schemas[row.kind].dump(entry)}
