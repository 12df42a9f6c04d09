"""`/api/v1/changes`, by which partners keep a copy of the public entries."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.api.changes import PAGE_BYTES
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases

EVENT = {"title": "Hội", "start": "2027-01-01"}


def follow(
    client: FlaskClient, after: int = 0, query: str = ""
) -> tuple[list[str], int]:
    """Read page after page; return the changes and the last cursor."""
    seen: list[str] = []
    while True:
        page = client.get(f"/api/v1/changes?after={after}{query}").get_json()
        seen += [
            f"{change['action']} {change['id']}" for change in page["changes"]
        ]
        if page["next"] == after:
            return seen, after
        assert [change["seq"] for change in page["changes"]][-1] == page[
            "next"
        ]
        after = page["next"]


def test_each_public_entry_is_listed_once_with_its_latest_state(
    editor: ApiClient, client: FlaskClient
) -> None:
    for number in range(4):
        editor.put(f"/articles/{number}", {"title": "x"})
    editor.put("/articles/draft", {"title": "x", "status": "draft"})
    editor.put("/events/e", EVENT)
    editor.send("DELETE", "/articles/0")
    editor.put("/articles/1", {"title": "y"})
    expected = ["put 2", "put 3", "put e", "delete 0", "put 1"]
    for limit in (1, 2, 1000):
        changes, cursor = follow(client, query=f"&limit={limit}")
        assert changes == expected
    assert follow(client, query="&kind=events")[0] == ["put e"]
    editor.put("/articles/1", {"title": "y"})
    assert follow(client, cursor) == ([], cursor), (
        "an unchanged PUT is no change"
    )


def test_changes_have_the_fields_that_readers_see(
    editor: ApiClient, client: FlaskClient
) -> None:
    entry = editor.put(
        "/articles/a", {"title": "x", "content_text": "Thân"}
    ).get_json()
    (change,) = client.get("/api/v1/changes").get_json()["changes"]
    del entry["public"]
    head = {"seq": change["seq"], "action": "put"}
    assert change == {**entry, **head}
    withdrawn = {"title": "x", "content_text": "Thân", "status": "withdrawn"}
    editor.put("/articles/a", withdrawn)
    (change,) = client.get("/api/v1/changes").get_json()["changes"]
    assert "content_text" not in change
    editor.send("DELETE", "/articles/a")
    response = client.get("/api/v1/changes")
    (change,) = response.get_json()["changes"]
    assert change == {
        "seq": change["seq"],
        "action": "delete",
        "kind": "news",
        "id": "a",
        "guid": entry["guid"],
    }


@pytest.mark.parametrize(
    ("method", "document"),
    [
        ("DELETE", None),
        ("PATCH", {"status": "draft"}),
        ("PATCH", {"date_published": "2027-01-01T00:00:00Z"}),
    ],
)
def test_hidden_entry_is_listed_as_deleted(
    editor: ApiClient, client: FlaskClient, method: str, document: object
) -> None:
    editor.put("/articles/a", {"title": "SECRET"})
    editor.send(method, "/articles/a", document)
    assert follow(client)[0] == ["delete a"]
    assert "SECRET" not in client.get("/api/v1/changes").text
    again = {"title": "x", "date_published": "2026-11-25T00:00:00Z"}
    editor.put("/articles/a", again)
    assert follow(client)[0] == ["put a"]


def test_category_changes_are_no_changes_of_entries(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put(
        "/articles/a", {"title": "x", "categories": ["van-hoa", "giao-thong"]}
    )
    _, cursor = follow(client)
    editor.send("PATCH", "/categories/van-hoa", {"slug": "van-hoa-so"})
    editor.send("DELETE", "/categories/giao-thong")
    assert follow(client, cursor)[0] == []
    (change,) = client.get("/api/v1/changes").get_json()["changes"]
    assert change["categories"] == ["van-hoa-so"]


def test_page_ends_after_4_mib(editor: ApiClient, client: FlaskClient) -> None:
    content = "chữ\n" * 43_000
    batch = [
        {"action": "put", "kind": "news", "id": f"{n}", "title": "x", "content_text": content}
        for n in range(20)
    ]  # fmt: skip
    assert editor.send("POST", "/batch", batch).status_code == 200
    sizes: list[int] = []
    ids: list[str] = []
    after = 0
    while len(ids) < 20:
        response = client.get(f"/api/v1/changes?limit=1000&after={after}")
        page: Any = response.get_json()
        ids += [change["id"] for change in page["changes"]]
        sizes.append(len(response.data))
        after = page["next"]
    assert ids == [f"{n}" for n in range(20)]
    assert len(sizes) == 2
    assert max(sizes) < PAGE_BYTES + 1000


def test_unchanged_page_is_304(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/articles/a", {"title": "x"})
    tag = client.get("/api/v1/changes").headers["ETag"]
    condition = {"If-None-Match": tag}
    assert client.get("/api/v1/changes", headers=condition).status_code == 304
    editor.send("DELETE", "/articles/a")
    assert client.get("/api/v1/changes", headers=condition).status_code == 200


def test_cursor_ahead_of_the_newest_change_is_410(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/a", {"title": "x"})
    _, cursor = follow(client)
    answer = client.get(f"/api/v1/changes?after={cursor + 1}")
    assert answer.status_code == 410
    assert "after=0" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "kind=nix", "limit=0", "limit=1001", "nix=1"],
)  # fmt: skip
def test_bad_parameter_is_400(client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/v1/changes?{query}").status_code == 400


def test_pages_that_take_long_end_early(
    editor: ApiClient, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.api.changes.PAGE_SECONDS", -1)
    ids = [str(number) for number in range(5)]
    for id in ids:
        editor.put(f"/articles/{id}", {"title": "x"})
    after = 0
    for id in ids:
        page = client.get(f"/api/v1/changes?after={after}").get_json()
        assert [change["id"] for change in page["changes"]] == [id]
        after = page["next"]
