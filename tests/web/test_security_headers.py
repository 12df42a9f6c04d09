"""Every response has nosniff."""

from __future__ import annotations

from itertools import product

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import ApiClient

SAMPLES = {"kind": "news", "suffix": "rss", "id": "a", "slug": "not-found", "category_filter": "giao-thong", "name": "script.js", "filename": "style.css", "path": "index.css"}  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")


def has_nosniff(response: TestResponse) -> bool:
    return response.headers.getlist("X-Content-Type-Options") == ["nosniff"]


def test_every_route_and_method_has_nosniff(
    app: Flask, editor: ApiClient
) -> None:
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
            assert has_nosniff(response), (method, path, response.status)
    assert statuses >= {200, 301, 400, 401, 404, 405, 422}


def test_cached_response_has_nosniff_once_and_304_has_none(
    client: FlaskClient,
) -> None:
    first, again = (client.get("/feeds/news.rss") for _ in range(2))
    assert has_nosniff(first)
    assert has_nosniff(again)
    unchanged = client.get(
        "/feeds/news.rss", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert unchanged.status_code == 304
    assert "X-Content-Type-Options" not in unchanged.headers
