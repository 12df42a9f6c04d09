"""Categories within categories: a wider one's feeds hold the entries of all below it."""

from __future__ import annotations

import feedparser
import pytest
from flask.testing import FlaskClient

from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases


@pytest.fixture(autouse=True)
def tree(editor: ApiClient, clock: Clock) -> None:
    """van-hoa > am-nhac > opera, each with one article."""
    editor.put("/categories/am-nhac", {"title": "Âm nhạc", "parent": "van-hoa"})
    editor.put("/categories/opera", {"title": "Opera", "parent": "am-nhac"})
    for slug in ("van-hoa", "am-nhac", "opera"):
        editor.put(f"/articles/a-{slug}", {"title": slug, "categories": [slug]})
    clock.forward(seconds=10)


def shown(client: FlaskClient, slug: str) -> set[str]:
    return {
        entry.title
        for entry in feedparser.parse(
            client.get(f"/feeds/news/{slug}.rss").data
        ).entries
    }


def test_feed_of_category_has_entries_of_subcategories(
    editor: ApiClient, client: FlaskClient
) -> None:
    assert shown(client, "van-hoa") == {"van-hoa", "am-nhac", "opera"}
    assert shown(client, "am-nhac") == {"am-nhac", "opera"}
    assert shown(client, "opera") == {"opera"}
    assert shown(client, "giao-thong") == set()
    assert editor.send("GET", "/articles/a-opera").get_json()["categories"] == ["opera"]


def test_write_changes_feeds_of_parent_categories(
    editor: ApiClient, client: FlaskClient
) -> None:
    paths = [
        f"/feeds/news/{slug}.rss"
        for slug in ("van-hoa", "am-nhac", "opera", "giao-thong")
    ]
    before = [client.get(path).headers["ETag"] for path in paths]
    editor.put("/articles/a-am-nhac", {"title": "mới", "categories": ["am-nhac"]})
    after = [client.get(path).headers["ETag"] for path in paths]
    is_changed = [old != new for old, new in zip(before, after, strict=True)]
    assert is_changed == [True, True, False, False]


def test_moved_category_keeps_its_subcategories(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.forward(seconds=10)
    before = client.get("/feeds/news/van-hoa.rss").headers
    editor.send("PATCH", "/categories/am-nhac", {"parent": "giao-thong"})
    clock.forward(seconds=10)
    assert shown(client, "van-hoa") == {"van-hoa"}
    assert shown(client, "giao-thong") == {"am-nhac", "opera"}
    assert (
        client.get("/feeds/news/van-hoa.rss").headers["Last-Modified"]
        != before["Last-Modified"]
    )
    editor.send("PATCH", "/categories/am-nhac", {"parent": None})
    assert shown(client, "giao-thong") == set()
    assert shown(client, "am-nhac") == {"am-nhac", "opera"}


def test_rename_and_deletion_keep_the_hierarchy(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.send("PATCH", "/categories/am-nhac", {"slug": "nhac"})
    known = {
        item["slug"]: item.get("parent")
        for item in client.get("/api/v1/categories").get_json()["categories"]
    }
    assert known == {
        "van-hoa": None,
        "nhac": "van-hoa",
        "opera": "nhac",
        "giao-thong": None,
    }
    editor.send("DELETE", "/categories/nhac")
    known = {
        item["slug"]: item.get("parent")
        for item in client.get("/api/v1/categories").get_json()["categories"]
    }
    assert known == {"van-hoa": None, "opera": "van-hoa", "giao-thong": None}
    assert shown(client, "van-hoa") == {"van-hoa", "opera"}
    assert shown(client, "opera") == {"opera"}


def test_entry_may_be_in_a_category_and_its_parent(
    editor: ApiClient, client: FlaskClient
) -> None:
    both = editor.put(
        "/articles/both", {"title": "cả hai", "categories": ["opera", "van-hoa"]}
    ).get_json()
    assert both["categories"] == ["opera", "van-hoa"]
    assert "cả hai" in shown(client, "am-nhac")
    editor.send("DELETE", "/categories/opera")
    assert "cả hai" in shown(client, "van-hoa")
    assert "cả hai" not in shown(client, "am-nhac")


def test_invalid_parent_is_422(editor: ApiClient) -> None:
    for slug, parent in (
        ("van-hoa", "opera"),
        ("van-hoa", "van-hoa"),
        ("van-hoa", "nix"),
        ("moi", "moi"),
    ):
        refused = editor.send(
            "PUT", f"/categories/{slug}", {"title": "x", "parent": parent}
        )
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.get_json()["errors"]] == [
            "#/parent"
        ]


def test_slug_of_the_body_is_that_of_the_path(editor: ApiClient) -> None:
    response = editor.send("PUT", "/categories/a", {"slug": "b", "title": "B"})
    assert response.status_code == 422
    assert response.get_json()["errors"] == [
        {"pointer": "#/slug", "detail": "Must be the slug in the path."}
    ]
    for slug in ("a", "b"):
        assert editor.client.get(f"/feeds/news/{slug}.rss").status_code == 404
    response = editor.send("PATCH", "/categories/opera", {"slug": None})
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["pointer"] == "#/slug"
