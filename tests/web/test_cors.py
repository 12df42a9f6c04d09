"""Headers of every response: scripts of other sites may read some; nosniff."""

from itertools import product

import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from tests.conftest import ApiClient
from tests.data import read_tables

PREFLIGHT = {
    "Origin": "https://partner.example",
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "if-none-match",
}
SHARED: dict[str, int] = read_tables("web")["shared"]
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
def test_scripts_may_read_every_response(shared_client: FlaskClient, path: str) -> None:
    first = shared_client.get(path)
    tag = {"If-None-Match": first.headers.get("ETag", "")}
    # The second one may be cached, and the last one be 304.
    again = (shared_client.head(path), shared_client.get(path, headers=tag))
    assert [each.status_code for each in (first, *again)] in (
        [SHARED[path]] * 3,
        [200, 200, 304],
    )
    for response in (first, *again):
        allowed = response.headers.getlist("Access-Control-Allow-Origin")
        assert allowed == ["*"]
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert exposed == "ETag, Link"


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


@pytest.mark.parametrize(("method", "path"), read_tables("web")["not_shared"])
def test_scripts_may_not_use_anything_else(
    shared_client: FlaskClient, method: str, path: str
) -> None:
    response = shared_client.open(path, method=method, headers=PREFLIGHT)
    assert not any(name.startswith("Access-Control") for name, _ in response.headers)


SAMPLES: dict[str, str] = read_tables("web")["route_values"]
METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS BREW".split()


def test_every_route_and_method_has_nosniff(app: Flask, editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "x"})
    statuses = set()
    paths = ["/nowhere", "/feeds/news.rss?limit=x"]
    for rule in app.url_map.iter_rules():
        values = {name: SAMPLES[name] for name in rule.arguments}
        _, path = rule.build(values, append_unknown=False) or ("", "")
        assert path.startswith("/"), rule
        paths.append(path)
    for path, method in product(paths, METHODS):
        for headers in ({}, editor.headers, {"Accept": "text/html"}):
            response = editor.client.open(
                path, method=method, headers=headers, json={}, buffered=True
            )
            statuses.add(response.status_code)
            sent = response.headers.getlist("X-Content-Type-Options")
            assert sent == ["nosniff"], (method, path, response.status)
    assert statuses >= {200, 301, 400, 401, 404, 405, 422}
