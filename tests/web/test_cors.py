"""Scripts of other sites may read feeds, changes and categories, whatever the status."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from tests.conftest import ApiClient

PREFLIGHT = {
    "Origin": "https://partner.example",
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "if-none-match",
}
SHARED = {
    "/feeds/news.rss": 200,
    "/feeds/news.html": 200,
    "/feeds.opml": 200,
    "/feeds/news": 301,
    "/feeds/news/old.rss": 301,
    "/feeds/news/deleted.rss": 410,
    "/feeds/news/none.rss": 404,
    "/feeds/a/b/c": 404,
    "/feeds/news.rss?limit=x": 400,
    "/api/v1/changes": 200,
    "/api/v1/changes?after=x": 400,
    "/api/v1/changes?after=4000000000000000": 410,
    "/api/v1/categories": 200,
    "/api/v1/categories/new": 200,
    "/api/v1/categories/old": 301,
    "/api/v1/categories/deleted": 410,
    "/api/v1/categories/none": 404,
}
"""Statuses by path."""


@pytest.fixture(scope="module")
def shared_client(shared_editor: ApiClient) -> FlaskClient:
    """Return a client of an application with a renamed and a deleted category."""
    for slug in ("old", "deleted"):
        shared_editor.put(f"/categories/{slug}", {"title": slug})
    shared_editor.send("PATCH", "/categories/old", {"slug": "new"})
    shared_editor.send("DELETE", "/categories/deleted")
    return shared_editor.client


@pytest.mark.parametrize("path", SHARED)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_scripts_may_read_every_response(
    shared_client: FlaskClient, method: str, path: str
) -> None:
    for _ in range(2):  # The second one may be cached.
        response = shared_client.open(path, method=method)
        assert response.status_code == SHARED[path]
        allowed = response.headers.getlist("Access-Control-Allow-Origin")
        assert allowed == ["*"]
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert exposed == "ETag, Link"


@pytest.mark.parametrize("path", ["/feeds/news.rss", "/api/v1/changes"])
def test_scripts_may_read_that_nothing_has_changed(
    shared_client: FlaskClient, path: str
) -> None:
    tag = shared_client.get(path).headers["ETag"]
    response = shared_client.get(path, headers={"If-None-Match": tag})
    assert response.status_code == 304
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_scripts_may_read_that_the_database_is_away(
    client: FlaskClient, database: Database
) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE entries")
    response = client.get("/feeds/news.rss")
    assert response.status_code == 503
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", SHARED)
def test_preflight_allows_conditional_reads(
    shared_client: FlaskClient, path: str
) -> None:
    response = shared_client.options(path, headers=PREFLIGHT)
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert response.headers["Access-Control-Allow-Headers"] == "If-None-Match"
    assert int(response.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/entries/none"),
        ("GET", "/healthz"),
        ("GET", "/api/v1/articles"),
        ("OPTIONS", "/api/v1/articles"),
        ("OPTIONS", "/entries/none"),
        ("PUT", "/api/v1/categories/new"),
        ("DELETE", "/api/v1/categories/none"),
    ],
)
def test_scripts_may_not_use_anything_else(
    shared_client: FlaskClient, method: str, path: str
) -> None:
    response = shared_client.open(path, method=method, headers=PREFLIGHT)
    assert not any(
        name.startswith("Access-Control") for name, _ in response.headers
    )
