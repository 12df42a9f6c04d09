"""Clients of the sample data, and what its feeds should show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import data
from tests.conftest import ApiClient, CopyDatabase
from tests.data.fixtures import make_client, open_app
from tests.interop.expected import ExpectedFeeds

FetchFeed = Callable[[str], bytes]
"""Returns the body of a path."""


@pytest.fixture(scope="session")
def shared_client(
    seeded_template: Path, copy_database: CopyDatabase
) -> Iterator[ApiClient]:
    """Return a client of sample data that no test changes."""
    with open_app(copy_database(seeded_template)) as app:
        yield make_client(app)


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
