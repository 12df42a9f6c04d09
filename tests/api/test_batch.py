"""Batches: a result for each item, in order."""

import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from feedsvc.api import batch
from feedsvc.input.strict_json import MAX_DEPTH
from tests.conftest import ApiClient, MakeApp
from tests.data.fixtures import make_client

pytestmark = pytest.mark.both_databases

NDJSON = "application/x-ndjson"


def put(id: str, **fields: Any) -> dict[str, Any]:
    return {"action": "put", "kind": "news", "id": id, "title": "x", **fields}


def send(editor: ApiClient, items: Any, *, format: str = "array") -> TestResponse:
    if format == "array":
        return editor.send("POST", "/batch", items)
    body = "\n".join(map(json.dumps, items))
    return editor.send("POST", "/batch", data=body, content_type=NDJSON)


def statuses(response: TestResponse) -> list[int]:
    """Return the status of each item."""
    return [result["status"] for result in response.get_json()["results"]]


@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_documents_may_be_as_deep_as_those_of_a_put(
    editor: ApiClient, format: str
) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    response = send(editor, [put("a", unknown=value)], format=format)
    assert "levels" not in response.text
    assert statuses(response) == [422]
    response = send(editor, [put("a", unknown=[value])], format=format)
    assert "levels" in response.text


@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_each_item_has_its_result(editor: ApiClient, format: str) -> None:
    editor.put("/articles/old", {"title": "x"})
    old = {"action": "delete", "kind": "news", "id": "old"}
    event = {"kind": "events", "start": "2027-01-01"}
    items = {
        "new": (put("a"), 201),
        "again": (put("a"), 200),
        "invalid": (put("b", title=""), 422),
        "old": (old, 204),
        "deleted": (old, 410),
        "never": ({**old, "id": "never"}, 404),
        "other kind": (put("a", **event), 409),
        "no item": ({"action": "move", "kind": "nix"}, 422),
        "category": (put("c", categories=["van-hoa", "nix"]), 422),
        "number": (5, 422),
        "event": (put("d", **event), 201),
    }
    answer = send(editor, [item for item, _ in items.values()], format=format)
    assert answer.status_code == 207
    assert statuses(answer) == [status for _, status in items.values()]
    results = dict(zip(items, answer.get_json()["results"], strict=True))
    detail = "Missing data for required field."
    assert results["invalid"] == {
        "index": 2,
        "id": "b",
        "status": 422,
        "errors": [{"pointer": "#/title", "detail": detail}],
    }
    for name, pointers in (
        ("no item", ["#/action", "#/kind", "#/id"]),
        ("category", ["#/categories/1"]),
        ("number", ["#"]),
    ):
        errors = results[name]["errors"]
        assert [error["pointer"] for error in errors] == pointers
    assert editor.send("GET", "/events/d").status_code == 200
    assert send(editor, [put("z")], format=format).status_code == 200


def test_bad_ndjson_line_is_a_result(editor: ApiClient) -> None:
    first, last = json.dumps(put("a", title="“đ” ]}")), json.dumps(put("b"))
    body = f'{first}\r\n{{"a": 1, "a": 2}}\n\n{last}'.encode()
    answer = editor.send("POST", "/batch", data=body, content_type=NDJSON)
    assert statuses(answer) == [201, 400, 201]


@pytest.mark.parametrize("id", ["\ud800", "\0", ""])
def test_invalid_id_is_422_with_pointer(editor: ApiClient, id: str) -> None:
    deletion = {"action": "delete", "kind": "news", "id": id}
    response = send(editor, [deletion, put(id)], format="ndjson")
    for result in response.get_json()["results"]:
        assert (result["id"], result["status"]) == (None, 422)
        assert [error["pointer"] for error in result["errors"]] == ["#/id"]


def test_item_without_scope_is_403(app: Flask) -> None:
    writer = make_client(app, ["news:write"])
    event = put("b", kind="events", start="2027-01-01")
    assert statuses(send(writer, [put("a"), event])) == [201, 403]


def test_batch_is_a_list(editor: ApiClient) -> None:
    assert send(editor, {}).status_code == 400
    assert send(editor, []).get_json() == {"results": []}
    refused = editor.send("POST", "/batch", data=b"[]", content_type="text/plain")
    assert refused.status_code == 415


def test_large_batch_keeps_order_and_distinct_times(editor: ApiClient) -> None:
    """It has several transactions."""
    ids = [str(number) for number in range(120)]
    answer = send(editor, [put(id) for id in ids])
    assert [result["id"] for result in answer.get_json()["results"]] == ids
    items = editor.send("GET", "/articles?limit=200").get_json()["items"]
    assert len({item["date_modified"] for item in items}) == 120


@pytest.mark.sqlite
@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_batch_of_more_than_5000_items_is_413_and_stores_nothing(
    editor: ApiClient, format: str
) -> None:
    answer = send(editor, [put("first"), *[1] * 5000], format=format)
    assert answer.status_code == 413
    assert "5,000" in answer.get_json()["detail"]
    whole = send(editor, [put("first"), *[1] * 4999], format=format)
    assert statuses(whole) == [201, *[422] * 4999]


@pytest.mark.sqlite
def test_body_of_more_bytes_than_max_body_is_413(
    make_app: MakeApp, editor: ApiClient
) -> None:
    client = ApiClient(make_app(max_body=2000).test_client(), editor.token)
    empty = len(json.dumps([put("a", summary="")]))
    exact, longer = ([put("a", summary="x" * (size - empty))] for size in (2000, 2001))
    refused = send(client, longer)
    assert refused.status_code == 413
    detail = "The body has more than 2,000 bytes."
    assert refused.get_json()["detail"] == detail
    assert statuses(send(client, exact)) == [201]


def test_errors_of_an_item_are_limited(editor: ApiClient) -> None:
    item = put("a", authors=[{"nix": number} for number in range(50)])
    (result,) = send(editor, [item]).get_json()["results"]
    assert len(result["errors"]) == 10


def test_items_that_come_too_late_are_503_and_change_nothing(
    editor: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.put("/articles/old", {"title": "x"})
    monkeypatch.setattr(batch, "MAX_SECONDS", -1)
    late = {"action": "delete", "kind": "news", "id": "old"}
    response = send(editor, [put("a"), put("b", title=""), late])
    assert statuses(response) == [503] * 3
    items = editor.send("GET", "/articles").get_json()["items"]
    assert [item["id"] for item in items] == ["old"]
