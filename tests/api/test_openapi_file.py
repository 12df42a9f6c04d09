"""docs/openapi.json is the API's description."""

from __future__ import annotations

import json
import os

import pytest
from flask.testing import FlaskClient

from tests.server import ROOT

PATH = ROOT / "docs/openapi.json"


@pytest.mark.golden
def test_committed_document_is_the_services(client: FlaskClient) -> None:
    current = client.get("/api/openapi.json").get_json()
    if os.environ.get("GOLDEN") == "write":
        text = json.dumps(current, ensure_ascii=False, indent=1) + "\n"
        PATH.write_text(text, "utf-8", newline="\n")
    assert current == json.loads(PATH.read_text("utf-8")), "make golden writes it"
