"""Apps with sample data or XSS payloads, loaded once and copied for each test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import Config
from feedsvc import create_app
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests import data
from tests.conftest import ApiClient, MakeApp
from tests.data.xss_payloads import post_payloads
from tests.fake_clock import Clock


def load(editor: ApiClient) -> None:
    """Post the sample data, all of which must be accepted."""
    for category in data.categories():
        editor.put(f"/categories/{category['slug']}", category)
    assert {result["status"] for result in post(editor, data.batch())} == {201}


def post(editor: ApiClient, lines: list[Any]) -> list[dict[str, Any]]:
    """Post a batch and return its results."""
    headers = {"Content-Type": "application/json"}
    response = editor.send("POST", "/batch", data=json.dumps(lines), headers=headers)
    results: list[dict[str, Any]] = response.get_json()["results"]
    return results


@pytest.fixture(scope="session")
def seeded_template(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a database with the sample data."""
    path = Path(
        shutil.copy(sqlite_template, tmp_path_factory.mktemp("sample") / "feedsvc.db")
    )
    settings = {
        "FEEDSVC_DATABASE_URL": f"sqlite:///{path}",
        "FEEDSVC_PUBLIC_URL": "https://feeds.example",
    }
    settings |= {"FEEDSVC_SITE_URL": "https://portal.example"}
    app = create_app(Config.from_env(settings), Clock(data.NOW))
    storage = get_services(app).storage
    load(ApiClient(app.test_client(), storage.tokens.create("loader", SCOPES)))
    storage._database.close()
    return path


@pytest.fixture
def seeded_app(
    seeded_template: Path, make_app: MakeApp, clock: Clock, tmp_path: Path
) -> Flask:
    """Return an app with the sample data, at `data.NOW`."""
    clock.now = data.NOW
    return make_app(
        database_url=f"sqlite:///{shutil.copy(seeded_template, tmp_path / 'seeded.db')}"
    )


@pytest.fixture(scope="session")
def attacked_template(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a database with every payload in every field that accepts it."""
    path = Path(
        shutil.copy(sqlite_template, tmp_path_factory.mktemp("attack") / "feedsvc.db")
    )
    settings = {
        "FEEDSVC_DATABASE_URL": f"sqlite:///{path}",
        "FEEDSVC_PUBLIC_URL": "https://feeds.example",
    }
    settings |= {"FEEDSVC_RATE_WRITES": "1000000/minute"}
    app = create_app(Config.from_env(settings), Clock(data.NOW))
    services = get_services(app)
    post_payloads(
        ApiClient(
            app.test_client(), services.storage.tokens.create("attacker", SCOPES)
        ),
        services.schemas,
    )
    services.storage._database.close()
    return path


@pytest.fixture
def attacked_app(
    attacked_template: Path, make_app: MakeApp, clock: Clock, tmp_path: Path
) -> Flask:
    """Return an app with every payload, at `data.NOW`."""
    clock.now = data.NOW
    return make_app(
        database_url=f"sqlite:///{shutil.copy(attacked_template, tmp_path / 'attacked.db')}"
    )
