"""What the tests of readers share: an editor of the corpus, and what its feeds should show."""

from __future__ import annotations

import pytest
from flask import Flask

from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests import data
from tests.conftest import Editor
from tests.interop.expected import Oracle


@pytest.fixture
def editor(filled: Flask) -> Editor:
    """An editor of the portal with the corpus in it."""
    return Editor(
        filled.test_client(),
        get_services(filled).storage.tokens.create("editor", SCOPES),
    )


@pytest.fixture
def oracle(editor: Editor) -> Oracle:
    return Oracle(lambda path: editor.send("GET", path).get_json(), data.NOW)
