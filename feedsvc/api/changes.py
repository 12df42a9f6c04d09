"""`/api/v1/changes`: exact replication for a partner, from the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, current_app, request
from marshmallow import Schema, fields
from marshmallow.validate import OneOf, Range

from feedsvc.api import fields as own
from feedsvc.api.auth import Authenticator
from feedsvc.api.blueprint import ApiBlueprint
from feedsvc.api.schemas import EntrySchema
from feedsvc.http.slots import ResponseSlots
from feedsvc.models import Change, Revision
from feedsvc.query import KINDS
from feedsvc.storage import ChangePage, Storage

PAGE_BYTES = 4 * 1024 * 1024
SHORT_PAGE_BYTES = 256 * 1024
"""Bytes of a page where all slots for longer ones are taken."""

_SHORT = "-short"
_BLOCK = 64 * 1024


class ChangesArguments(Schema):
    """The parameters of a page of changes."""

    after = own.QueryInteger(validate=Range(0, 2**63 - 1), load_default=0)
    kind = fields.String(validate=OneOf(KINDS))
    category = own.Slug()
    limit = own.QueryInteger(validate=Range(1, 1000), load_default=100)


def changes_blueprint(
    store: Storage,
    door: Authenticator,
    schemas: Mapping[str, EntrySchema],
    fingerprint: str,
) -> ApiBlueprint:
    """The changes; anyone may read them.

    :param fingerprint: differs where the version or the settings make other documents of the same entries.
    """
    api = ApiBlueprint("changes", door)
    slots = ResponseSlots()

    def document(change: Change) -> dict[str, Any]:
        entry = change.entry
        if change.is_visible:
            return {
                "seq": change.seq,
                "action": "put",
                **schemas[entry.kind].dump(entry),
            }
        names = {"kind": entry.kind, "id": entry.id, "guid": entry.guid}
        return {"seq": change.seq, "action": "delete", **names}

    @api.get("", parameters=["If-None-Match"])
    @api.endpoint(200, 304, schema="Changes", errors=[404, 410], returns=["ETag"])
    @api.arguments(ChangesArguments, location="query", error_status_code=400)
    def changes(arguments: dict[str, Any]) -> Response:
        """What became visible, changed or went away after a step, oldest first."""
        with store.reader() as reader:
            tag = _tag(reader.last_change(), arguments, fingerprint)
            known = request.if_none_match
            if not known.star_tag and any(
                known.contains_weak(one) for one in (tag, tag + _SHORT)
            ):
                return _headed(Response(status=304), tag)
            page = reader.list_changes(**arguments)
            if known.star_tag:
                return _headed(Response(status=304), tag)
            release = slots.try_acquire() if page.size > SHORT_PAGE_BYTES else _nothing
            try:
                blocks = _encoded(
                    page, document, SHORT_PAGE_BYTES if release is None else PAGE_BYTES
                )
            except BaseException:
                (release or _nothing)()
                raise
        response = Response(blocks, mimetype="application/json")
        response.content_length = sum(map(len, blocks))
        response.call_on_close(release or _nothing)
        return _headed(response, tag if release else tag + _SHORT)

    return api


def _nothing() -> None:
    """Release no slot."""


def _tag(step: Revision, arguments: Mapping[str, Any], fingerprint: str) -> str:
    """Return the validator of a page, which is known before anything is loaded."""
    seq, time, _ = step
    parts = (seq, time.isoformat(), sorted(arguments.items()), fingerprint)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _headed(response: Response, tag: str) -> Response:
    response.set_etag(tag)
    response.headers |= {
        "Cache-Control": "no-cache",
        "Access-Control-Allow-Origin": "*",
    }
    return response


def _encoded(
    page: ChangePage, document: Callable[[Change], Any], limit: int
) -> list[bytes]:
    """Return the JSON of a page in blocks, of at least one change and else at most `limit` bytes."""
    size, last, separator = _BLOCK, page.last, b'{"changes":['
    blocks: list[bytes] = []
    pending = bytearray()
    previous: int | None = None
    for change in page:
        item = current_app.json.dumps(document(change), separators=(",", ":")).encode()
        if previous is not None and size + len(item) > limit:
            last = previous
            break
        pending += separator + item
        separator, previous, size = b",", change.seq, size + len(item) + 1
        if len(pending) > _BLOCK:
            blocks.append(bytes(pending))
            pending.clear()
    end = b'],"next":%d}\n' % last
    return [*blocks, bytes(pending) + (separator if previous is None else b"") + end]
