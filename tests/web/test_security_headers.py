"""Every response has nosniff."""

from __future__ import annotations

from itertools import product

from flask import Flask
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
