"""Lost updates and patches: what an editor changes is what was read, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from feedsvc.input.loading import apply_merge_patch
from feedsvc.services import get_services
from tests import data
from tests.api.problems import pointers
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases

TABLES = data.read_tables("api")
RFC_7396 = data.read("merge_patches")
"""The documents, patches and results of its appendix A."""


def test_if_match_with_stale_version_is_412(editor: ApiClient) -> None:
    def send(method: str, tag: str) -> int:
        document = None if method == "DELETE" else {"title": "Hai"}
        condition = {"If-Match": tag}
        return editor.send(
            method, "/articles/a", document, headers=condition
        ).status_code

    editor.put("/articles/a", {"title": "Một"})
    assert send("PUT", '"1"') == 200
    for method in ("PUT", "PATCH", "DELETE"):
        assert send(method, '"1"') == 412
    assert send("DELETE", '"nix", "2"') == 204
    assert send("PUT", "*") == 412


@pytest.mark.parametrize("path", ["/articles/a", "/categories/a"])
def test_if_none_match_star_only_creates(editor: ApiClient, path: str) -> None:
    def create(**members: str) -> int:
        document = {"title": "Một", **members}
        only = {"If-None-Match": "*"}
        return editor.send("PUT", path, document, headers=only).status_code

    assert create() == 201
    # The parent is not looked for: it would only matter to a new category.
    members = {"parent": "nix"} if "categories" in path else {}
    assert create(**members) == 412
    editor.send("DELETE", path)
    assert create() == 201


@pytest.mark.parametrize(("name", "tag", "status"), TABLES["weak_tags"])
def test_weak_tag_matches_if_none_match_but_not_if_match(
    editor: ApiClient, name: str, tag: str, status: int
) -> None:
    # A proxy that compresses weakens the tag.
    article = {"title": "Một"}
    editor.put("/articles/a", article)
    answer = editor.send("PUT", "/articles/a", article, headers={name: tag})
    assert answer.status_code == status


def test_patch_changes_only_its_members(editor: ApiClient) -> None:
    image = {"url": "https://x.example/a.jpg", "alt": "a", "caption": "b"}
    article = {
        "title": "Một",
        "content_text": "Nội dung",
        "categories": ["van-hoa"],
        "image": image,
    }
    before = editor.put("/articles/a", article).get_json()
    patch = {"image": {"alt": None, "credit": "Lan"}, "categories": None}
    after = editor.send("PATCH", "/articles/a", patch).get_json()
    del image["alt"]
    assert after == {
        **before,
        "image": {**image, "credit": "Lan"},
        "categories": [],
        "version": 2,
        "date_modified": after["date_modified"],
    }


def test_patch_of_content_updates_only_a_derived_summary(
    editor: ApiClient,
) -> None:
    editor.put("/articles/a", {"title": "x", "content_text": "Cũ"})
    for patch, summary in (
        ({"content_text": "Mới"}, "Mới"),
        ({"summary": "Tóm tắt"}, "Tóm tắt"),
        ({"content_text": "Khác"}, "Tóm tắt"),
        ({"summary": None}, "Khác"),
    ):
        patched = editor.send("PATCH", "/articles/a", patch).get_json()
        assert patched["summary"] == summary


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"title": None}, {"#/title"}),
        ({"url": "javascript:x", "nix": None}, {"#/nix", "#/url"}),
        ({"id": "b"}, {"#/id"}),
        ([], {"#"}),
    ],
)
def test_patched_entry_is_validated(
    editor: ApiClient, patch: Any, expected: set[str]
) -> None:
    editor.put("/articles/a", {"title": "x"})
    answer = editor.send("PATCH", "/articles/a", patch)
    assert set(pointers(answer)) == expected
    assert editor.send("GET", "/articles/a").get_json()["version"] == 1


@pytest.mark.parametrize(("path", "changes"), TABLES["changes"].items())
def test_concurrent_patches_all_apply(
    editor: ApiClient, app: Flask, path: str, changes: dict[str, str]
) -> None:
    """A PATCH that loses to another one is tried again, five times at most."""
    editor.put(path, {"title": "x"})

    def patch(change: tuple[str, str]) -> int:
        other = ApiClient(app.test_client(), editor.token)
        return other.send("PATCH", path, dict([change])).status_code

    with ThreadPoolExecutor(len(changes)) as pool:
        assert set(pool.map(patch, changes.items())) == {200}
    stored = editor.send("GET", path).get_json()
    assert {name: stored[name] for name in changes} == changes


@pytest.mark.parametrize("path", ["/articles/a", "/categories/giao-thong"])
def test_patch_is_validated_without_the_lock(
    editor: ApiClient, app: Flask, path: str
) -> None:
    editor.put(path, {"title": "T"})
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
    patch = {"title": "U", "summary": None}
    patched = editor.send("PATCH", "/articles/a", patch).get_json()
    changed = {name for name in stored if patched[name] != stored[name]}
    assert changed == {"title", "version", "date_modified"}


@pytest.mark.parametrize(("document", "patch", "result"), RFC_7396)
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

    def put(title: str) -> int:
        other = ApiClient(app.test_client(), editor.token)
        document = {"title": title}
        return other.send("PUT", path, document, headers=condition).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(put, "abcdef"))
    assert statuses == [success] + [412] * 5
