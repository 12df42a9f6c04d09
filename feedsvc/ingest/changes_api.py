"""`/api/v1/changes`: exact replication for a partner, from the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, request
from marshmallow import Schema, fields
from marshmallow.validate import OneOf, Range

from feedsvc.ingest import fields as own
from feedsvc.ingest.door import Door
from feedsvc.ingest.operations import Operations
from feedsvc.ingest.schemas import EntrySchema
from feedsvc.model import Change
from feedsvc.query import KINDS
from feedsvc.store import Store


class ChangesArguments(Schema):
    """Where to go on, and what is wanted."""

    after = own.Digits(validate=Range(0, 2**63 - 1), load_default=0)
    kind = fields.String(validate=OneOf(KINDS))
    category = own.Slug()
    limit = own.Digits(validate=Range(1, 1000), load_default=100)


def changes_blueprint(store: Store, door: Door, schemas: Mapping[str, EntrySchema]) -> Operations:
    """The changes; anyone may read them."""
    api = Operations("changes", door)

    def document(change: Change) -> dict[str, Any]:
        entry = change.entry
        if change.visible:
            return {"seq": change.seq, "action": "put", **schemas[entry.kind].dump(entry)}
        names = {"kind": entry.kind, "id": entry.id, "guid": entry.guid}
        return {"seq": change.seq, "action": "delete", **names}

    @api.get("", parameters=["If-None-Match"])
    @api.operation(200, 304, schema="Changes", errors=[404, 410], returns=["ETag"])
    @api.arguments(ChangesArguments, location="query", error_status_code=400)
    def changes(arguments: dict[str, Any]) -> Response:
        """What became visible, changed or went away after a step, oldest first."""
        with store.read() as reader:
            found, last = reader.changes(**arguments)
        response = make_response({"changes": [document(change) for change in found], "next": last})
        response.headers |= {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        response.add_etag()
        response.make_conditional(request)
        return response

    return api
