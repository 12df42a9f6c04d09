"""The view of `/api/v1/changes`, by which partners replicate public entries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, request
from marshmallow import fields
from marshmallow.validate import OneOf, Range

from feedsvc.api import fields as own
from feedsvc.api.auth import Authenticator
from feedsvc.api.blueprint import ApiBlueprint
from feedsvc.api.derived_schemas import ChangesSchema, EntrySchemas
from feedsvc.api.schemas import ArgumentsSchema
from feedsvc.feed_query import KINDS
from feedsvc.http.response_slots import ResponseSlots
from feedsvc.models import Change, Revision
from feedsvc.storage import ChangePage, Storage

PAGE_BYTES = 4 * 1024 * 1024
SHORT_PAGE_BYTES = 256 * 1024
"""Bytes of a page while other clients receive large ones."""

_SHORT_SUFFIX = "-short"
_BLOCK_BYTES = 64 * 1024


class ChangesArguments(ArgumentsSchema):
    """The query parameters of a page of changes."""

    after = own.QueryInteger(validate=Range(0, 2**63 - 1), load_default=0)
    kind = fields.String(validate=OneOf(KINDS))
    category = own.CategorySlug()
    limit = own.QueryInteger(validate=Range(1, 1000), load_default=100)


def changes_blueprint(
    storage: Storage,
    authenticator: Authenticator,
    schemas: Mapping[str, EntrySchemas],
    fingerprint: str,
) -> ApiBlueprint:
    """Return the view of changes, which is public.

    :param schemas: of entries, by kind.
    :param fingerprint: of the version and settings that documents depend on.
    """
    api = ApiBlueprint("changes", authenticator)
    slots = ResponseSlots()

    @api.get("", parameters=["If-None-Match"])
    @api.errors(404, 410)
    @api.arguments(ChangesArguments, location="query", error_status_code=400)
    @api.response(200, ChangesSchema, description="Success.", headers={"ETag": "ETag"})
    @api.alt_response(304, description="Not modified.", headers={"ETag": "ETag"})
    def list_changes(arguments: dict[str, Any]) -> Response:
        """List public changes after a sequence number, oldest first."""
        with storage.reader() as reader:
            # Made from the last change, so that a poll that finds nothing is cheap.
            etag = _etag(reader.last_change(), arguments, fingerprint)
            if _is_current(etag):
                return _with_headers(Response(status=304), etag)
            # Raises if there is no such page, which `If-None-Match: *` asks for too.
            page = reader.list_changes(**arguments)
            if request.if_none_match.star_tag:
                return _with_headers(Response(status=304), etag)
            return _page_response(page, schemas, slots, etag)

    return api


def _etag(revision: Revision, arguments: Mapping[str, Any], fingerprint: str) -> str:
    """Return the validator of a page, which is known before anything is loaded."""
    seq, time, _ = revision
    parts = (seq, time.isoformat(), sorted(arguments.items()), fingerprint)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _is_current(etag: str) -> bool:
    """Return whether the client has the page; `*` needs a page to exist."""
    etags = request.if_none_match
    if etags.star_tag:
        return False
    return etags.contains_weak(etag) or etags.contains_weak(etag + _SHORT_SUFFIX)


def _with_headers(response: Response, etag: str) -> Response:
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _page_response(
    page: ChangePage,
    schemas: Mapping[str, EntrySchemas],
    slots: ResponseSlots,
    etag: str,
) -> Response:
    """Return a page, a short one if others receive large pages.

    A slot is held until the client has read the response, which is in memory so long.
    """
    is_small = page.size <= SHORT_PAGE_BYTES
    release = None if is_small else slots.try_acquire()
    max_bytes = PAGE_BYTES if is_small or release else SHORT_PAGE_BYTES
    try:
        blocks = _encode(page, schemas, max_bytes)
    except BaseException:  # also the exit of a worker's thread
        if release:
            release()
        raise
    response = Response(blocks, mimetype="application/json")
    response.content_length = sum(map(len, blocks))
    if release:
        response.call_on_close(release)
    # A short page ends earlier, so it is another representation.
    is_short = max_bytes == SHORT_PAGE_BYTES
    return _with_headers(response, etag + _SHORT_SUFFIX if is_short else etag)


def _encode(
    page: ChangePage, schemas: Mapping[str, EntrySchemas], max_bytes: int
) -> list[bytes]:
    """Return the JSON of a page in blocks, with at least one change."""
    # In blocks, since joining a page of 4 MiB would take its memory twice.
    blocks: list[bytes] = []
    block = bytearray(b'{"changes":[')
    size = _BLOCK_BYTES  # room for what surrounds the changes
    last_seq: int | None = None
    next_seq = page.next_after
    for change in page:
        document = _change_document(change, schemas)
        item = current_app.json.dumps(document, separators=(",", ":")).encode()
        # The first change is sent however large it is, or the client would never
        # get past it.
        if last_seq is not None:
            if size + len(item) > max_bytes:
                next_seq = last_seq
                break
            block += b","
        block += item
        last_seq = change.seq
        size += len(item) + 1
        if len(block) > _BLOCK_BYTES:
            blocks.append(bytes(block))
            block.clear()
    block += b'],"next":%d}\n' % next_seq
    return [*blocks, bytes(block)]


def _change_document(
    change: Change, schemas: Mapping[str, EntrySchemas]
) -> dict[str, Any]:
    entry = change.entry
    if change.is_visible:
        document = schemas[entry.kind].response.dump(entry)
        return {"seq": change.seq, "action": "put", **document}
    return {
        "seq": change.seq,
        "action": "delete",
        "kind": entry.kind,
        "id": entry.id,
        "guid": entry.guid,
    }
