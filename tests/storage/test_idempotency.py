"""Responses to requests with an Idempotency-Key: for whom, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from feedsvc.errors import Gone, IdempotencyKeyConflict
from feedsvc.models import Entry
from feedsvc.storage import Storage
from feedsvc.storage.idempotency import IdempotentRequest
from feedsvc.storage.tables import idempotency_keys
from tests.fake_clock import Clock

REQUEST = IdempotentRequest("editor", "/api/v1/articles", "key", "hash")
OTHERS = (
    REQUEST._replace(token="other"),
    REQUEST._replace(path="/api/v1/events"),
    REQUEST._replace(key="other"),
)


def get(storage: Storage, request: IdempotentRequest) -> Any:
    with storage.writer("editor") as writer:
        return writer.idempotency_keys.get(request)


def put(storage: Storage, request: IdempotentRequest) -> None:
    with storage.writer("editor") as writer:
        writer.idempotency_keys.put(request, [{"id": "a"}, 201], "a")


def test_response_is_of_the_same_request(storage: Storage) -> None:
    put(storage, REQUEST)
    assert get(storage, REQUEST) == ({"id": "a"}, 201)
    for other in OTHERS:
        assert get(storage, other) is None
    with pytest.raises(IdempotencyKeyConflict):
        get(storage, REQUEST._replace(fingerprint="other"))


def test_response_is_stored_for_24_hours(storage: Storage, clock: Clock) -> None:
    put(storage, REQUEST)
    clock.forward(hours=23, minutes=59, seconds=59)
    put(storage, OTHERS[0])
    assert get(storage, REQUEST)
    clock.forward(seconds=1)
    assert get(storage, REQUEST) is None
    put(storage, OTHERS[1])
    with storage.database.read() as connection:
        stored = connection.execute(sa.select(idempotency_keys)).all()
    assert len(stored) == 2


def test_response_is_erased_with_its_entry(storage: Storage) -> None:
    put(storage, REQUEST)
    with storage.writer("editor") as writer:
        writer.idempotency_keys.erase("other")
        assert writer.idempotency_keys.get(REQUEST)
        writer.idempotency_keys.erase("a")
    with pytest.raises(Gone, match="“a”"):
        get(storage, REQUEST)


def test_deletion_of_an_entry_erases_its_response(storage: Storage) -> None:
    with storage.writer("editor") as writer:
        writer.entries.put(Entry("a", "news", "Tin", "vi"))
    put(storage, REQUEST)
    with storage.writer("editor") as writer:
        writer.entries.delete("news", "a")
    with pytest.raises(Gone, match="“a”"):
        get(storage, REQUEST)
