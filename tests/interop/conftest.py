"""What the tests of readers share: an editor of the corpus, and what its feeds should show."""

from __future__ import annotations

import pytest
from flask import Flask

from feedsvc.cli.services import services_of
from feedsvc.models import SCOPES
from tests import data
from tests.conftest import Editor
from tests.interop.expected import Oracle


@pytest.fixture
def editor(filled: Flask) -> Editor:
    """An editor of the portal with the corpus in it."""
    return Editor(
        filled.test_client(), services_of(filled).store.tokens.create("editor", SCOPES)
    )


@pytest.fixture
def oracle(editor: Editor) -> Oracle:
    return Oracle(lambda path: editor.send("GET", path).get_json(), data.NOW)
