"""Tokens: when they end, and how they are replaced."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask

from feedsvc.errors import Conflict, NotFound, Unauthorized, Unavailable
from feedsvc.models import SCOPES
from feedsvc.storage import Storage
from feedsvc.storage.tokens import LAST_USED_THREAD
from tests.fake_clock import Clock
from tests.integration.worker_process import connect_workers
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases

DAY = timedelta(days=1)


def works(storage: Storage, token: str) -> bool:
    try:
        return bool(storage.tokens.authenticate(token))
    except Unauthorized:
        return False


def is_last_use_written() -> bool:
    """Return whether a thread is storing the last use of a token."""
    return any(thread.name == LAST_USED_THREAD for thread in threading.enumerate())


def test_token_expires(storage: Storage, clock: Clock) -> None:
    token = storage.tokens.create("a", ["news:write"], clock() + DAY)
    clock.forward(seconds=86399)
    assert works(storage, token)
    clock.forward(seconds=1)
    assert not works(storage, token)


def test_form_of_a_token_is_known_to_scanners_for_secrets(storage: Storage) -> None:
    assert re.fullmatch("fsv_[0-9A-Za-z]{36}", storage.tokens.create("a", []))


@pytest.mark.parametrize("name", ["import", "scheduler", "timezones"])
def test_names_of_the_service_are_reserved(storage: Storage, name: str) -> None:
    with pytest.raises(Conflict, match="is reserved"):
        storage.tokens.create(name, ["news:write"])


def test_misspelt_token_is_refused_without_a_query(storage: Storage) -> None:
    token = storage.tokens.create("a", ["news:write"])
    with storage.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE tokens")
    with pytest.raises(Unauthorized):
        storage.tokens.authenticate(token[:-1] + ("a" if token[-1] != "a" else "b"))
    with pytest.raises(Unavailable):
        storage.tokens.authenticate(token)


def test_unknown_token_cannot_be_revoked(storage: Storage) -> None:
    with pytest.raises(NotFound):
        storage.tokens.revoke("nobody")


def test_last_use_is_stored_of_the_used_token(storage: Storage, clock: Clock) -> None:
    token = storage.tokens.create("a", [])
    storage.tokens.create("b", [])
    clock.forward(minutes=5)
    storage.tokens.authenticate(token)
    first = clock.now
    wait_until(lambda: storage.tokens.list()[0].last_used == first)
    assert storage.tokens.list()[1].last_used is None
    # In the same minute it is not stored again, since each time is a write.
    wait_until(lambda: not is_last_use_written())
    clock.forward(seconds=59)
    storage.tokens.authenticate(token)
    assert not is_last_use_written()
    clock.forward(seconds=1)
    storage.tokens.authenticate(token)
    wait_until(lambda: storage.tokens.list()[0].last_used == clock.now)


def test_only_an_ended_token_is_replaced_by_name(
    storage: Storage, clock: Clock
) -> None:
    storage.tokens.create("revoked", [])
    storage.tokens.revoke("revoked")
    storage.tokens.create("expired", [], clock() + DAY)
    valid = storage.tokens.create("valid", [], clock() + 2 * DAY)
    clock.forward(days=1)
    for name, state in (("revoked", "a revoked"), ("expired", "an expired")):
        with pytest.raises(Conflict, match=rf"{state} token .*--replace"):
            storage.tokens.create(name, [])
        assert works(storage, storage.tokens.create(name, [], replace=True))
    with pytest.raises(Conflict, match=r"a valid token .*another name"):
        storage.tokens.create("valid", [], replace=True)
    assert works(storage, valid)
    assert len(storage.tokens.list()) == 3


@pytest.mark.sqlite
def test_token_commands(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSVC_DATABASE_URL", database_url)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app.cli.commands["token"], arguments, obj=None)
        return done.exit_code, done.stdout or done.stderr

    with app.app_context():
        created = ("create", "a", "--scope", "news:write", "--expires", "2999-01-31")
        code, output = run(*created)
        assert (code, output[:4], output.count("\n")) == (0, "fsv_", 1)
        listed = run("list", "--json")[1]
        assert "fsv_" not in listed
        found = json.loads(listed)
        assert found["scopes"] == ["news:write"]
        assert found["expires"] == "2999-01-31T00:00:00Z"
        assert found["last_used"] is None
        assert run("list")[1].split("\t")[:2] == ["a", "news:write"]
        for wrong in ("2020-01-01", "soon", "30", "0d"):
            assert (
                run("create", "b", "--scope", "news:write", "--expires", wrong)[0] == 2
            )
        error = run("create", "b", "--scope", "news:write", "--expires", "soon")[1]
        assert "must be a date such as 2026-12-31, or days or hours such as" in error
        assert run("create", "b", "--expires", "30d")[0] == 0


@pytest.mark.sqlite
def test_token_without_scope_has_all_scopes(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSVC_DATABASE_URL", database_url)
    runner = app.test_cli_runner()
    runner.invoke(args=["token", "create", "cms"])
    listed = json.loads(runner.invoke(args=["token", "list", "--json"]).output)
    assert listed["scopes"] == sorted(SCOPES)


def test_every_worker_refuses_an_ended_token(service: Service) -> None:
    with connect_workers(service) as workers:

        def statuses() -> list[int]:
            return [
                worker.request(
                    "GET", "/api/v1/articles", authorization=f"Bearer {token}"
                ).status
                for worker in workers
            ]

        token = service.make_token("news:write")
        assert statuses() == [200, 200]
        service.command("token", "revoke", "test")
        assert statuses() == [401, 401]
