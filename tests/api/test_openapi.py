"""The description of the API: valid, whole, and true of the service."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from feedsvc import __version__
from feedsvc.api import batch
from feedsvc.models import SCOPES
from feedsvc.storage.database import Database
from feedsvc.storage.tokens import create_token
from tests.api.openapi import FILE, updated
from tests.conftest import ApiClient
from tests.formats.golden import assert_file

Json = dict[str, Any]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def document(client: FlaskClient) -> Json:
    document: Json = client.get("/api/openapi.json").get_json()
    return document


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method.lower() in item:
                yield method, path, item[method.lower()]


def problems_of(document: Json, schema: Json, value: object) -> list[str]:
    """Return the errors of a value by a schema of the document."""
    validator = Draft202012Validator(
        {**schema, "components": document["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    return [error.message for error in validator.iter_errors(value)]


@pytest.mark.golden
def test_file_is_what_routes_and_schemas_say() -> None:
    document = updated(json.loads(FILE.read_text("utf-8")))
    text = json.dumps(document, ensure_ascii=False, indent=1)
    assert_file(FILE, text + "\n")


def test_event_loop_knows_the_path_of_batches(app: Flask) -> None:
    assert batch.PATH in {str(rule) for rule in app.url_map.iter_rules()}


def test_document_is_valid_openapi(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["servers"] == [{"url": "https://feeds.example"}]
    assert document["info"]["version"] == __version__
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
        # Later versions may add members.
        assert schema.get("additionalProperties", True) is True


def test_unlisted_methods_are_405(client: FlaskClient, document: Json) -> None:
    listed = {(method, path) for method, path, _ in operations(document)}
    for path in document["paths"]:
        for method in METHODS:
            if (method, path) in listed:
                continue
            answer = client.open(re.sub(r"{\w+}", "nix", path), method=method)
            assert answer.status_code == 405, (method, path)
            allowed = {*answer.headers["Allow"].split(", ")}
            for other in METHODS:
                assert (other in allowed) == ((other, path) in listed)


def test_request_examples_are_accepted(editor: ApiClient, document: Json) -> None:
    """In the order of the document they make and change the same entries."""
    for method, path, operation in operations(document):
        url = re.sub(r"{\w+}", f"a-{path.split('/')[3]}", path)
        bodies = operation.get("requestBody", {"content": {}})["content"]
        for media_type, media in bodies.items():
            body = media["example"]
            if not isinstance(body, str):
                body = json.dumps(body)
            answer = editor.send(
                method,
                url.removeprefix("/api/v1"),
                data=body,
                content_type=media_type,
            )
            assert answer.status_code in (200, 201), (path, answer.text)
            described = operation["responses"][str(answer.status_code)]
            schema = described["content"]["application/json"]["schema"]
            assert problems_of(document, schema, answer.get_json()) == []


def test_documented_scopes_are_the_required_ones(
    client: FlaskClient, database: Database, document: Json
) -> None:
    """A token with one scope is accepted exactly where the description says so."""
    tokens = {scope: create_token(database, scope, [scope]) for scope in SCOPES}
    for method, path, operation in operations(document):
        url = re.sub(r"{\w+}", "nix", path)
        security = operation.get("security", ())
        named = {scope for each in security for scope in each["bearer"]}
        if not named:
            assert client.open(url, method=method).status_code in (200, 404)
            continue
        # The headers of a body are checked before the token.
        assert client.open(url, method=method, json={}).status_code == 401
        for scope, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.open(url, method=method, json={}, headers=headers)
            is_allowed = answer.status_code != 403
            assert is_allowed == (scope in named), (method, path, scope)


def test_documentation_page_loads_only_the_services_files(
    client: FlaskClient,
) -> None:
    redirect = client.get("/api/docs", headers={"Host": "evil.example"})
    assert redirect.location == "https://feeds.example/api/docs/"
    page = client.get("/api/docs/")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    urls = re.findall('(?:href|src)="([^"]*)"', page.text)
    assert len(urls) >= 4
    for url in urls:
        assert "://" not in url
        with client.get(url) as response:
            assert response.status_code == 200, url
