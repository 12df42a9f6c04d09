"""Retries publish once, and search finds what editors type."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.models import SCOPES
from feedsvc.storage import Storage
from feedsvc.storage.tables import idempotency_keys
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

KEY = {"Idempotency-Key": "khoa-1"}


def test_repeated_key_returns_first_response(editor: ApiClient) -> None:
    first = editor.send("POST", "/articles", {"title": "Một"}, headers=KEY)
    assert first.status_code == 201
    editor.send(
        "PATCH", first.headers["Location"].split("/api/v1")[1], {"title": "Hai"}
    )
    for key in ("khoa-1", '"khoa-1"'):
        again = editor.send(
            "POST", "/articles", {"title": "Một"}, headers={"Idempotency-Key": key}
        )
        assert again.status_code == 201
        assert again.get_json() == first.get_json()
        assert again.headers["Location"] == first.headers["Location"]
        assert again.headers["ETag"] == first.headers["ETag"]
    assert len(editor.send("GET", "/articles").get_json()["items"]) == 1


def test_key_is_bound_to_body_path_and_token(
    editor: ApiClient, client: FlaskClient, storage: Storage, clock: Clock
) -> None:
    editor.send("POST", "/articles", {"title": "Một"}, headers=KEY)
    reused = editor.send("POST", "/articles", {"title": "Hai"}, headers=KEY)
    assert reused.status_code == 422
    assert reused.get_json()["type"].endswith("/key-reused")
    assert (
        editor.send(
            "POST", "/events", {"title": "x", "start": "2027-01-01"}, headers=KEY
        ).status_code
        == 201
    )
    other = ApiClient(client, storage.tokens.create("other", SCOPES))
    assert (
        other.send("POST", "/articles", {"title": "Hai"}, headers=KEY).status_code
        == 201
    )
    clock.forward(hours=24)
    assert (
        editor.send("POST", "/articles", {"title": "Hai"}, headers=KEY).status_code
        == 201
    )


def test_responses_are_deleted_after_24_hours(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    for number in range(3):
        clock.forward(hours=12)
        key = {"Idempotency-Key": f"k{number}"}
        editor.send("POST", "/articles", {"title": "Một"}, headers=key)
    with storage.database.read() as connection:
        keys = connection.scalars(sa.select(idempotency_keys.c.key)).all()
    assert sorted(keys) == ["k1", "k2"]


def test_errors_are_not_stored_under_a_key(editor: ApiClient) -> None:
    assert (
        editor.send("POST", "/articles", {"title": ""}, headers=KEY).status_code == 422
    )
    editor.put("/articles/a", {"title": "x"})
    assert (
        editor.send(
            "POST", "/articles", {"title": "Một", "id": "a"}, headers=KEY
        ).status_code
        == 409
    )
    assert (
        editor.send(
            "POST", "/articles", {"title": "Một", "id": "b"}, headers=KEY
        ).status_code
        == 201
    )


@pytest.mark.parametrize("key", ["", '""', '"x', 'x"y', "x" * 256, "khoá"])
def test_malformed_key_is_400(editor: ApiClient, key: str) -> None:
    bad = {"Idempotency-Key": key.encode().decode("latin-1")}
    assert (
        editor.send("POST", "/articles", {"title": "x"}, headers=bad).status_code == 400
    )


def test_concurrent_retries_create_one_entry(editor: ApiClient, app: Flask) -> None:
    def post(_: int) -> tuple[int, str]:
        answer = ApiClient(app.test_client(), editor.token).send(
            "POST", "/articles", {"title": "Một"}, headers=KEY
        )
        return answer.status_code, answer.get_json()["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(post, range(8)))
    assert len(answers) == 1
    assert answers.pop()[0] == 201
    assert len(editor.send("GET", "/articles").get_json()["items"]) == 1
