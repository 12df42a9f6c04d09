"""Errors say what was probably meant, and where the list is."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from feedsvc.storage.tokens import revoke_token
from tests.api.problems import errors
from tests.api.tables import read_table
from tests.conftest import ApiClient
from tests.full_entries import MINIMAL

REFUSALS = read_table("refusals")["refusals"]


@pytest.mark.parametrize(
    "refusal", REFUSALS, ids=lambda each: str(each["members"])
)
def test_details_say_what_was_meant(
    shared_editor: ApiClient, refusal: dict[str, Any]
) -> None:
    members, details = refusal["members"], refusal["errors"]
    collection = "events" if "start" in members else "articles"
    path = f"/{collection}/of-{collection}"
    shared_editor.put(path, MINIMAL[collection])
    document = {**MINIMAL[collection], **members}
    for method in ("PUT", "PATCH"):
        refused = errors(shared_editor.send(method, path, document))
        assert refused.keys() == details.keys()
        for pointer, detail in details.items():
            assert refused[pointer].endswith(detail)


def test_unknown_category_is_named(editor: ApiClient) -> None:
    detail = (
        "There is no category “giao-thog”. GET /api/v1/categories lists all."
    )
    category = {"title": "x", "parent": "giao-thog"}
    answer = editor.send("PUT", "/categories/b", category)
    assert errors(answer) == {"#/parent": detail}
    for path in (
        "/api/v1/articles?category=giao-thog",
        "/feeds/news/giao-thog+van-hoa.html",
    ):
        answer = editor.client.get(path, headers=editor.headers)
        assert answer.status_code == 404
        assert answer.get_json()["detail"] == detail


def test_patch_of_the_other_content_suggests_null(editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "x", "content_text": "Chữ."})
    patch = {"content_html": "<p>Chữ.</p>"}
    refused = errors(editor.send("PATCH", "/articles/a", patch))
    detail = refused["#/content_text"]
    assert detail.endswith("In a PATCH, send null for the other.")
    patched = editor.send(
        "PATCH", "/articles/a", {**patch, "content_text": None}
    )
    assert patched.status_code == 200


def test_wrong_id_names_the_allowed_letters(editor: ApiClient) -> None:
    answer = editor.send("PUT", "/articles/bài-1", {"title": "x"})
    assert errors(answer)["#/id"].startswith(
        "Must be 1 to 128 of A–Z, a–z, 0–9"
    )


def test_several_wrong_parameters_are_separate_sentences(
    editor: ApiClient,
) -> None:
    answer = editor.send("GET", "/articles?status=x&categories=a")
    assert answer.get_json()["detail"] == (
        "status: Must be one of: draft, published, withdrawn. "
        "categories: Unknown field. Did you mean “category”?"
    )


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b'[{"action": "put"},\n {"action" "put"}]', "line 2, column 12"),
        (b'[{"action": "put"},\n {"title": "\xff"}]', "at line 2"),
        (b'{"action": "put"}\n{"action": "put"}', "line 2, column 1"),
        (b'[{"id": "a"},\n  {"id": NaN}]', "NaN is no number"),
    ],
)
def test_array_that_is_no_json_names_the_position(
    editor: ApiClient, body: bytes, position: str
) -> None:
    answer = editor.send(
        "POST", "/batch", data=body, content_type="application/json"
    )
    assert answer.status_code == 400
    assert position in answer.get_json()["detail"]


def test_unknown_call_is_a_problem_document(client: FlaskClient) -> None:
    answer = client.get("/api/v1/article", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert errors(answer) == {}


@pytest.mark.parametrize("field", ["content_text", "content_html"])
def test_content_is_limited_in_bytes(editor: ApiClient, field: str) -> None:
    longest = "ệ" * 87_381 + "a"  # three bytes each, and one
    for content in (f"{longest}b", "a" * 262_145):
        article = {"title": "x", field: content}
        (detail,) = errors(editor.send("PUT", "/articles/a", article)).values()
        assert detail.startswith("Longer than ")
    editor.put("/articles/a", {"title": "x", field: longest})
    document = editor.client.get("/api/openapi.json").get_json()
    member = document["components"]["schemas"]["Article"]["properties"][field]
    assert "262,144 bytes" in member["description"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_id_of_the_other_kind_is_404_that_names_the_kind(
    editor: ApiClient, method: str
) -> None:
    editor.put("/events/e", MINIMAL["events"])
    document = {"title": "y"} if method == "PATCH" else None
    for id, detail in (
        ("e", "“e” is the id of an entry of the other kind, events."),
        ("none", "There is no entry “none”."),
    ):
        answer = editor.send(method, f"/articles/{id}", document)
        assert answer.status_code == 404
        assert answer.get_json()["detail"] == detail


def test_revoked_token_is_told_so(
    editor: ApiClient, database: Database
) -> None:
    revoke_token(database, "editor")
    answer = editor.send("GET", "/articles")
    assert answer.status_code == 401
    assert "revoked" in answer.get_json()["detail"]
