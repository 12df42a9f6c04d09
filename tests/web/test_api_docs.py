"""The page of the API's description, and both of its URLs as public answers."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

PATHS = {
    "/api/openapi.json": "application/json",
    "/api/docs": "text/html",
    "/static/api_docs.css": "text/css",
}


@pytest.mark.parametrize("path", PATHS)
def test_they_are_public_answers(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.mimetype == PATHS[path]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (
        client.head(path).headers["Content-Length"] == answer.headers["Content-Length"]
    )
    for header, validator in (
        ("If-None-Match", "ETag"),
        ("If-Modified-Since", "Last-Modified"),
    ):
        assert (
            client.get(path, headers={header: answer.headers[validator]}).status_code
            == 304
        )
    assert client.post(path).status_code == 405
    assert client.get(path, headers={"Host": "evil.example"}).data == answer.data


def test_the_page_has_no_script_and_asks_no_other_host(client: FlaskClient) -> None:
    answer = client.get("/api/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|<iframe|<img|<style|\sstyle=|\son\w+=", answer.text)
    for tag in re.findall(r"<link[^>]*>", answer.text):
        assert re.search('href="[^"/:]*[^":]*"', tag), tag
        assert "://" not in tag


def test_the_page_has_every_operation_schema_and_error(client: FlaskClient) -> None:
    page, document = (
        client.get("/api/docs").text,
        client.get("/api/openapi.json").get_json(),
    )
    names = [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    anchors = re.findall(r'id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(names) < set(anchors)
    assert {f"schema-{name}" for name in document["components"]["schemas"]} < set(
        anchors
    )
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors), (
        "every link within leads somewhere"
    )
    assert page.count("curl -X") == len(names)
    assert "Undefined" not in page
