"""The view of `/api/v1/changes`, by which partners replicate public entries."""

import time
from typing import Any

import marshmallow as ma
from flask import Response, current_app, request
from marshmallow.validate import OneOf, Range
from sqlalchemy.orm import Session

from feedsvc.concurrency import limit_work
from feedsvc.errors import Gone
from feedsvc.input.schemas import ClosedSchema
from feedsvc.models import KINDS
from feedsvc.services import current_services
from feedsvc.storage.changes import list_changes
from feedsvc.storage.database import revision_row
from feedsvc.storage.tables import EntryRow, from_microseconds, to_microseconds

#: Limits of a page, which may have fewer changes than its parameter `limit`.
PAGE_BYTES = 4 * 1024 * 1024
PAGE_SECONDS = 0.15

#: More than any time in microseconds, and within the databases' integers.
_MAX_CURSOR = 2**62


class ChangesQuery(ClosedSchema):
    """The query parameters of a page of changes."""

    after = ma.fields.Integer(validate=Range(0, _MAX_CURSOR), load_default=0)
    kind = ma.fields.String(validate=OneOf(KINDS))
    limit = ma.fields.Integer(validate=Range(1, 1000), load_default=100)


QUERY = ChangesQuery()


def list_(**parameters: Any) -> Response:
    """List public changes after a cursor, oldest first."""
    services = current_services()
    with limit_work(), services.database.read() as session:
        return _page(session, **parameters)


def _page(
    session: Session, after: int, limit: int, kind: str | None = None
) -> Response:
    """Return a page, which ends after `PAGE_BYTES` or `PAGE_SECONDS` of processor.

    :raises Gone: the cursor is from before a restore.
    """
    revisions = revision_row(session)
    is_lost = 0 < after < to_microseconds(revisions.floor)
    if is_lost or after > to_microseconds(revisions.last):
        raise Gone(
            "There is no change with this cursor: the database was restored from a "
            "backup. Begin again with after=0."
        )
    items: list[bytes] = []
    size = 0
    deadline = time.thread_time() + PAGE_SECONDS
    for row in list_changes(session, from_microseconds(after), kind, limit):
        # As bytes at once: objects of a whole page need many times the memory.
        text = current_app.json.dumps(_document(row), separators=(",", ":"))
        item = text.encode()
        size += len(item)
        is_full = size > PAGE_BYTES or time.thread_time() > deadline
        # The first change is sent however large it is, or the client would never get
        # past it.
        if items and is_full:
            break
        items.append(item)
        after = to_microseconds(row.changed_at)
    body = b'{"changes":[%b],"next":%d}\n' % (b",".join(items), after)
    response = Response(body, mimetype="application/json")
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


def _document(row: EntryRow) -> dict[str, Any]:
    head = {
        "seq": to_microseconds(row.changed_at),
        "action": "put" if row.is_public else "delete",
        "kind": row.kind,
        "id": row.id,
        "guid": row.guid,
    }
    if not row.is_public:
        return head
    schema = current_services().entry_schemas[row.kind]
    return {**head, **schema.dump(row.entry.public_view())}
