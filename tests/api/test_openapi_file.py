"""docs/openapi.json is the API's description."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient

from tests.formats.golden import ROOT, assert_file


@pytest.mark.golden
def test_committed_document_is_the_services(client: FlaskClient) -> None:
    current = client.get("/api/openapi.json").get_json()
    text = json.dumps(current, ensure_ascii=False, indent=1) + "\n"
    assert_file(ROOT / "docs/openapi.json", text)
