"""Every setting has an effect that others notice."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import CopyDatabase
from tests.data import read
from tests.data.fixtures import make_client, open_app
from tests.server import Service
from tests.settings import setting_names


def put(client: FlaskClient) -> list[int]:
    """Return the statuses of writes, the second of them longer."""
    name = str(uuid4())
    editor = make_client(client.application, name=name)
    return [
        editor.send(
            "PUT", f"/articles/{name}", {"title": "x", "summary": text}
        ).status_code
        for text in ("x", "x" * 1100)
    ]


def preview(client: FlaskClient) -> Any:
    """Return the link to a preview."""
    draft = {"title": "x", "status": "draft"}
    editor = make_client(client.application)
    return editor.put("/articles/draft", draft).get_json()["preview_url"]


def log_in(client: FlaskClient) -> list[int]:
    """Return the statuses of failed logins from two addresses behind a proxy."""
    addresses = ["203.0.113.1"] * 5 + ["203.0.113.2"]
    return [
        client.get(
            "/api/v1/articles",
            headers={
                "Authorization": "Bearer fsv_x",
                "X-Forwarded-For": address,
            },
        ).status_code
        for address in addresses
    ]


SETTINGS: dict[str, tuple[str, str]] = read("settings")["effects"]
"""A value of each setting, and the view or the path that it changes."""
VIEWS = {"put": put, "preview": preview, "log_in": log_in}
# Other tests start services with them.
PROCESS_SETTINGS = {
    "HOST",
    "PORT",
    "FEEDSVC_DATABASE_URL",
    "FEEDSVC_LOG_FORMAT",
}


def test_every_setting_is_in_this_file() -> None:
    # Of the texts by language, one stands for all.
    texts = {"FEEDSVC_SITE_TITLE_EN", "FEEDSVC_SITE_DESCRIPTION_EN"}
    assert setting_names() | texts == SETTINGS.keys() | PROCESS_SETTINGS, (
        "“effects” in tests/data/settings.json"
    )


@pytest.fixture(scope="module")
def default_apps(
    copy_database: CopyDatabase,
) -> Iterator[tuple[Flask, Flask]]:
    """Return two apps without settings."""
    with (
        open_app(copy_database()) as first,
        open_app(copy_database()) as other,
    ):
        yield first, other


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_has_an_effect(
    name: str, copy_database: CopyDatabase, default_apps: tuple[Flask, Flask]
) -> None:
    value, path = SETTINGS[name]
    view = VIEWS.get(path) or (lambda client: client.get(path).text)
    first, second = (view(app.test_client()) for app in default_apps)
    assert first == second, "nothing else changes it"
    with open_app(copy_database(), **{name: value}) as app:
        assert view(app.test_client()) != first


def test_host_has_an_effect(sqlite_url: str) -> None:
    with Service(sqlite_url, HOST="127.0.0.2") as service:
        assert service.request("GET", "/healthz").ok
