"""Writes to hidden entries, as the workers of a running service show them."""

from __future__ import annotations

import time

import requests

from feedsvc.models import SCOPES
from tests.server import Service

EVENT = {"title": "Hội sách", "start": "2031-12-05T19:00:00"}
DRAFT = {**EVENT, "title": "SECRET", "start": "2032-02-03T08:00:00", "status": "draft"}
IN_A_ROW = 24
"""Responses, each on its own connection, after which both workers have surely given one."""

Seen = tuple[bytes, str, str | None]
"""The body, the ETag and the Last-Modified of a response."""


def agreed(service: Service, path: str, before: str | None = None) -> Seen:
    """Return the response that all workers give to a path, when all of them give the same one.

    :param before: a Last-Modified that is not to be waited for any longer.
    """
    deadline = time.monotonic() + 20
    row: list[Seen] = []
    while time.monotonic() < deadline:
        response = requests.get(
            service.url + path, headers={"Connection": "close"}, timeout=10
        )
        row.append(
            (
                response.content,
                response.headers["ETag"],
                response.headers.get("Last-Modified"),
            )
        )
        if (
            len(row) >= IN_A_ROW
            and len(set(row[-IN_A_ROW:])) == 1
            and row[-1][2] not in (None, before)
        ):
            return row[-1]
    raise AssertionError([(etag, stamp) for _, etag, stamp in row[-IN_A_ROW:]])


def test_workers_agree_after_writes_to_a_deleted_event(service: Service) -> None:
    drafter = service.make_token("events:write")
    publisher = service.command(
        "token", "create", "publisher", *(x for s in SCOPES for x in ("--scope", s))
    )

    def write(token: str, method: str, document: object = None) -> int:
        service.token = token.strip()
        return service.request(method, "/api/v1/events/e", document).status_code

    path = "/feeds/events.ics"
    assert write(publisher, "PUT", EVENT) == 201
    shown = agreed(service, path)
    assert write(publisher, "DELETE") == 204
    deleted = agreed(service, path, before=shown[2])
    assert b"STATUS:CANCELLED" in deleted[0]
    assert write(drafter, "PUT", DRAFT) == 403
    assert write(publisher, "PUT", DRAFT) == 201
    assert agreed(service, path) == deleted, "a hidden draft is no change"
    assert write(drafter, "DELETE") == 403
    assert write(publisher, "DELETE") == 204
    assert agreed(service, path) == deleted
    assert write(publisher, "PUT", EVENT) == 201
    restored = agreed(service, path, before=deleted[2])
    assert b"CANCELLED" not in restored[0]
    assert (
        len({shown[1], deleted[1], restored[1]})
        == len({shown[2], deleted[2], restored[2]})
        == 3
    )
