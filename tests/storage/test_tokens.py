"""Tokens: when they end, and how they are replaced."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask

from feedsvc.errors import Conflict, NotFound, Unauthorized, Unavailable
from feedsvc.storage import Storage
from tests.fake_clock import Clock
from tests.server import Service

DAY = timedelta(days=1)


def works(store: Storage, token: str) -> bool:
    try:
        return bool(store.tokens.authenticate(token))
    except Unauthorized:
        return False


def test_a_token_expires(store: Storage, clock: Clock) -> None:
    token = store.tokens.create("a", ["news:write"], clock() + DAY)
    clock.forward(seconds=86399)
    assert works(store, token)
    clock.forward(seconds=1)
    assert not works(store, token)


@pytest.mark.parametrize("name", ["import", "sanitize", "moments", "timezones"])
def test_no_token_has_a_name_of_the_service(store: Storage, name: str) -> None:
    with pytest.raises(Conflict, match="the service itself"):
        store.tokens.create(name, ["news:write"])


def test_a_misspelt_token_is_refused_without_a_look(store: Storage) -> None:
    token = store.tokens.create("a", ["news:write"])
    with store._database.write() as connection:
        connection.exec_driver_sql("DROP TABLE tokens")
    with pytest.raises(Unauthorized):
        store.tokens.authenticate(token[:-1] + ("a" if token[-1] != "a" else "b"))
    with pytest.raises(Unavailable):
        store.tokens.authenticate(token)


def test_a_rotated_token_works_on_for_a_time(store: Storage, clock: Clock) -> None:
    first = store.tokens.create("a", ["news:write"])
    other = store.tokens.create("b", ["news:write"])
    second = store.tokens.rotate("a", DAY)
    assert works(store, first)
    # A thread stores the last use, so that time may differ between the two.
    assert (
        store.tokens.authenticate(second).name == store.tokens.authenticate(first).name
    )
    assert store.tokens.authenticate(second).scopes == {"news:write"}
    clock.forward(days=1)
    assert [works(store, token) for token in (first, second, other)] == [
        False,
        True,
        True,
    ]


def test_of_those_before_only_the_last_works_on(store: Storage) -> None:
    tokens = [store.tokens.create("a", [])] + [
        store.tokens.rotate("a", DAY) for _ in range(2)
    ]
    assert [works(store, token) for token in tokens] == [False, True, True]
    tokens.append(store.tokens.rotate("a", timedelta(0)))
    assert [works(store, token) for token in tokens] == [False, False, False, True]
    store.tokens.rotate("a", DAY)
    store.tokens.revoke("a")
    assert not any(works(store, token) for token in tokens)
    with pytest.raises(Conflict):
        store.tokens.rotate("a", DAY)
    with pytest.raises(NotFound):
        store.tokens.rotate("nobody", DAY)


def test_grace_lengthens_no_life(store: Storage, clock: Clock) -> None:
    first = store.tokens.create("a", [], clock() + DAY)
    second = store.tokens.rotate("a", 9 * DAY)
    clock.forward(days=1)
    assert not works(store, first)
    assert not works(store, second), "its end is the same where none is said"
    with pytest.raises(Conflict):
        store.tokens.rotate("a", DAY)
    assert works(store, store.tokens.rotate("a", DAY, clock() + DAY))
    assert not works(store, first)


@pytest.mark.sqlite
def test_the_commands(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSVC_DATABASE_URL", database_url)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app.cli.commands["token"], arguments, obj=None)
        return done.exit_code, done.output

    with app.app_context():
        assert (
            run("create", "a", "--scope", "news:write", "--expires", "2999-01-31")[0]
            == 0
        )
        code, output = run("rotate", "a", "--grace", "12h", "--expires", "30d")
        assert (code, output[:4], output.count("\n")) == (0, "fsv_", 1)
        listed = run("list", "--json")[1]
        assert "fsv_" not in listed
        assert "2999" not in listed
        found = json.loads(listed)
        assert found["scopes"] == ["news:write"]
        assert found["expires"] > found["former_until"] > found["created"]
        assert found["last_used"] is None
        assert run("list")[1].split("\t")[:2] == ["a", "news:write"]
        for wrong in ("2020-01-01", "soon", "30", "0d"):
            assert (
                run("create", "b", "--scope", "news:write", "--expires", wrong)[0] == 2
            )
        assert run("rotate", "a", "--grace", "long")[0] == 2


@pytest.mark.parametrize("how", ["revoke", "rotate"])
def test_no_worker_believes_a_token_that_has_ended(service: Service, how: str) -> None:
    service.stop()
    service.environ["FEEDSVC_RATE_AUTH_FAILURES"] = "1000/minute"
    service.start()
    service.make_token("news:write")
    assert {
        service.request("GET", "/api/v1/articles").status_code for _ in range(20)
    } == {200}
    service.command(
        "token", how, "test", *(["--grace", "0h"] if how == "rotate" else [])
    )
    assert {
        service.request("GET", "/api/v1/articles").status_code for _ in range(20)
    } == {401}
