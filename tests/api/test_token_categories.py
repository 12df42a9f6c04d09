"""Tokens that are limited to categories: a department writes only its own entries."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.test_batch import send, statuses
from tests.commands import run
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases

OWN = {"title": "Của mình", "categories": ["am-nhac"]}
FOREIGN = {"title": "Của họ", "categories": ["giao-thong"]}
SHARED = {"title": "Chung", "categories": ["am-nhac", "giao-thong"]}
BARE = {"title": "Không có"}


@pytest.fixture
def department(app: Flask, editor: ApiClient) -> ApiClient:
    """Return a client whose token is limited to van-hoa; am-nhac is below it."""
    editor.put("/categories/am-nhac", {"title": "Âm nhạc", "parent": "van-hoa"})
    token = run(app, "token", "create", "van-hoa", "--category", "van-hoa").strip()
    return ApiClient(app.test_client(), token)


def check_refused(department: ApiClient, *calls: tuple[Any, ...]) -> None:
    for call in calls:
        answer = department.send(*call)
        assert answer.status_code == 403, call
        detail = answer.get_json()["detail"]
        assert re.search("in category “|has none|lacks the scope", detail)


def changes(client: FlaskClient) -> Any:
    return client.get("/api/v1/changes").get_json()["changes"]


def test_department_writes_entries_in_and_below_its_categories(
    department: ApiClient,
) -> None:
    both = {"title": "T", "categories": ["van-hoa", "am-nhac"]}
    for method, path, document, status in (
        ("POST", "/articles", OWN, 201),
        ("PUT", "/articles/a", both, 201),
        ("PATCH", "/articles/a", {"status": "withdrawn"}, 200),
        ("DELETE", "/articles/a", None, 204),
        ("PUT", "/events/b", {**OWN, "start": "2027-01-01"}, 201),
    ):
        answer = department.send(method, path, document)
        assert answer.status_code == status


@pytest.mark.sqlite
@pytest.mark.parametrize("stored", [FOREIGN, SHARED, BARE])
@pytest.mark.parametrize("status", ["published", "draft", "withdrawn"])
def test_entries_of_others_stay_as_they_are(
    department: ApiClient,
    editor: ApiClient,
    stored: dict[str, Any],
    status: str,
) -> None:
    stored = {**stored, "status": status}
    editor.put("/articles/a", stored)
    item = {"kind": "news", "id": "a"}
    check_refused(
        department,
        ("PUT", "/articles/a", OWN),
        ("PUT", "/articles/a", stored),
        ("PATCH", "/articles/a", {"title": "x"}),
        ("PATCH", "/articles/a", OWN),
        ("DELETE", "/articles/a"),
    )
    batch = [{"action": "put", **item, **OWN}, {"action": "delete", **item}]
    assert statuses(send(department, batch)) == [403] * 2
    # A department reads what other tokens read.
    after = department.send("GET", "/articles/a").get_json()
    assert (after["version"], after["status"]) == (1, status)


@pytest.mark.sqlite
@pytest.mark.parametrize("document", [FOREIGN, SHARED, BARE])
def test_own_entries_cannot_be_given_to_others(
    department: ApiClient, client: FlaskClient, document: dict[str, Any]
) -> None:
    department.put("/articles/a", OWN)
    before = changes(client)
    patch = {"categories": document.get("categories")}
    check_refused(
        department,
        ("PUT", "/articles/a", document),
        ("PATCH", "/articles/a", patch),
        ("PUT", "/articles/b", document),
        ("POST", "/articles", document),
    )
    item = {"action": "put", "kind": "news", **document}
    batch = [{**item, "id": id} for id in "ab"]
    assert statuses(send(department, batch)) == [403] * 2
    assert changes(client) == before


def test_department_translates_no_entry_of_others(
    department: ApiClient, editor: ApiClient
) -> None:
    own = {**OWN, "translation_key": "k"}
    department.put("/articles/a", own)
    # Others may translate its entry, which it can still change.
    translation = {**FOREIGN, "translation_key": "k", "language": "en"}
    editor.put("/articles/b", translation)
    department.put("/articles/a", {**own, "title": "Đã sửa"})
    withdrawal = {"status": "withdrawn"}
    answer = department.send("PATCH", "/articles/a", withdrawal)
    assert answer.status_code == 200
    editor.put("/articles/c", {**translation, "translation_key": "other"})
    check_refused(
        department,
        ("PUT", "/articles/a", {**OWN, "translation_key": "other"}),
        ("PUT", "/articles/new", {**own, "language": "de"}),
    )
    department.put("/articles/m", {**OWN, "translation_key": "m"})
    english = {**OWN, "translation_key": "m", "language": "en"}
    department.put("/articles/m-en", english)


def test_id_of_a_deleted_entry_may_be_used_again(
    department: ApiClient, editor: ApiClient
) -> None:
    editor.put("/articles/a", FOREIGN)
    editor.send("DELETE", "/articles/a")
    check_refused(department, ("PUT", "/articles/a", FOREIGN))
    department.put("/articles/a", OWN)


def test_department_cannot_write_categories(department: ApiClient) -> None:
    path, parent = "/categories/giao-thong", {"parent": "van-hoa"}
    check_refused(
        department,
        ("PUT", path, {"title": "T", **parent}),
        ("PATCH", path, parent),
        ("DELETE", path),
    )


def test_renamed_category_stays_that_of_the_token(
    department: ApiClient, editor: ApiClient
) -> None:
    for slug in ("van-hoa", "giao-thong"):
        editor.send("PATCH", f"/categories/{slug}", {"slug": f"{slug}-moi"})
    for slug in ("van-hoa", "van-hoa-moi"):
        department.put("/articles/a", {"title": "T", "categories": [slug]})
    check_refused(department, ("PUT", "/articles/a", FOREIGN))


def test_moved_category_takes_its_entries_along(
    department: ApiClient, editor: ApiClient
) -> None:
    department.put("/articles/a", OWN)
    editor.put("/articles/b", FOREIGN)
    editor.send("PATCH", "/categories/am-nhac", {"parent": "giao-thong"})
    check_refused(department, ("DELETE", "/articles/a"), ("PUT", "/articles/c", OWN))
    editor.send("PATCH", "/categories/giao-thong", {"parent": "van-hoa"})
    for id in "ab":
        assert department.send("DELETE", f"/articles/{id}").status_code == 204


def test_nothing_can_be_written_in_a_deleted_category(
    department: ApiClient, editor: ApiClient
) -> None:
    top = {"title": "T", "categories": ["van-hoa"]}
    department.put("/articles/a", OWN)
    department.put("/articles/b", top)
    editor.send("DELETE", "/categories/van-hoa")
    check_refused(
        department,
        ("PUT", "/articles/c", BARE),
        ("DELETE", "/articles/a"),
        ("DELETE", "/articles/b"),
    )
    editor.put("/categories/van-hoa", {"title": "Văn hoá"})
    department.put("/articles/c", top)


@pytest.mark.unrehearsed
def test_patch_does_not_change_what_is_moved_meanwhile(
    department: ApiClient, editor: ApiClient, app: Flask
) -> None:
    other = ApiClient(app.test_client(), department.token)
    editor.put("/articles/a", OWN)

    def patch(number: int) -> int:
        response = other.send("PATCH", "/articles/a", {"title": f"{number}"})
        return response.status_code

    with ThreadPoolExecutor(1) as pool:
        statuses = pool.map(patch, range(30))
        for _ in range(10):
            moved = editor.put("/articles/a", FOREIGN).get_json()
            assert editor.send("GET", "/articles/a").get_json() == moved
            editor.put("/articles/a", OWN)
    assert set(statuses) <= {200, 403, 503}
