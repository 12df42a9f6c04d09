"""Limits: how often a token may write, and an address guess; the log of writes."""

from __future__ import annotations

import logging

import pytest

from feedsvc.models import SCOPES
from feedsvc.storage.database import Database
from feedsvc.storage.tokens import create_token
from tests.conftest import ApiClient, MakeApp


def test_writes_over_token_rate_are_429(make_app: MakeApp, database: Database) -> None:
    client = make_app(rate_writes="4/minute").test_client()  # two workers share it
    editor, other = (
        ApiClient(client, create_token(database, name, SCOPES))
        for name in ("lan", "nam")
    )
    for number in range(2):
        assert (
            editor.send("PUT", f"/articles/{number}", {"title": "x"}).status_code == 201
        )
    refused = editor.send("PUT", "/articles/2", {"title": "x"})
    assert refused.status_code == 429
    assert refused.get_json()["title"] == "Too Many Requests"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert editor.send("GET", "/articles/2").status_code == 404, "reading goes on"
    assert other.send("PUT", "/articles/2", {"title": "x"}).status_code == 201


def test_retry_after_is_the_seconds_that_are_left(
    make_app: MakeApp, database: Database
) -> None:
    client = make_app(rate_writes="2/second", workers=2).test_client()
    editor = ApiClient(client, create_token(database, "lan", SCOPES))
    # A busy machine may take a second between two of them.
    for _ in range(20):
        answer = editor.send("PUT", "/articles/a", {"title": "x"})
        if answer.status_code == 429:
            break
    assert answer.headers["Retry-After"] == "1"


def test_failed_authentications_over_address_rate_are_429(
    make_app: MakeApp, database: Database
) -> None:
    client = make_app(rate_auth_failures="4/minute").test_client()
    good = ApiClient(client, create_token(database, "lan", SCOPES))
    bad = ApiClient(client, "fsv_" + "0" * 36)
    statuses = [bad.send("GET", "/articles").status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert client.get("/api/v1/articles").status_code == 401, (
        "who shows no token does not guess"
    )
    assert good.send("GET", "/articles").status_code == 200, "nobody else is locked out"


def test_client_address_comes_from_trusted_proxy(make_app: MakeApp) -> None:
    wrong = {"Authorization": "Bearer fsv_x"}
    for proxies, expected in ((0, 429), (1, 401)):
        client = make_app(
            rate_auth_failures="2/minute", trusted_proxies=proxies
        ).test_client()
        client.get(
            "/api/v1/articles", headers={**wrong, "X-Forwarded-For": "192.0.2.1"}
        )
        second = client.get(
            "/api/v1/articles", headers={**wrong, "X-Forwarded-For": "192.0.2.2"}
        )
        assert second.status_code == expected


def test_every_write_is_logged_with_its_token(
    editor: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "feedsvc")
    editor.put("/articles/a", {"title": "x"})
    editor.put("/articles/a", {"title": "x"})
    editor.put("/articles/a", {"title": "y"})
    editor.send("DELETE", "/articles/a")
    assert caplog.messages == [
        "put news/a version 1 by editor",
        "put news/a version 2 by editor",
        "delete news/a version 3 by editor",
    ]
