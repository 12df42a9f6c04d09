"""Batches: a result a line, in order; streamed; or all or none."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from feedsvc.api.strict_json import MAX_DEPTH
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage import Storage
from tests.conftest import ApiClient, MakeApp

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

pytestmark = pytest.mark.both_databases


def put(id: str, **fields: Any) -> dict[str, Any]:
    return {"action": "put", "kind": "news", "id": id, "title": "x", **fields}


def send(
    editor: ApiClient,
    lines: list[Any],
    *,
    query: str = "",
    format: str = "array",
    **headers: str,
) -> TestResponse:
    if format == "array":
        body, media_type = json.dumps(lines), "application/json"
    else:
        body, media_type = "\n".join(map(json.dumps, lines)), "application/x-ndjson"
    return editor.send(
        "POST",
        f"/batch{query}",
        data=body,
        headers={"Content-Type": media_type, **headers},
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
        "errors": [{"pointer": "#/title", "detail": "Must not be empty."}],
    }
    assert [error["pointer"] for error in results[7]["errors"]] == [
        "#/action",
        "#/kind",
        "#/id",
    ]
    assert results[8]["errors"][0]["pointer"] == "#/categories/1"
    assert editor.send("GET", "/events/d").status_code == 200
    assert send(editor, [put("z")], format=format).status_code == 200


def test_bad_ndjson_line_is_a_result_and_bad_array_is_400(
    editor: ApiClient,
) -> None:
    body = json.dumps(put("a")) + '\n{"a": 1, "a": 2}\n\n' + json.dumps(put("b"))
    answer = editor.send(
        "POST", "/batch", data=body, headers={"Content-Type": "application/x-ndjson"}
    )
    assert [result["status"] for result in answer.get_json()["results"]] == [
        201,
        400,
        201,
    ]
    for bad in (
        b"",
        b"{}",
        b"[",
        b'[{"a": 1}',
        b"[1,]",
        b"[] x",
        b"[\xff]",
        b'[{"a":1,"a":2}]',
        b"[" * 100_000,
    ):
        answer = editor.send(
            "POST",
            "/batch",
            data=bad or b" ",
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 400, bad


def test_atomic_batch_stores_all_or_none(editor: ApiClient) -> None:
    bad = send(
        editor,
        [
            put("a"),
            put("b", title="", url="x"),
            {"action": "delete", "kind": "news", "id": "c"},
        ],
        query="?atomic=true",
    )
    assert bad.status_code == 422
    assert [error["pointer"] for error in bad.get_json()["errors"]] == [
        "#/1/url",
        "#/1/title",
        "#/2",
    ]
    assert editor.send("GET", "/articles/a").status_code == 404
    key = {"Idempotency-Key": "k"}
    good = send(editor, [put("a"), put("b")], query="?atomic=true", **key)
    assert [result["status"] for result in good.get_json()["results"]] == [201, 201]
    again = send(editor, [put("a"), put("b")], query="?atomic=true", **key)
    assert again.get_json() == good.get_json()
    assert send(editor, [put("a")], query="?atomic=true", **key).status_code == 422
    assert send(editor, [put("a")], **key).status_code == 400
    assert (
        send(
            editor, [put(str(number)) for number in range(1001)], query="?atomic=true"
        ).status_code
        == 413
    )
    assert editor.send("GET", "/articles/7").status_code == 404


@pytest.mark.parametrize("query", ["", "?atomic=true"])
@pytest.mark.parametrize("id", ["\ud800", "\0", ""])
def test_invalid_id_is_422_with_pointer(editor: ApiClient, id: str, query: str) -> None:
    deletion = {"action": "delete", "kind": "news", "id": id}
    response = send(editor, [deletion, put(id)], query=query)
    if query:
        assert response.status_code == 422
        errors = response.get_json()["errors"]
        assert [error["pointer"] for error in errors] == ["#/0/id", "#/1/id"]
        return
    results = response.get_json()["results"]
    assert [(result["id"], result["status"]) for result in results] == [(id, 422)] * 2
    pointers = [error["pointer"] for result in results for error in result["errors"]]
    assert pointers == ["#/id", "#/id"]


def test_item_without_scope_is_403(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    drafter = ApiClient(client, storage.tokens.create("drafter", ["news:write"]))
    lines = [
        put("a"),
        put("b", status="draft"),
        put("c", kind="events", start="2027-01-01"),
    ]
    assert [
        result["status"] for result in send(drafter, lines).get_json()["results"]
    ] == [403, 201, 403]
    keeper = ApiClient(client, storage.tokens.create("keeper", ["categories:write"]))
    assert send(keeper, []).status_code == 403, "no line could be stored"


def test_invalid_batch_request_is_refused(
    editor: ApiClient, client: FlaskClient
) -> None:
    assert client.post("/api/v1/batch", data=b"[]").status_code == 401
    assert (
        editor.send(
            "POST", "/batch", data=b"[]", headers={"Content-Type": "text/plain"}
        ).status_code
        == 415
    )
    assert send(editor, [], query="?atomic=yes").status_code == 400
    assert send(editor, [], query="?nix=1").status_code == 400
    assert send(editor, [], query="?atomic=false&atomic=true").status_code == 400
    assert send(editor, []).get_json() == {"results": []}


def test_large_batch_keeps_order_and_distinct_times(editor: ApiClient) -> None:
    answer = send(editor, [put(f"{number}") for number in range(350)], format="ndjson")
    assert [result["id"] for result in answer.get_json()["results"]] == [
        str(number) for number in range(350)
    ]
    items = editor.send("GET", "/articles?limit=200").get_json()["items"]
    assert len({item["date_modified"] for item in items}) == 200


def test_ndjson_lines_may_end_with_crlf(editor: ApiClient) -> None:
    body = "\r\n".join(json.dumps(put(id, title="“đ” ]}")) for id in "abc").encode()
    response = editor.send(
        "POST", "/batch", data=body, headers={"Content-Type": "application/x-ndjson"}
    )
    results = response.get_json()["results"]
    assert [result["status"] for result in results] == [201, 201, 201]


def test_array_over_max_body_is_413_but_ndjson_is_accepted(
    make_app: MakeApp, editor: ApiClient
) -> None:
    client = ApiClient(make_app(max_body=2000).test_client(), editor.token)
    items = [put(f"{number}", title="x" * 100) for number in range(30)]
    response = send(client, items)
    assert response.status_code == 413
    assert send(client, items, format="ndjson").status_code == 200


def test_ndjson_line_over_max_body_is_400(make_app: MakeApp, editor: ApiClient) -> None:
    client = ApiClient(make_app(max_body=2000).test_client(), editor.token)
    response = send(client, [put("a"), put("b", title="x" * 3000)], format="ndjson")
    assert response.status_code == 400
    assert client.send("GET", "/articles/a").status_code == 404


def test_batch_of_too_many_items_is_413_and_stores_nothing(editor: ApiClient) -> None:
    for format in ("array", "ndjson"):
        answer = send(editor, [put("first"), *[1] * 50_000], format=format)
        assert answer.status_code == 413
        assert "50,000" in answer.get_json()["detail"]
    assert editor.send("GET", "/articles/first").status_code == 404


def test_batch_of_millions_of_blank_lines_is_413(editor: ApiClient) -> None:
    answer = editor.send(
        "POST",
        "/batch",
        data=b"\n" * 1_000_000,
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 413
    assert "100,000 lines" in answer.get_json()["detail"]


def test_batch_over_item_rate_is_429_and_stores_nothing(
    make_app: MakeApp, editor: ApiClient
) -> None:
    app = make_app(rate_batch_lines="20/minute", workers=1)
    client = ApiClient(app.test_client(), editor.token)
    assert send(client, [put(f"{number}") for number in range(15)]).status_code == 200
    answer = send(client, [put(f"more-{number}") for number in range(6)])
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert client.send("GET", "/articles/more-0").status_code == 404
    assert send(client, [put("a")] * 5).status_code == 200
    other = get_services(app).storage.tokens.create("other", SCOPES)
    assert send(ApiClient(app.test_client(), other), [put("b")]).status_code == 200


def test_batch_larger_than_whole_item_rate_is_429(
    make_app: MakeApp, editor: ApiClient
) -> None:
    client = ApiClient(
        make_app(rate_batch_lines="20/minute", workers=4).test_client(), editor.token
    )
    assert send(client, [put("a")] * 21).status_code == 429
    assert send(client, [put("a")] * 20).status_code == 200, (
        "more than one worker's share, but allowed"
    )


def test_batch_stops_after_1000_items_with_errors(editor: ApiClient) -> None:
    lines = [put("before"), *[1] * 1500, put("after")]
    answer = send(editor, lines, format="ndjson")
    assert answer.status_code == 207
    document = answer.get_json()
    assert [result["status"] for result in document["results"]] == [201, *[422] * 1000]
    assert document["stopped"]["index"] == 1001
    assert editor.send("GET", "/articles/before").status_code == 200
    assert editor.send("GET", "/articles/after").status_code == 404
    whole = send(editor, [1] * 1000, format="ndjson").get_json()
    assert len(whole["results"]) == 1000
    assert "stopped" not in whole, "it was looked at to the end"


def test_group_of_invalid_items_needs_no_transaction(
    editor: ApiClient, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(token: str) -> Any:
        raise AssertionError("a transaction")

    monkeypatch.setattr(storage, "writer", refuse)
    assert send(editor, [1] * 300).status_code == 207


def test_errors_of_an_item_are_limited(editor: ApiClient) -> None:
    line = put(
        "a",
        authors=[{"nix": n} for n in range(50)],
        attachments=[{} for _ in range(50)],
    )
    assert len(send(editor, [line]).get_json()["results"][0]["errors"]) == 50


class NestedBody(io.BytesIO):
    """A body whose first read sends another request, which is then concurrent."""

    def __init__(self, body: bytes, send_other: Callable[[], None]) -> None:
        super().__init__(body)
        self._send_other = send_other
        self._is_sent = False

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._is_sent:
            self._is_sent = True
            self._send_other()
        return super().readinto(buffer)


def test_third_large_batch_at_once_is_503(editor: ApiClient) -> None:
    large, small = b" " * (1200 * 1024), b" \n"
    statuses = []

    def post(body: bytes, send_other: Callable[[], None] = lambda: None) -> None:
        response = editor.send(
            "POST",
            "/batch",
            input_stream=NestedBody(body, send_other),
            content_length=len(body),
            content_type="application/x-ndjson",
        )
        statuses.append(response.status_code)

    def post_third_and_small() -> None:
        post(large)
        post(small)

    post(large, lambda: post(large, post_third_and_small))
    assert statuses == [503, 200, 200, 200]
    post(large)
    assert statuses[-1] == 200
