"""Writes to hidden entries, as the workers of a running service show them."""

from __future__ import annotations

import secrets

from tests.integration.worker_process import WorkerConnection, connect_workers
from tests.server import Service
from tests.waiting import wait_until

EVENT = {"title": "Hội sách", "start": "2031-12-05T19:00:00"}
DRAFT = {**EVENT, "title": "SECRET", "start": "2032-02-03T08:00:00", "status": "draft"}
Seen = tuple[bytes, str, str | None]
"""The body, the ETag and the Last-Modified of a response."""


def agreed(
    service: Service,
    workers: list[WorkerConnection],
    path: str,
    before: str | None = None,
) -> Seen:
    """Return the response that all workers give to a path, once they have seen all writes.

    :param before: a Last-Modified that is not to be waited for any longer.
    """
    marker = secrets.token_hex()
    assert service.request("PUT", "/api/v1/articles/marker", {"title": marker}).ok
    wait_until(
        lambda: all(
            marker.encode() in worker.request("GET", "/feeds/news.json").body
            for worker in workers
        )
    )
    seen: set[Seen] = set()

    def agree() -> bool:
        seen.clear()
        for worker in workers:
            response = worker.request("GET", path)
            stamp = response.headers.get("last-modified")
            seen.add((response.body, response.headers["etag"], stamp))
        (*_, (_, _, stamp)) = seen
        return len(seen) == 1 and stamp not in (None, before)

    wait_until(agree, 20)
    return seen.pop()


def test_workers_agree_after_writes_to_a_deleted_event(service: Service) -> None:
    service.make_token("news:write", "events:write")

    def write(method: str, document: object = None) -> int:
        return service.request(method, "/api/v1/events/e", document).status_code

    path = "/feeds/events.ics"
    with connect_workers(service) as workers:
        assert write("PUT", EVENT) == 201
        shown = agreed(service, workers, path)
        assert write("DELETE") == 204
        deleted = agreed(service, workers, path, before=shown[2])
        assert b"STATUS:CANCELLED" in deleted[0]
        assert write("PUT", DRAFT) == 201
        assert agreed(service, workers, path) == deleted, "a hidden draft is no change"
        assert write("DELETE") == 204
        assert agreed(service, workers, path) == deleted
        assert write("PUT", EVENT) == 201
        restored = agreed(service, workers, path, before=deleted[2])
        assert b"CANCELLED" not in restored[0]
        assert (
            len({shown[1], deleted[1], restored[1]})
            == len({shown[2], deleted[2], restored[2]})
            == 3
        )
