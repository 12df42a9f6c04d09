"""Every response has nosniff."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import ApiClient

SAMPLES = {"kind": "news", "suffix": "rss", "id": "a", "slug": "not-found", "category_filter": "giao-thong", "name": "script.js", "filename": "style.css", "path": "index.css"}  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def has_nosniff(response: TestResponse) -> bool:
    return response.headers.getlist("X-Content-Type-Options") == ["nosniff"]


def test_every_route_and_method_has_nosniff(app: Flask, editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "x"})
    statuses = set()
    for rule in app.url_map.iter_rules():
        values = {name: SAMPLES[name] for name in rule.arguments}
        _, path = rule.build(values, append_unknown=False) or ("", "")
        assert path.startswith("/"), rule
        for method in METHODS:
            for headers in ({}, editor.headers, {"Accept": "text/html"}):
                response = editor.client.open(
                    path, method=method, headers=headers, json={}, buffered=True
                )
                statuses.add(response.status_code)
                assert has_nosniff(response), (method, path, response.status)
    assert statuses >= {200, 401, 405, 422}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/feeds/news", 301),
        ("GET", "/feeds/news.rss?limit=x", 400),
        ("GET", "/healthz", 200),
        ("BREW", "/feeds/news.rss", 405),
    ],
)
def test_errors_redirects_and_probes_have_nosniff(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    response = client.open(path, method=method)
    assert response.status_code == status
    assert has_nosniff(response)


def test_cached_response_has_nosniff_once_and_304_has_none(client: FlaskClient) -> None:
    first, again = (client.get("/feeds/news.rss") for _ in range(2))
    assert has_nosniff(first)
    assert has_nosniff(again)
    unchanged = client.get(
        "/feeds/news.rss", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert unchanged.status_code == 304
    assert "X-Content-Type-Options" not in unchanged.headers
