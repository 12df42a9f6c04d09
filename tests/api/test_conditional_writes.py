"""Lost updates and patches: what an editor changes is what was read, and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from feedsvc.input.loading import apply_merge_patch
from feedsvc.services import get_services
from tests.api.problems import pointers
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases


def test_if_match_with_stale_version_is_412(editor: ApiClient) -> None:
    first = editor.put("/articles/a", {"title": "Một"}).headers["ETag"]
    stale = {"If-Match": first}
    second = editor.send("PUT", "/articles/a", {"title": "Hai"}, headers=stale)
    assert second.status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        document = None if method == "DELETE" else {"title": "Ba"}
        answer = editor.send(method, "/articles/a", document, headers=stale)
        assert answer.status_code == 412
    assert editor.send("GET", "/articles/a").get_json()["title"] == "Hai"
    fresh = {"If-Match": f'"nix", {second.headers["ETag"]}'}
    assert (
        editor.send("DELETE", "/articles/a", headers=fresh).status_code == 204
    )
    existing = {"If-Match": "*"}
    answer = editor.send(
        "PUT", "/articles/a", {"title": "x"}, headers=existing
    )
    assert answer.status_code == 412


def test_if_none_match_star_only_creates(editor: ApiClient) -> None:
    def create() -> int:
        only = {"If-None-Match": "*"}
        article = {"title": "Một"}
        return editor.send(
            "PUT", "/articles/a", article, headers=only
        ).status_code

    assert create() == 201
    assert create() == 412
    editor.send("DELETE", "/articles/a")
    assert create() == 201


def test_if_none_match_star_only_creates_categories(editor: ApiClient) -> None:
    def create(category: dict[str, str]) -> int:
        only = {"If-None-Match": "*"}
        return editor.send(
            "PUT", "/categories/a", category, headers=only
        ).status_code

    first = {"title": "Một", "parent": "van-hoa"}
    assert create(first) == 201
    # The parent is not looked for: it would only matter to a new category.
    assert create({"title": "Hai", "parent": "nix"}) == 412
    assert (
        first.items() <= editor.send("GET", "/categories/a").get_json().items()
    )
    editor.send("DELETE", "/categories/a")
    assert create({"title": "Hai"}) == 201


def test_weak_tag_matches_if_none_match_but_not_if_match(
    editor: ApiClient,
) -> None:
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
        "image": {
            "url": "https://x.example/a.jpg",
            "alt": "a",
            "caption": "b",
        },
    }
    before = editor.put("/articles/a", full).get_json()
    image = {"alt": None, "credit": "Lan"}
    patch = {"title": "Hai", "image": image, "categories": None}
    after = editor.send("PATCH", "/articles/a", patch).get_json()
    image = {"url": "https://x.example/a.jpg", "caption": "b", "credit": "Lan"}
    changed = {"title": "Hai", "image": image, "categories": [], "version": 2}
    assert after == {
        **before,
        **changed,
        "date_modified": after["date_modified"],
    }


def test_patch_of_content_updates_only_a_derived_summary(
    editor: ApiClient,
) -> None:
    def summary_after(patch: dict[str, str | None]) -> str:
        summary: str = editor.send("PATCH", "/articles/a", patch).get_json()[
            "summary"
        ]
        return summary

    editor.put("/articles/a", {"title": "x", "content_text": "Cũ"})
    assert summary_after({"content_text": "Mới"}) == "Mới"
    assert summary_after({"summary": "Tóm tắt"}) == "Tóm tắt"
    assert summary_after({"content_text": "Khác"}) == "Tóm tắt"
    assert summary_after({"summary": None}) == "Khác"


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"title": None}, ["#/title"]),
        ({"url": "javascript:x", "nix": 1}, ["#/nix", "#/url"]),
        ({"id": "b"}, ["#/id"]),
        ([], ["#"]),
    ],
)
def test_patched_entry_is_validated(
    editor: ApiClient, patch: Any, expected: list[str]
) -> None:
    editor.put(
        "/articles/a", {"title": "x", "image": "https://x.example/a.jpg"}
    )
    answer = editor.send("PATCH", "/articles/a", patch)
    assert sorted(pointers(answer)) == expected
    assert editor.send("GET", "/articles/a").get_json()["version"] == 1


def test_patch_of_missing_entry_is_404_or_410(editor: ApiClient) -> None:
    assert (
        editor.send("PATCH", "/articles/a", {"title": "x"}).status_code == 404
    )
    editor.put("/articles/a", {"title": "x"})
    editor.send("DELETE", "/articles/a")
    assert (
        editor.send("PATCH", "/articles/a", {"title": "x"}).status_code == 410
    )


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (
            "/articles/a",
            {
                "summary": "s",
                "content_text": "c",
                "rights": "r",
                "language": "en",
                "source": {"name": "n"},
            },
        ),
        (
            "/categories/giao-thong",
            {
                "title": "t",
                "description": "d",
                "language": "en",
                "url": "https://x.example/",
                "parent": "van-hoa",
            },
        ),
    ],
)
def test_concurrent_patches_all_apply(
    editor: ApiClient, app: Flask, path: str, changes: dict[str, Any]
) -> None:
    """A PATCH that loses to another one is tried again, five times at most."""
    assert len(changes) == 5
    editor.put(path, {"title": "x"})

    def patch(change: tuple[str, Any]) -> int:
        other = ApiClient(app.test_client(), editor.token)
        return other.send("PATCH", path, dict([change])).status_code

    with ThreadPoolExecutor(len(changes)) as pool:
        assert set(pool.map(patch, changes.items())) == {200}
    stored = editor.send("GET", path).get_json()
    assert {name: stored[name] for name in changes} == changes


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/articles/a", {"title": "T"}),
        ("/categories/giao-thong", {"title": "T"}),
    ],
)
def test_patch_is_validated_without_the_lock(
    editor: ApiClient, app: Flask, path: str, document: dict[str, str]
) -> None:
    editor.put(path, document)
    with get_services(app).database.write():
        response = editor.send("PATCH", path, {"title": ""})
    assert response.status_code == 422


def test_patch_of_other_members_keeps_content_that_sanitizing_made_longer(
    editor: ApiClient,
) -> None:
    link = '<a href="https://portal.example/">x</a>'
    article = {"title": "T", "content_html": link * 4_900}
    stored = editor.put("/articles/a", article).get_json()
    assert len(stored["content_html"]) > 262_144
    patched = editor.send(
        "PATCH", "/articles/a", {"title": "U", "summary": None}
    )
    assert patched.status_code == 200
    changed = {"title", "version", "date_modified"}
    assert {
        name
        for name, value in patched.get_json().items()
        if value != stored.get(name)
    } == changed


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


@pytest.mark.parametrize(
    ("path", "condition", "success"),
    [
        ("/articles/a", {"If-Match": '"1"'}, 200),
        ("/categories/a", {"If-None-Match": "*"}, 201),
    ],
)
def test_one_of_concurrent_writes_with_a_condition_wins(
    app: Flask,
    editor: ApiClient,
    path: str,
    condition: dict[str, str],
    success: int,
) -> None:
    editor.put("/articles/a", {"title": "x"})

    def put(number: int) -> int:
        other = ApiClient(app.test_client(), editor.token)
        document = {"title": f"{number}"}
        return other.send("PUT", path, document, headers=condition).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(put, range(6))) == [success] + [412] * 5
