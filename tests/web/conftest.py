"""An application for the tests of a module that leave it as it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import Config
from feedsvc.app import create_app
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.fake_clock import Clock


@pytest.fixture(scope="module")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def shared_editor(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, shared_clock: Clock
) -> Iterator[ApiClient]:
    """Return a client with all scopes; two categories exist."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("web") / "feedsvc.db")
    config = Config.from_env(
        {
            "FEEDSVC_DATABASE_URL": f"sqlite:///{path}",
            "FEEDSVC_PUBLIC_URL": "https://feeds.example",
            "FEEDSVC_SITE_URL": "https://portal.example",
            "FEEDSVC_RATE_WRITES": "1000000/minute",
        }
    )
    app = create_app(config, shared_clock)
    storage = get_services(app).storage
    editor = ApiClient(app.test_client(), storage.tokens.create("editor", SCOPES))
    editor.put("/categories/giao-thong", {"title": "Giao thông"})
    editor.put("/categories/van-hoa", {"title": "Văn hoá"})
    yield editor
    storage.database.close()
