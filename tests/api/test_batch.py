"""Batches: a result for each item, in order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from feedsvc.api import batch
from feedsvc.input.strict_json import MAX_DEPTH
from tests.conftest import ApiClient, MakeApp
from tests.data.fixtures import make_client

pytestmark = pytest.mark.both_databases


def put(id: str, **fields: Any) -> dict[str, Any]:
    return {"action": "put", "kind": "news", "id": id, "title": "x", **fields}


def send(
    editor: ApiClient,
    lines: Any,
    *,
    query: str = "",
    format: str = "array",
) -> TestResponse:
    if format == "array":
        body, media_type = json.dumps(lines), "application/json"
    else:
        body, media_type = (
            "\n".join(map(json.dumps, lines)),
            "application/x-ndjson",
        )
    return editor.send(
        "POST",
        f"/batch{query}",
        data=body,
        headers={"Content-Type": media_type},
    )


@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_documents_may_be_as_deep_as_those_of_a_put(
    editor: ApiClient, format: str
) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    response = send(editor, [put("a", unknown=value)], format=format)
    (result,) = response.get_json()["results"]
    assert [error["pointer"] for error in result["errors"]] == ["#/unknown"]
    response = send(editor, [put("a", unknown=[value])], format=format)
    assert "levels" in response.get_data(as_text=True)


@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_each_item_has_its_result(editor: ApiClient, format: str) -> None:
    editor.put("/articles/old", {"title": "x"})
    lines = [
        put("a"),
        put("a"),
        put("b", title=""),
        {"action": "delete", "kind": "news", "id": "old"},
        {"action": "delete", "kind": "news", "id": "old"},
        {"action": "delete", "kind": "news", "id": "never"},
        put("a", kind="events", start="2027-01-01"),
        {"action": "move", "kind": "nix"},
        put("c", categories=["van-hoa", "nix"]),
        5,
        {**put("d"), "kind": "events", "start": "2027-01-01"},
    ]
    answer = send(editor, lines, format=format)
    assert answer.status_code == 207
    results = answer.get_json()["results"]
    assert [result["index"] for result in results] == list(range(len(lines)))
    assert [result["status"] for result in results] == [
        201,
        200,
        422,
        204,
        410,
        404,
        409,
        422,
        422,
        422,
        201,
    ]
    assert results[2] == {
        "index": 2,
        "id": "b",
        "status": 422,
        "errors": [
            {
                "pointer": "#/title",
                "detail": "Missing data for required field.",
            }
        ],
    }
    assert [error["pointer"] for error in results[7]["errors"]] == [
        "#/action",
        "#/kind",
        "#/id",
    ]
    assert results[8]["errors"][0]["pointer"] == "#/categories/1"
    assert editor.send("GET", "/events/d").status_code == 200
    assert send(editor, [put("z")], format=format).status_code == 200


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_bad_ndjson_line_is_a_result(editor: ApiClient, end: str) -> None:
    first, last = json.dumps(put("a", title="“đ” ]}")), json.dumps(put("b"))
    body = end.join([first, '{"a": 1, "a": 2}', "", last]).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    answer = editor.send("POST", "/batch", data=body, headers=headers)
    statuses = [result["status"] for result in answer.get_json()["results"]]
    assert statuses == [201, 400, 201]


@pytest.mark.parametrize("id", ["\ud800", "\0", ""])
def test_invalid_id_is_422_with_pointer(editor: ApiClient, id: str) -> None:
    deletion = {"action": "delete", "kind": "news", "id": id}
    response = send(editor, [deletion, put(id)])
    results = response.get_json()["results"]
    assert [(result["id"], result["status"]) for result in results] == [
        (None, 422)
    ] * 2
    pointers = [
        error["pointer"] for result in results for error in result["errors"]
    ]
    assert pointers == ["#/id", "#/id"]


def test_item_without_scope_is_403(app: Flask) -> None:
    writer = make_client(app, ["news:write"])
    lines = [put("a"), put("b", kind="events", start="2027-01-01")]
    results = send(writer, lines).get_json()["results"]
    assert [result["status"] for result in results] == [201, 403]
    keeper = make_client(app, ["categories:write"])
    assert send(keeper, []).status_code == 403, "no line could be stored"


def test_invalid_batch_request_is_refused(
    editor: ApiClient, client: FlaskClient
) -> None:
    assert client.post("/api/v1/batch", json=[]).status_code == 401
    assert (
        editor.send(
            "POST",
            "/batch",
            data=b"[]",
            headers={"Content-Type": "text/plain"},
        ).status_code
        == 415
    )
    assert send(editor, {}).status_code == 400
    assert send(editor, []).get_json() == {"results": []}


def test_large_batch_keeps_order_and_distinct_times(editor: ApiClient) -> None:
    answer = send(
        editor, [put(f"{number}") for number in range(350)], format="ndjson"
    )
    assert [result["id"] for result in answer.get_json()["results"]] == [
        str(number) for number in range(350)
    ]
    items = editor.send("GET", "/articles?limit=200").get_json()["items"]
    assert len({item["date_modified"] for item in items}) == 200


@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_batch_of_more_than_5000_items_is_413_and_stores_nothing(
    editor: ApiClient, format: str
) -> None:
    answer = send(editor, [put("first"), *[1] * 5000], format=format)
    assert answer.status_code == 413
    assert "5,000" in answer.get_json()["detail"]
    assert editor.send("GET", "/articles/first").status_code == 404
    whole = send(editor, [put("first"), *[1] * 4999], format=format)
    assert whole.status_code == 207
    statuses = [result["status"] for result in whole.get_json()["results"]]
    assert statuses == [201, *[422] * 4999]


@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_batch_of_more_bytes_than_max_body_is_413_and_stores_nothing(
    make_app: MakeApp, editor: ApiClient, format: str
) -> None:
    client = ApiClient(make_app(max_body=2000).test_client(), editor.token)
    empty = len(json.dumps(put("a", summary="")))
    if format == "array":
        empty += len("[]")
    exact = [put("a", summary="x" * (2000 - empty))]
    longer = [put("b", summary="x" * (2001 - empty))]
    assert send(client, exact, format=format).status_code == 200
    assert send(client, longer, format=format).status_code == 413
    assert client.send("GET", "/articles/b").status_code == 404


def test_errors_of_an_item_are_limited(editor: ApiClient) -> None:
    line = put(
        "a",
        authors=[{"nix": n} for n in range(50)],
        attachments=[{} for _ in range(50)],
    )
    assert len(send(editor, [line]).get_json()["results"][0]["errors"]) == 10


def test_items_that_come_too_late_are_503_and_change_nothing(
    editor: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.put("/articles/old", {"title": "x"})
    monkeypatch.setattr(batch, "MAX_SECONDS", -1)
    late = {"action": "delete", "kind": "news", "id": "old"}
    response = send(editor, [put("a"), put("b", title=""), late])
    assert response.status_code == 207
    results = response.get_json()["results"]
    assert [(each["id"], each["status"]) for each in results] == [
        ("a", 503),
        ("b", 503),
        ("old", 503),
    ]
    assert editor.send("GET", "/articles/a").status_code == 404
    assert editor.send("GET", "/articles/old").status_code == 200
