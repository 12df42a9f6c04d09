"""Batches: a result a line, in order; streamed; or all or none."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from feedsvc.errors import Malformed
from feedsvc.ingest.streams import array, ndjson
from feedsvc.store import Store
from tests.conftest import Editor


def put(id: str, **fields: Any) -> dict[str, Any]:
    return {"action": "put", "kind": "news", "id": id, "title": "x", **fields}


def send(
    editor: Editor, lines: list[Any], *, query: str = "", format: str = "array", **headers: str
) -> TestResponse:
    if format == "array":
        body, media_type = json.dumps(lines), "application/json"
    else:
        body, media_type = "\n".join(map(json.dumps, lines)), "application/x-ndjson"
    return editor.send("POST", f"/batch{query}", data=body, headers={"Content-Type": media_type, **headers})


@pytest.mark.parametrize("format", ["array", "ndjson"])
def test_each_line_has_its_result(editor: Editor, format: str) -> None:
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
    assert [result["status"] for result in results] == [201, 200, 422, 204, 410, 404, 409, 422, 422, 422, 201]
    assert results[2] == {
        "index": 2,
        "id": "b",
        "status": 422,
        "errors": [{"pointer": "#/title", "detail": "Empty."}],
    }
    assert [error["pointer"] for error in results[7]["errors"]] == ["#/action", "#/kind", "#/id"]
    assert results[8]["errors"][0]["pointer"] == "#/categories/1"
    assert editor.send("GET", "/events/d").status_code == 200
    assert send(editor, [put("z")], format=format).status_code == 200


def test_a_bad_line_of_ndjson_is_a_result_and_a_bad_array_is_400(editor: Editor) -> None:
    body = json.dumps(put("a")) + '\n{"a": 1, "a": 2}\n\n' + json.dumps(put("b"))
    answer = editor.send("POST", "/batch", data=body, headers={"Content-Type": "application/x-ndjson"})
    assert [result["status"] for result in answer.get_json()["results"]] == [201, 400, 201]
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
        answer = editor.send("POST", "/batch", data=bad or b" ", headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, bad


def test_all_or_none(editor: Editor) -> None:
    bad = send(
        editor,
        [put("a"), put("b", title="", url="x"), {"action": "delete", "kind": "news", "id": "c"}],
        query="?atomic=true",
    )
    assert bad.status_code == 422
    assert [error["pointer"] for error in bad.get_json()["errors"]] == ["#/1/url", "#/1/title", "#/2"]
    assert editor.send("GET", "/articles/a").status_code == 404
    key = {"Idempotency-Key": "k"}
    good = send(editor, [put("a"), put("b")], query="?atomic=true", **key)
    assert [result["status"] for result in good.get_json()["results"]] == [201, 201]
    again = send(editor, [put("a"), put("b")], query="?atomic=true", **key)
    assert again.get_json() == good.get_json()
    assert send(editor, [put("a")], query="?atomic=true", **key).status_code == 422
    assert send(editor, [put("a")], **key).status_code == 400
    assert send(editor, [put(str(number)) for number in range(1001)], query="?atomic=true").status_code == 413
    assert editor.send("GET", "/articles/7").status_code == 404


def test_a_line_needs_its_scope(editor: Editor, client: FlaskClient, store: Store) -> None:
    drafter = Editor(client, store.tokens.create("drafter", ["news:write"]))
    lines = [put("a"), put("b", status="draft"), put("c", kind="events", start="2027-01-01")]
    assert [result["status"] for result in send(drafter, lines).get_json()["results"]] == [403, 201, 403]
    keeper = Editor(client, store.tokens.create("keeper", ["categories:write"]))
    assert send(keeper, []).status_code == 403, "no line could be stored"


def test_the_request(editor: Editor, client: FlaskClient) -> None:
    assert client.post("/api/v1/batch", data=b"[]").status_code == 401
    assert (
        editor.send("POST", "/batch", data=b"[]", headers={"Content-Type": "text/plain"}).status_code == 415
    )
    assert send(editor, [], query="?atomic=yes").status_code == 400
    assert send(editor, [], query="?nix=1").status_code == 400
    assert send(editor, []).get_json() == {"results": []}


def test_many_groups_keep_their_order_and_their_moments(editor: Editor) -> None:
    answer = send(editor, [put(f"{number}") for number in range(350)], format="ndjson")
    assert [result["id"] for result in answer.get_json()["results"]] == [str(number) for number in range(350)]
    items = editor.send("GET", "/articles?limit=200").get_json()["items"]
    assert len({item["date_modified"] for item in items}) == 200


class Dripping(io.RawIOBase):
    """A stream that gives a few bytes at a time."""

    def __init__(self, body: bytes, size: int) -> None:
        self.body, self.size = io.BytesIO(body), size

    def read(self, size: int = -1, /) -> bytes:
        return self.body.read(self.size)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_documents_come_out_of_a_stream_as_they_went_in(size: int) -> None:
    documents = [{"a": 'Hà Nội “x” \\ " ]}', "b": [1, {"c": None}]}, {}, 12, "đ", [], -1.5e3]
    body = json.dumps(documents, ensure_ascii=False, indent=1).encode()
    assert list(array(Dripping(body, size))) == documents
    assert list(array(Dripping(b" [ ] ", size))) == []
    lines = "\r\n".join(json.dumps(document, ensure_ascii=False) for document in documents).encode()
    assert list(ndjson(Dripping(lines, size))) == documents
    with pytest.raises(Malformed):
        list(array(Dripping(body[:-1], size)))
