"""Categories within categories: a wider one's feeds hold the entries of all below it."""

import pytest
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from feedsvc.storage.tables import CategoryRow
from tests.api.problems import errors, pointers
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.web.feeds import items


@pytest.fixture(autouse=True)
def tree(editor: ApiClient, clock: Clock) -> None:
    """van-hoa > am-nhac > opera, each with one article."""
    editor.put("/categories/am-nhac", {"title": "Âm nhạc", "parent": "van-hoa"})
    editor.put("/categories/opera", {"title": "Opera", "parent": "am-nhac"})
    for slug in ("van-hoa", "am-nhac", "opera"):
        editor.put(f"/articles/a-{slug}", {"title": slug, "categories": [slug]})
    clock.forward(seconds=10)


def shown(client: FlaskClient, slug: str) -> set[str]:
    return {item["title"] for item in items(client, f"/feeds/news/{slug}.json")}


def parents(client: FlaskClient) -> dict[str, str | None]:
    """Return the slug of each category, with that of its parent."""
    categories = client.get("/api/v1/categories").get_json()["categories"]
    return {item["slug"]: item.get("parent") for item in categories}


@pytest.mark.both_databases
def test_moved_category_keeps_its_subcategories(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.forward(seconds=10)
    before = client.get("/feeds/news/van-hoa.rss").last_modified
    editor.send("PATCH", "/categories/am-nhac", {"parent": "giao-thong"})
    clock.forward(seconds=10)
    assert shown(client, "van-hoa") == {"van-hoa"}
    assert shown(client, "giao-thong") == {"am-nhac", "opera"}
    assert client.get("/feeds/news/van-hoa.rss").last_modified != before
    editor.send("PATCH", "/categories/am-nhac", {"parent": None})
    assert shown(client, "giao-thong") == set()
    assert shown(client, "am-nhac") == {"am-nhac", "opera"}


@pytest.mark.both_databases
def test_rename_and_deletion_keep_the_hierarchy(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.send("PATCH", "/categories/am-nhac", {"slug": "nhac"})
    roots = {"van-hoa": None, "giao-thong": None}
    assert parents(client) == {**roots, "nhac": "van-hoa", "opera": "nhac"}
    editor.send("DELETE", "/categories/nhac")
    assert parents(client) == {**roots, "opera": "van-hoa"}
    assert shown(client, "van-hoa") == {"van-hoa", "opera"}


@pytest.mark.parametrize(
    ("slug", "parent"),
    [("van-hoa", "opera"), ("van-hoa", "van-hoa"), ("moi", "moi")],
)
def test_invalid_parent_is_422(editor: ApiClient, slug: str, parent: str) -> None:
    category = {"title": "x", "parent": parent}
    refused = editor.send("PUT", f"/categories/{slug}", category)
    assert pointers(refused) == ["#/parent"]


def test_slug_of_the_body_is_that_of_the_path(editor: ApiClient) -> None:
    for method, path, document in (
        ("PUT", "/categories/a", {"slug": "b", "title": "B"}),
        ("PATCH", "/categories/opera", {"slug": None}),
    ):
        refused = editor.send(method, path, document)
        assert pointers(refused) == ["#/slug"]
    assert parents(editor.client).keys().isdisjoint("ab")


def put_chain(editor: ApiClient, name: str, length: int) -> None:
    """Create categories `<name>0`, `<name>1` and so on, each within the one before."""
    parent = None
    for number in range(length):
        slug = f"{name}{number}"
        editor.put(f"/categories/{slug}", {"title": slug, "parent": parent})
        parent = slug


@pytest.mark.both_databases
def test_categories_have_at_most_20_levels(editor: ApiClient) -> None:
    put_chain(editor, "a", 20)
    put_chain(editor, "b", 3)
    below = {"title": "x", "parent": "a19"}
    answers = [
        editor.send("PUT", "/categories/new", below),
        editor.send("PUT", "/categories/b0", {"title": "x", "parent": "a17"}),
        editor.send("PATCH", "/categories/b0", {"parent": "a17"}),
        editor.send("PATCH", "/categories/b0", {"parent": "a17", "slug": "c"}),
    ]
    for refused in answers:
        text = "Must not lead to more than 20 levels."
        assert errors(refused) == {"#/parent": text}
        assert refused.status_code == 422
    assert parents(editor.client)["b0"] is None
    assert editor.send("PATCH", "/categories/b0", {"parent": "a16"}).status_code == 200
    # A deleted category is a new one, and leaves room for others.
    assert editor.send("DELETE", "/categories/a18").status_code == 204
    assert editor.send("PUT", "/categories/new", below).status_code == 201
    below["parent"] = "new"
    assert pointers(editor.send("PUT", "/categories/a18", below)) == ["#/parent"]


@pytest.mark.both_databases
def test_deeper_categories_of_earlier_versions_go_on(
    editor: ApiClient, client: FlaskClient, database: Database
) -> None:
    with database.write() as transaction:
        parent = None
        for number in range(1100):
            parent = CategoryRow(slug=f"c{number}", title="C", parent=parent)
            transaction.session.add(parent)
    document = {"title": "Dưới", "categories": ["c1099"]}
    editor.put("/articles/deep", document)
    assert shown(client, "c0") == {"Dưới"}
    assert client.get("/").status_code == 200
    editor.put("/categories/c1099", {"title": "D", "parent": "c1098"})
    assert editor.send("PATCH", "/categories/c500", {"title": "D"}).status_code == 200
    assert editor.send("PATCH", "/categories/c500", {"slug": "d500"}).status_code == 200
    for slug, parent_slug in (("new", "c1099"), ("c1", "van-hoa")):
        category = {"title": "D", "parent": parent_slug}
        refused = editor.send("PUT", f"/categories/{slug}", category)
        assert pointers(refused) == ["#/parent"]
    # Parts of it may become shorter.
    assert (
        editor.send("PATCH", "/categories/c1090", {"parent": "c2"}).status_code == 200
    )
    assert editor.send("PATCH", "/categories/c1", {"parent": None}).status_code == 200
    assert editor.send("DELETE", "/categories/c0").status_code == 204


def test_category_with_a_former_slug_as_parent_is_not_written_again(
    editor: ApiClient, database: Database
) -> None:
    editor.send("PATCH", "/categories/van-hoa", {"slug": "nghe-thuat"})
    before = database.revisions
    category = {"title": "Âm nhạc", "parent": "van-hoa"}
    stored = editor.put("/categories/am-nhac", category).get_json()
    assert stored["parent"] == "nghe-thuat"
    assert database.revisions == before
