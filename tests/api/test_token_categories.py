"""Tokens that are limited to categories: a department writes only its own entries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

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
    editor.put(
        "/categories/am-nhac", {"title": "Âm nhạc", "parent": "van-hoa"}
    )
    token = run(
        app, "token", "create", "van-hoa", "--category", "van-hoa"
    ).strip()
    return ApiClient(app.test_client(), token)


def check_refused(department: ApiClient, *calls: tuple[Any, ...]) -> None:
    for call in calls:
        assert department.send(*call).status_code == 403, call


def changes(client: FlaskClient) -> Any:
    return client.get("/api/v1/changes").get_json()


def test_department_writes_entries_in_and_below_its_categories(
    department: ApiClient,
) -> None:
    assert department.send("POST", "/articles", OWN).status_code == 201
    department.put("/articles/a", OWN)
    department.put(
        "/articles/a", {"title": "T", "categories": ["van-hoa", "am-nhac"]}
    )
    withdrawal = {"status": "withdrawn"}
    assert (
        department.send("PATCH", "/articles/a", withdrawal).status_code == 200
    )
    assert department.send("DELETE", "/articles/a").status_code == 204
    event = {**OWN, "start": "2027-01-01"}
    assert department.send("PUT", "/events/b", event).status_code == 201


@pytest.mark.parametrize("stored", [FOREIGN, SHARED, BARE])
@pytest.mark.parametrize("status", ["published", "draft", "withdrawn"])
def test_entries_of_others_stay_as_they_are(
    department: ApiClient,
    editor: ApiClient,
    stored: dict[str, Any],
    status: str,
) -> None:
    stored = {**stored, "status": status}
    before = editor.put("/articles/a", stored).get_json()
    item = {"kind": "news", "id": "a"}
    batch = [{"action": "put", **item, **OWN}, {"action": "delete", **item}]
    check_refused(
        department,
        ("PUT", "/articles/a", OWN),
        ("PUT", "/articles/a", stored),
        ("PATCH", "/articles/a", {"title": "x"}),
        ("PATCH", "/articles/a", OWN),
        ("PATCH", "/articles/a", {"status": "withdrawn"}),
        ("DELETE", "/articles/a"),
    )
    assert results(department, batch) == [403] * 2
    after = department.send("GET", "/articles/a").get_json()
    # The links to previews end at the time of each response.
    assert {**after, "preview_url": ""} == {**before, "preview_url": ""}


@pytest.mark.parametrize("document", [FOREIGN, SHARED, BARE])
def test_own_entries_cannot_be_given_to_others(
    department: ApiClient, client: FlaskClient, document: dict[str, Any]
) -> None:
    department.put("/articles/a", OWN)
    before = changes(client)
    patch = {"categories": document.get("categories")}
    item = {"action": "put", "kind": "news", **document}
    check_refused(
        department,
        ("PUT", "/articles/a", document),
        ("PATCH", "/articles/a", patch),
        ("PUT", "/articles/b", document),
        ("POST", "/articles", document),
    )
    batch = [{**item, "id": "a"}, {**item, "id": "b"}]
    assert results(department, batch) == [403] * 2
    assert changes(client) == before


def results(department: ApiClient, items: list[Any]) -> list[int]:
    """Send a batch, and return the status of each item."""
    response = department.send("POST", "/batch", items)
    return [result["status"] for result in response.get_json()["results"]]


def test_403_names_the_category(
    department: ApiClient, editor: ApiClient
) -> None:
    refused = department.send("PUT", "/articles/a", SHARED)
    assert "“giao-thong”" in refused.get_json()["detail"]
    editor.put("/articles/a", FOREIGN)
    refused = department.send("DELETE", "/articles/a")
    assert "“giao-thong”" in refused.get_json()["detail"]


def test_refused_items_leave_the_others_of_a_batch(
    department: ApiClient, editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/articles/foreign", FOREIGN)
    items: list[dict[str, Any]] = [
        {"action": "put", "id": "a", **OWN},
        {"action": "put", "id": "foreign", **OWN},
        {"action": "delete", "id": "foreign"},
        {"action": "delete", "id": "a"},
        {"action": "put", "id": "a", **FOREIGN},
        {"action": "put", "id": "b", **OWN},
    ]
    statuses = results(
        department, [{"kind": "news", **item} for item in items]
    )
    assert statuses == [201, 403, 403, 204, 403, 201]
    latest = changes(client)["changes"]
    assert [(change["action"], change["id"]) for change in latest] == [
        ("put", "foreign"),
        ("delete", "a"),
        ("put", "b"),
    ]
    assert latest[0]["version"] == 1


def test_entries_of_the_other_kind_and_guids_of_others_stay(
    department: ApiClient, editor: ApiClient, client: FlaskClient
) -> None:
    stored = editor.put(
        "/events/a", {**FOREIGN, "start": "2027-01-01"}
    ).get_json()
    before = changes(client)
    with_guid = {**OWN, "guid": stored["guid"]}
    assert department.send("PUT", "/articles/a", OWN).status_code == 409
    assert department.send("DELETE", "/articles/a").status_code == 404
    assert department.send("PUT", "/articles/b", with_guid).status_code == 409
    assert changes(client) == before


def test_entry_that_others_have_translated_can_be_changed(
    department: ApiClient, editor: ApiClient
) -> None:
    own = {**OWN, "translation_key": "k"}
    department.put("/articles/a", own)
    translation = {**FOREIGN, "translation_key": "k", "language": "en"}
    editor.put("/articles/b", translation)
    department.put("/articles/a", {**own, "title": "Đã sửa"})
    for patch in ({"notice": "Đã sửa."}, {"status": "withdrawn"}):
        response = department.send("PATCH", "/articles/a", patch)
        assert response.status_code == 200
    # Another key makes it a translation of others' entries.
    editor.put("/articles/c", {**translation, "translation_key": "other"})
    other = {**own, "translation_key": "other"}
    check_refused(
        department,
        ("PUT", "/articles/a", other),
        ("PUT", "/articles/new", {**own, "language": "de"}),
    )


def test_id_of_a_deleted_entry_may_be_used_again(
    department: ApiClient, editor: ApiClient
) -> None:
    editor.put("/articles/a", FOREIGN)
    editor.send("DELETE", "/articles/a")
    assert department.send("PUT", "/articles/a", FOREIGN).status_code == 403
    assert department.send("PUT", "/articles/a", OWN).status_code == 201


def test_department_reads_what_other_tokens_read(
    department: ApiClient, editor: ApiClient
) -> None:
    editor.put("/articles/a", {**FOREIGN, "status": "draft"})
    assert department.send("GET", "/articles/a").status_code == 200
    assert len(department.send("GET", "/articles").get_json()["items"]) == 1


def test_department_cannot_write_categories(department: ApiClient) -> None:
    path = "/categories/giao-thong"
    document = {"title": "T", "parent": "van-hoa"}
    check_refused(
        department,
        ("PUT", path, document),
        ("PATCH", path, {"parent": "van-hoa"}),
        ("DELETE", path),
    )


def test_renamed_category_stays_that_of_the_token(
    department: ApiClient, editor: ApiClient
) -> None:
    editor.send("PATCH", "/categories/van-hoa", {"slug": "nghe-thuat"})
    editor.send("PATCH", "/categories/giao-thong", {"slug": "duong-sa"})
    for slug, status in (
        ("van-hoa", 201),
        ("nghe-thuat", 200),
        ("giao-thong", 403),
    ):
        document = {"title": "T", "categories": [slug]}
        assert (
            department.send("PUT", "/articles/a", document).status_code
            == status
        )


def test_moved_category_takes_its_entries_along(
    department: ApiClient, editor: ApiClient
) -> None:
    department.put("/articles/a", OWN)
    editor.put("/articles/b", FOREIGN)
    editor.send("PATCH", "/categories/am-nhac", {"parent": "giao-thong"})
    assert department.send("DELETE", "/articles/a").status_code == 403
    assert department.send("PUT", "/articles/c", OWN).status_code == 403
    editor.send("PATCH", "/categories/giao-thong", {"parent": "van-hoa"})
    assert department.send("DELETE", "/articles/a").status_code == 204
    assert department.send("DELETE", "/articles/b").status_code == 204


def test_nothing_can_be_written_in_a_deleted_category(
    department: ApiClient, editor: ApiClient
) -> None:
    department.put("/articles/a", OWN)
    department.put("/articles/b", {"title": "T", "categories": ["van-hoa"]})
    editor.send("DELETE", "/categories/van-hoa")
    assert department.send("PUT", "/articles/c", BARE).status_code == 403
    for id in "ab":
        assert department.send("DELETE", f"/articles/{id}").status_code == 403
    editor.put("/categories/van-hoa", {"title": "Văn hoá"})
    department.put("/articles/c", {"title": "T", "categories": ["van-hoa"]})


def test_patch_does_not_change_what_is_moved_meanwhile(
    department: ApiClient, editor: ApiClient, app: Flask
) -> None:
    other = ApiClient(app.test_client(), department.token)
    editor.put("/articles/a", OWN)

    def patch(number: int) -> int:
        response = other.send("PATCH", "/articles/a", {"title": f"{number}"})
        return response.status_code

    with ThreadPoolExecutor(1) as pool:
        statuses = pool.map(patch, range(60))
        for _ in range(20):
            moved = editor.put("/articles/a", FOREIGN)
            assert (
                editor.send("GET", "/articles/a").get_json()
                == moved.get_json()
            )
            editor.put("/articles/a", OWN)
    assert set(statuses) <= {200, 403, 503}


def test_department_translates_no_entry_of_others(
    department: ApiClient, editor: ApiClient
) -> None:
    editor.put("/articles/o", {**FOREIGN, "translation_key": "o"})
    editor.put("/articles/m", {**OWN, "translation_key": "m"})
    english = {**OWN, "language": "en"}
    foreign = {**english, "translation_key": "o"}
    check_refused(department, ("PUT", "/articles/o-en", foreign))
    department.put("/articles/m-en", {**english, "translation_key": "m"})
