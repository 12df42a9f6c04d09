"""Clients of the sample data, and what its feeds should show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from config import Config
from feedsvc import create_app
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests import data
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.interop.expected import ExpectedFeeds

FetchFeed = Callable[[str], bytes]
"""Returns the body of a path."""


def api_client(app: Flask) -> ApiClient:
    token = get_services(app).storage.tokens.create("editor", SCOPES)
    return ApiClient(app.test_client(), token)


@pytest.fixture
def editor(seeded_app: Flask) -> ApiClient:
    """Return a client that may change the sample data."""
    return api_client(seeded_app)


@pytest.fixture(scope="session")
def shared_client(
    seeded_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiClient]:
    """Return a client of sample data that no test changes."""
    path = shutil.copy(seeded_template, tmp_path_factory.mktemp("interop") / "a.db")
    settings = {
        "FEEDSVC_DATABASE_URL": f"sqlite:///{path}",
        "FEEDSVC_PUBLIC_URL": "https://feeds.example",
        "FEEDSVC_SITE_URL": "https://portal.example",
    }
    app = create_app(Config.from_env(settings), Clock(data.NOW))
    yield api_client(app)
    get_services(app).storage._database.close()


@pytest.fixture(scope="session")
def fetch_feed(shared_client: ApiClient) -> FetchFeed:
    """Return a function that fetches each path once for all tests."""

    @cache
    def fetch(path: str) -> bytes:
        response = shared_client.client.get(path)
        assert response.status_code == 200, path
        body: bytes = response.data
        return body

    return fetch


@pytest.fixture(scope="session")
def expected_feeds(shared_client: ApiClient) -> ExpectedFeeds:
    """Return what the feeds of the sample data should show."""
    return ExpectedFeeds(
        lambda path: shared_client.send("GET", path).get_json(), data.NOW
    )
