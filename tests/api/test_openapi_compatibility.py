"""docs/openapi.json is the API's description, and no change of it breaks clients."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.openapi_compatibility import incompatibilities
from tests.server import ROOT

Json = dict[str, Any]

PATH = ROOT / "docs/openapi.json"
COMMITTED: Json = json.loads(PATH.read_text("utf-8"))


@pytest.mark.golden
def test_committed_document_is_the_services(client: FlaskClient) -> None:
    """`make golden` writes the file, after an incompatible change too."""
    current = client.get("/api/openapi.json").get_json()
    if os.environ.get("GOLDEN") == "write":
        text = json.dumps(current, ensure_ascii=False, indent=1) + "\n"
        PATH.write_text(text, "utf-8", newline="\n")
    broken = incompatibilities(COMMITTED, current)
    assert not broken, "\n".join(["Incompatible with docs/openapi.json:", *broken])
    assert current == json.loads(PATH.read_text("utf-8")), (
        "Compatible with docs/openapi.json: make golden writes it"
    )


def schema(document: Json, name: str) -> Json:
    found: Json = document["components"]["schemas"][name]
    return found


def article(document: Json) -> Json:
    return schema(document, "Article")


def stored(document: Json) -> Json:
    return schema(document, "StoredArticle")


def member(document: Json, name: str) -> Json:
    found: Json = article(document)["properties"][name]
    return found


def put(document: Json) -> Json:
    found: Json = document["paths"]["/api/v1/articles/{id}"]["put"]
    return found


PUT = "PUT /api/v1/articles/{id}"
BODY = f"{PUT} body"

Change = Callable[[Json], Any]

INCOMPATIBLE: list[tuple[Change, str]] = [
    (lambda d: d["paths"].pop("/api/v1/changes"), "/api/v1/changes: path removed"),
    (lambda d: d["paths"]["/api/v1/articles/{id}"].pop("patch"), "PATCH /api/v1/articles/{id}: operation removed"),
    (lambda d: put(d)["parameters"].pop(), f"{PUT} parameter If-None-Match: removed"),
    (lambda d: put(d)["parameters"].append({"in": "query", "name": "x", "required": True, "schema": {}}), f"{PUT} parameter x: now required"),
    (lambda d: put(d)["responses"].pop("201"), f"{PUT} 201: response removed"),
    (lambda d: put(d)["responses"]["200"]["headers"].pop("ETag"), f"{PUT} 200 header ETag: removed"),
    (lambda d: put(d)["requestBody"].update(content={}), f"{BODY}: media type application/json removed"),
    (lambda d: put(d).update(security=[{"bearer": ["events:write"]}]), f"{PUT}: other scopes needed"),
    (lambda d: article(d)["properties"].pop("summary"), f"{BODY}.summary: member removed"),
    (lambda d: article(d)["required"].append("summary"), f"{BODY}.summary: member now required"),
    (lambda d: member(d, "summary").update(type="integer"), f"{BODY}.summary: type string no longer accepted"),
    (lambda d: member(d, "summary").update(maxLength=10), f"{BODY}.summary: maxLength is 10 now, was 2000"),
    (lambda d: member(d, "summary").update(enum=["a"]), f"{BODY}.summary: values ['others'] no longer accepted"),
    (lambda d: member(d, "status")["enum"].remove("draft"), f"{BODY}.status: values ['draft'] no longer accepted"),
    (lambda d: member(d, "id").update(pattern="^a$"), f"{BODY}.id: pattern changed"),
    (lambda d: member(d, "image")["anyOf"].pop(0), f"{BODY}.image: type object no longer accepted"),
    (lambda d: schema(d, "Person")["required"].append("email"), f"{BODY}.authors[].email: member now required"),
    (lambda d: stored(d)["properties"].pop("guid"), f"{PUT} 200.guid: member removed"),
    (lambda d: stored(d)["required"].remove("guid"), f"{PUT} 200.guid: member no longer always present"),
    (lambda d: stored(d)["properties"]["guid"].update(type=["string", "null"]), f"{PUT} 200.guid: type null new"),
    (lambda d: schema(d, "Problem")["properties"].pop("detail"), f"{PUT} 422.detail: member removed"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), INCOMPATIBLE, ids=[sentence for _, sentence in INCOMPATIBLE])  # fmt: skip
def test_incompatible_change_is_named(change: Change, sentence: str) -> None:
    changed = deepcopy(COMMITTED)
    change(changed)
    assert sentence in incompatibilities(COMMITTED, changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/api/v1/new": {}}),
        lambda d: put(d)["parameters"].append({"in": "query", "name": "x", "schema": {}}),
        lambda d: put(d)["responses"].update({"202": {"description": "Later."}}),
        lambda d: put(d)["responses"].pop("409"),
        lambda d: article(d)["properties"].update(new={"type": "string"}),
        lambda d: article(d)["required"].clear(),
        lambda d: member(d, "summary").update(maxLength=9999, description="Longer."),
        lambda d: member(d, "status")["enum"].append("new"),
        lambda d: member(d, "image")["anyOf"].append({"type": "null"}),
        lambda d: stored(d)["properties"].update(new={"type": "string"}),
        lambda d: stored(d)["required"].append("summary"),
        lambda d: stored(d)["properties"]["guid"].update(maxLength=10),
    ],
)  # fmt: skip
def test_compatible_change_is_no_error(change: Change) -> None:
    changed = deepcopy(COMMITTED)
    change(changed)
    assert changed != COMMITTED
    assert incompatibilities(COMMITTED, changed) == []
