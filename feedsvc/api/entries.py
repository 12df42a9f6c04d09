"""The views of `/api/v1/articles` and `/api/v1/events`."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import marshmallow as ma
from flask import Response, g, jsonify, make_response
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf, Range
from sqlalchemy.orm import Session

from feedsvc.api.auth import write_as_token
from feedsvc.api.request_parsing import (
    MAX_ATTEMPTS,
    load_body,
    parse_patch,
    request_precondition,
)
from feedsvc.concurrency import limit_work
from feedsvc.errors import FieldError, Unavailable, ValidationFailed
from feedsvc.input import fields
from feedsvc.input.loading import load_patched, load_validated
from feedsvc.input.schemas import ClosedSchema, EntrySchema, derived_summary
from feedsvc.models import STATUSES, Entry
from feedsvc.services import current_services
from feedsvc.storage.entries import (
    EntryChanged,
    PutOptions,
    delete_entry,
    get_entry,
    list_entries,
    put_entry,
)
from feedsvc.storage.tables import EntryRow
from feedsvc.text.folding import parse_search

#: The last part of the URL of each kind.
_COLLECTIONS = {"news": "articles", "events": "events"}

CONTENT_MEMBERS = {"content_html", "content_text"}

_TIME_MEMBERS = ("start", "end", "timezone")


class EntriesQuery(ClosedSchema):
    """The query parameters of a list of entries."""

    status = ma.fields.String(validate=OneOf(STATUSES))
    category = fields.CategorySlug()
    q = fields.ParsedString(parse_search, attribute="words")
    page = ma.fields.Integer(validate=Range(1, 1_000_000), load_default=1)
    limit = ma.fields.Integer(validate=Range(1, 200), load_default=50)


QUERY = EntriesQuery()


def list_(
    kind: str, page: int, limit: int, words: str = "", **filters: Any
) -> Response:
    """List entries without their bodies, those that changed last first."""
    services = current_services()
    with limit_work(), services.database.read() as session:
        rows = list_entries(
            session, kind, page=page, limit=limit, words=words, **filters
        )
        items = [_document(session, row) for row in rows[:limit]]
    for item in items:
        # Together they may be hundreds of megabytes.
        for name in CONTENT_MEMBERS:
            item.pop(name, None)
    next_page = page + 1 if len(rows) > limit else None
    return jsonify(items=items, next_page=next_page)


def post(kind: str) -> Response:
    """Create an entry; without an id the service makes one."""
    entry: Entry = load_body(_schema(kind))
    with write_as_token() as transaction:
        row, _ = put_entry(transaction, entry, PutOptions(create=True))
        return _entry_response(transaction.session, row, is_new=True)


def get(kind: str, id: str) -> Response:
    """Get an entry, also a draft."""
    with current_services().database.read() as session:
        row = get_entry(session, kind, id)
        return _entry_response(session, row)


def put(kind: str, id: str) -> Response:
    """Create or replace an entry under your own id."""
    entry: Entry = load_body(_schema(kind), id=id)
    options = PutOptions(check=request_precondition())
    with write_as_token() as transaction:
        row, is_new = put_entry(transaction, entry, options)
        return _entry_response(transaction.session, row, is_new=is_new)


def patch(kind: str, id: str) -> Response:
    """Change an entry by a JSON merge patch (RFC 7396)."""
    changes = parse_patch()
    for _ in range(MAX_ATTEMPTS):
        with current_services().database.read() as session:
            stored = get_entry(session, kind, id).entry
        # Validation may take long, so it comes before the lock.
        entry = _apply_patch(_schema(kind), stored, changes)
        options = PutOptions(check=request_precondition(), unchanged=stored)
        with suppress(EntryChanged), write_as_token() as transaction:
            row, _ = put_entry(transaction, entry, options)
            return _entry_response(transaction.session, row)
    raise Unavailable("Others change the entry at the same time.")


def delete(kind: str, id: str) -> ResponseReturnValue:
    """Delete an entry: its content is erased."""
    check = request_precondition()
    with write_as_token() as transaction:
        delete_entry(transaction, kind, id, check)
    return Response(status=204, mimetype="application/json")


def _schema(kind: str) -> EntrySchema:
    return current_services().entry_schemas[kind]


def _apply_patch(schema: EntrySchema, stored: Entry, patch: dict[str, Any]) -> Entry:
    """Return an entry with a merge patch applied.

    :raises ValidationFailed: the patch, or the patched entry, is invalid.
    """
    document = schema.dump(stored)
    _check_timezone(schema, document, patch)
    _check_start(schema, document, patch)
    summary = derived_summary(stored.content_html, stored.content_text)
    if stored.summary == summary:
        # So that it follows the patched content.
        document.pop("summary")
    has_content = bool(patch.keys() & CONTENT_MEMBERS)
    if not has_content:
        # What is stored was sanitized, and may be longer than what may be posted.
        for name in CONTENT_MEMBERS:
            document.pop(name, None)
    patched: Entry = load_patched(schema, document, patch)
    if patched.id != stored.id:
        raise ValidationFailed(FieldError("#/id", "Must not change."))
    if has_content:
        return patched
    return replace(
        patched,
        content_html=stored.content_html,
        content_text=stored.content_text,
        summary=patched.summary or summary,
    )


def _check_timezone(
    schema: EntrySchema, document: dict[str, Any], patch: dict[str, Any]
) -> None:
    """Check that a patch with another zone has the start of an event with times.

    In a document, `start` and `end` have an offset, while `rdates` and `exdates` have
    none: alone, another zone would move only the latter.

    :raises ValidationFailed: the start is missing.
    """
    has_times = document.get("all_day") is False
    if not has_times or "timezone" not in patch or "start" in patch:
        return
    zone = patch["timezone"] or schema.site.timezone.key
    if zone != document["timezone"]:
        detail = (
            "Send start too, and end, rdates, exdates and cancelled if the event has "
            "them."
        )
        raise ValidationFailed(FieldError("#/timezone", detail))


def _check_start(
    schema: EntrySchema,
    document: dict[str, Any],
    patch: dict[str, Any],
) -> None:
    """Check that a patch with another start has the dates of a series too.

    Alone, it would leave them, and the end of the rule, at the old time or day.

    :raises ValidationFailed: the recurrence is missing.
    """
    recurrence = document.get("recurrence")
    if not recurrence or "start" not in patch or "recurrence" in patch:
        return
    has_dates = any(recurrence[name] for name in recurrence.keys() - {"rrule"})
    if not has_dates and "UNTIL" not in recurrence["rrule"]:
        return
    # Only the times, since with a new start the dates may not even be valid.
    times = {
        name: value
        for name, value in (document | patch).items()
        if name in _TIME_MEMBERS
    }
    event = load_validated(schema, {"title": "x", **times}).event
    # Without the offset.
    if event.start.isoformat()[:19] != document["start"][:19]:
        detail = "Send recurrence too, with its dates and UNTIL moved as the start is."
        raise ValidationFailed(FieldError("#/start", detail))


def _entry_response(
    session: Session, row: EntryRow, *, is_new: bool = False
) -> Response:
    """Return the response with an entry."""
    document = _document(session, row)
    headers = {"ETag": f'"{row.version}"'}
    if is_new:
        collection = _COLLECTIONS[row.kind]
        base_url = current_services().site.public_url
        headers["Location"] = f"{base_url}/api/v1/{collection}/{row.id}"
    if g.is_dry_run:
        # They are of what is not stored.
        headers.clear()
        document.pop("preview_url", None)
    return make_response(document, 201 if is_new else 200, headers)


def _document(session: Session, row: EntryRow) -> dict[str, Any]:
    """Return an entry with the members that only editors see."""
    services = current_services()
    document: dict[str, Any] = services.entry_schemas[row.kind].dump(row.entry)
    document["public"] = row.is_public
    if not row.is_public and row.status != "withdrawn":
        document["preview_url"] = services.preview_url(session, row.id)
    return document
