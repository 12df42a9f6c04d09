"""The OpenAPI document and the documentation page, as public URLs."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

MEDIA_TYPES = {
    "/api/openapi.json": "application/json",
    "/api/docs": "text/html",
    "/api/docs/script.js": "text/javascript",
    "/api/docs/style.css": "text/css",
    "/api/docs/swagger-ui.css": "text/css",
}


@pytest.mark.parametrize("path", MEDIA_TYPES)
def test_url_is_public_and_cacheable(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.mimetype == MEDIA_TYPES[path]
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    head = client.head(path)
    assert head.headers["Content-Length"] == response.headers["Content-Length"]
    for header, validator in (
        ("If-None-Match", "ETag"),
        ("If-Modified-Since", "Last-Modified"),
    ):
        headers = {header: response.headers[validator]}
        assert client.get(path, headers=headers).status_code == 304
    assert client.post(path).status_code == 405
    forged = client.get(path, headers={"Host": "evil.example"})
    assert forged.data == response.data


def test_page_loads_only_its_own_files(client: FlaskClient) -> None:
    response = client.get("/api/docs")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", response.text)
    urls = re.findall('(?:href|src)="([^"]*)"', response.text)
    assert len(urls) >= 5
    for url in urls:
        assert "://" not in url
        assert not url.startswith("/"), "relative, for a service below a path"
        assert client.get(urljoin("/api/docs", url)).status_code == 200, url


def test_unknown_file_of_the_page_is_404(client: FlaskClient) -> None:
    assert client.get("/api/docs/nix.js").status_code == 404
    assert client.get("/api/docs/..%2f__init__.py").status_code == 404
