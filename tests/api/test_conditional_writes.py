"""Lost updates and patches: what an editor changes is what was read, and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from feedsvc.api.strict_json import apply_merge_patch
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases


def test_if_match_with_stale_version_is_412(editor: ApiClient) -> None:
    first = editor.put("/articles/a", {"title": "Một"}).headers["ETag"]
    second = editor.send(
        "PUT", "/articles/a", {"title": "Hai"}, headers={"If-Match": first}
    )
    assert second.status_code == 200
    for method, document in (
        ("PUT", {"title": "Ba"}),
        ("PATCH", {"title": "Ba"}),
        ("DELETE", None),
    ):
        stale = editor.send(
            method, "/articles/a", document, headers={"If-Match": first}
        )
        assert stale.status_code == 412
        assert stale.get_json()["title"] == "Precondition Failed"
    assert editor.send("GET", "/articles/a").get_json()["title"] == "Hai"
    fresh = {"If-Match": f'"nix", {second.headers["ETag"]}'}
    assert editor.send("DELETE", "/articles/a", headers=fresh).status_code == 204
    assert (
        editor.send(
            "PUT", "/articles/a", {"title": "x"}, headers={"If-Match": "*"}
        ).status_code
        == 412
    )


def test_if_none_match_star_only_creates(editor: ApiClient) -> None:
    only = {"If-None-Match": "*"}
    assert (
        editor.send("PUT", "/articles/a", {"title": "Một"}, headers=only).status_code
        == 201
    )
    assert (
        editor.send("PUT", "/articles/a", {"title": "Hai"}, headers=only).status_code
        == 412
    )
    editor.send("DELETE", "/articles/a")
    assert (
        editor.send("PUT", "/articles/a", {"title": "Ba"}, headers=only).status_code
        == 201
    )


def test_weak_tag_matches_if_none_match_but_not_if_match(editor: ApiClient) -> None:
    # A proxy that compresses weakens the tag.
    etag = editor.put("/articles/a", {"title": "Một"}).headers["ETag"]
    for name, tag, status in (
        ("If-None-Match", f"W/{etag}", 412),
        ("If-None-Match", 'W/"7"', 200),
        ("If-Match", f"W/{etag}", 412),
    ):
        answer = editor.send(
            "PUT", "/articles/a", {"title": "Một"}, headers={name: tag}
        )
        assert answer.status_code == status, (name, tag)


def test_patch_changes_only_its_members(editor: ApiClient) -> None:
    full = {
        "title": "Một",
        "content_text": "Nội dung",
        "categories": ["van-hoa"],
        "image": {"url": "https://x.example/a.jpg", "alt": "a", "caption": "b"},
    }
    before = editor.put("/articles/a", full).get_json()
    patch = {
        "title": "Hai",
        "image": {"alt": None, "credit": "Lan"},
        "categories": None,
    }
    after = editor.send("PATCH", "/articles/a", patch)
    assert after.status_code == 200
    image = {"url": "https://x.example/a.jpg", "caption": "b", "credit": "Lan"}
    changed = {"title": "Hai", "image": image, "categories": [], "version": 2}
    assert after.get_json() == {
        **before,
        **changed,
        "date_modified": after.get_json()["date_modified"],
    }


def test_patch_of_content_updates_only_a_derived_summary(
    editor: ApiClient,
) -> None:
    editor.put("/articles/a", {"title": "x", "content_text": "Cũ"})
    assert (
        editor.send("PATCH", "/articles/a", {"content_text": "Mới"}).get_json()[
            "summary"
        ]
        == "Mới"
    )
    editor.put(
        "/articles/b", {"title": "x", "content_text": "Cũ", "summary": "Tóm tắt"}
    )
    assert (
        editor.send("PATCH", "/articles/b", {"content_text": "Mới"}).get_json()[
            "summary"
        ]
        == "Tóm tắt"
    )
    assert (
        editor.send("PATCH", "/articles/b", {"summary": None}).get_json()["summary"]
        == "Mới"
    )


@pytest.mark.parametrize(
    ("patch", "pointers"),
    [
        ({"title": None}, ["#/title"]),
        ({"url": "javascript:x", "nix": 1}, ["#/nix", "#/url"]),
        ({"image": {"url": None}}, ["#/image/url"]),
        ({"id": "b"}, ["#/id"]),
        ({"nix": None}, ["#/nix"]),
        ([], ["#"]),
    ],
)
def test_patched_entry_is_validated(
    editor: ApiClient, patch: Any, pointers: list[str]
) -> None:
    editor.put("/articles/a", {"title": "x", "image": "https://x.example/a.jpg"})
    answer = editor.send("PATCH", "/articles/a", patch)
    assert answer.status_code == 422
    assert sorted(error["pointer"] for error in answer.get_json()["errors"]) == pointers
    assert editor.send("GET", "/articles/a").get_json()["version"] == 1


def test_patch_of_missing_entry_is_404_or_410(editor: ApiClient) -> None:
    assert editor.send("PATCH", "/articles/a", {"title": "x"}).status_code == 404
    editor.put("/articles/a", {"title": "x"})
    editor.send("DELETE", "/articles/a")
    assert editor.send("PATCH", "/articles/a", {"title": "x"}).status_code == 410


def test_concurrent_patches_all_apply(editor: ApiClient, app: Flask) -> None:
    editor.put("/articles/a", {"title": "x"})
    fields = ["summary", "content_text", "rights", "language", "url", "source"]
    values = ["s", "c", "r", "en", "https://x.example/", {"name": "n"}]

    def patch(pair: tuple[str, Any]) -> int:
        other = ApiClient(app.test_client(), editor.token)
        return other.send("PATCH", "/articles/a", {pair[0]: pair[1]}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(patch, zip(fields, values, strict=True))) == {200}
    entry = editor.send("GET", "/articles/a").get_json()
    assert [entry[field] for field in fields] == values


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [1]}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge_patch_examples_of_rfc_7396(
    document: Any, patch: Any, result: Any
) -> None:
    assert apply_merge_patch(document, patch) == result


def test_one_of_concurrent_writes_with_the_same_if_match_wins(
    app: Flask, editor: ApiClient
) -> None:
    condition = {"If-Match": editor.put("/articles/a", {"title": "x"}).headers["ETag"]}

    def put(number: int) -> int:
        other = ApiClient(app.test_client(), editor.token)
        document = {"title": f"{number}"}
        return other.send("PUT", "/articles/a", document, headers=condition).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(put, range(6))) == [200] + [412] * 5
