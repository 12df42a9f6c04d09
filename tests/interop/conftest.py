"""What the tests of readers share: an editor of the corpus, and what its feeds should show."""

from __future__ import annotations

import pytest
from flask import Flask

from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests import data
from tests.conftest import ApiClient
from tests.interop.expected import Oracle


@pytest.fixture
def editor(seeded_app: Flask) -> ApiClient:
    """An editor of the portal with the corpus in it."""
    return ApiClient(
        seeded_app.test_client(),
        get_services(seeded_app).storage.tokens.create("editor", SCOPES),
    )


@pytest.fixture
def oracle(editor: ApiClient) -> Oracle:
    return Oracle(lambda path: editor.send("GET", path).get_json(), data.NOW)
