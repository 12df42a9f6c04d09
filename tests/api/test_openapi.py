"""The description of the API: valid, whole, and true of the service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from config import Config
from feedsvc.app import create_app
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.database import Database
from feedsvc.storage.tokens import create_token
from tests.conftest import ApiClient
from tests.fake_clock import Clock

Json = dict[str, Any]

UNREFERENCED = ("Error405", "Error500")
"""Errors that no operation lists, since any may have them."""


@pytest.fixture
def document(client: FlaskClient) -> Json:
    document: Json = client.get("/api/openapi.json").get_json()
    return document


def closed(document: Json) -> Json:
    """Return a document whose responses may have no other members than it lists."""
    copy = deepcopy(document)
    for schema in copy["components"]["schemas"].values():
        schema["additionalProperties"] = False
    return copy


def schemas_of(document: Json, item: Any) -> Iterator[Json]:
    """Yield an item's schemas with members, and those that it refers to."""
    seen = set()
    pending = [item]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "properties" in item:
                yield item
            pending += item.values()
        elif isinstance(item, list):
            pending += item
        elif (
            isinstance(item, str)
            and item.startswith("#/components/")
            and item not in seen
        ):
            seen.add(item)
            _, _, kind, name, *_ = item.split("/")
            pending.append(document["components"][kind][name])


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield method.upper(), path, item[method]


def problems_of(document: Json, schema: Json, value: object) -> list[str]:
    """Return the errors of a value by a schema of the document."""
    whole = {**schema, "components": document["components"]}
    checker = Draft202012Validator.FORMAT_CHECKER
    return [
        error.message
        for error in Draft202012Validator(whole, format_checker=checker).iter_errors(
            value
        )
    ]


def test_document_is_valid_openapi(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["servers"] == [{"url": "https://feeds.example"}]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_document_has_exactly_the_routes(app: Flask, document: Json) -> None:
    routes = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in operations(document)} == routes
    names = [operation["operationId"] for *_, operation in operations(document)]
    assert len(names) == len(set(names))


def test_responses_may_have_unknown_members(document: Json) -> None:
    for method, path, operation in operations(document):
        for schema in schemas_of(document, operation["responses"]):
            assert schema.get("additionalProperties", True) is True, (method, path)


def test_requests_may_not_have_unknown_members(document: Json) -> None:
    for method, path, operation in operations(document):
        body = operation.get("requestBody")
        for schema in schemas_of(document, body):
            # Members that are ignored, whatever they are.
            is_read_only = schema == document["components"]["schemas"]["FieldError"]
            assert is_read_only or schema["additionalProperties"] is False, (
                method,
                path,
            )


def test_every_component_is_referenced(document: Json) -> None:
    text = str(document)
    for kind, components in document["components"].items():
        for name in components:
            if kind != "securitySchemes" and name not in UNREFERENCED:
                assert f"#/components/{kind}/{name}" in text, name


def test_unlisted_methods_are_405(client: FlaskClient, document: Json) -> None:
    for path, item in document["paths"].items():
        listed = {method.upper() for method in item.keys() - {"parameters"}}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - listed:
            answer = client.open(re.sub(r"{\w+}", "nix", path), method=method)
            assert answer.status_code == 405, (method, path)
            assert (
                set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == listed
            )


def test_document_does_not_depend_on_request_or_time(
    config: Config, client: FlaskClient, clock: Clock
) -> None:
    text = client.get("/api/openapi.json").data
    assert (
        client.get("/api/openapi.json", headers={"Host": "evil.example"}).data == text
    )
    clock.forward(seconds=1000)
    again = create_app(config, clock)
    assert again.test_client().get("/api/openapi.json").data == text
    get_services(again).database.close()


def test_examples_are_valid_by_their_schemas(document: Json) -> None:
    seen = 0

    def walk(item: Any) -> None:
        nonlocal seen
        if isinstance(item, list):
            for inner in item:
                walk(inner)
        if not isinstance(item, dict):
            return
        pairs = (
            [(item["schema"], item["example"])]
            if "schema" in item and "example" in item
            else []
        )
        pairs += (
            [
                (item["schema"], example["value"])
                for example in item.get("examples", {}).values()
            ]
            if "schema" in item
            else []
        )
        if "schema" not in item and isinstance(item.get("examples"), list):
            pairs += [
                ({key: item[key] for key in item if key != "examples"}, example)
                for example in item["examples"]
            ]
        for schema, value in pairs:
            assert problems_of(document, schema, value) == []
            seen += 1
        for inner in item.values():
            walk(inner)

    walk(document)
    assert seen > 30


def test_request_examples_are_accepted(editor: ApiClient, document: Json) -> None:
    """In the order of the document they make, change and delete the same entries."""
    for path, item in document["paths"].items():
        for method in ("post", "put", "patch"):
            for media_type, media in (
                item.get(method, {}).get("requestBody", {}).get("content", {}).items()
            ):
                url = path.removeprefix("/api/v1").replace("{slug}", "xe-buyt")
                url = url.replace(
                    "{id}", "cau-moi" if "articles" in url else "hoi-sach"
                )
                headers = {"Content-Type": media_type}
                answer = editor.send(
                    method.upper(), url, media["example"], headers=headers
                )
                assert answer.status_code in (200, 201), (path, answer.text)
                schema = item[method]["responses"][str(answer.status_code)]["content"][
                    "application/json"
                ]["schema"]
                assert problems_of(closed(document), schema, answer.get_json()) == []


def test_documented_scopes_are_the_required_ones(
    client: FlaskClient, database: Database, document: Json
) -> None:
    """A token with one scope is accepted exactly where the description says so."""
    tokens = {scope: create_token(database, scope, [scope]) for scope in SCOPES}
    for method, path, operation in operations(document):
        url = re.sub(r"{\w+}", "nix", path)
        named = {
            scope for each in operation.get("security", ()) for scope in each["bearer"]
        }
        if not named:
            assert client.open(url, method=method).status_code in (200, 404)
            continue
        # The headers of a body are checked before the token.
        assert client.open(url, method=method, json={}).status_code == 401
        for scope, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.open(url, method=method, json={}, headers=headers)
            assert (answer.status_code != 403) == (scope in named), (
                method,
                path,
                scope,
            )


def test_patches_may_remove_all_but_required_members_and_ids(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name, fixed in {
        "ArticlePatch": {"id", "title"},
        "EventPatch": {"id", "title", "start"},
        "CategoryPatch": {"slug", "title"},
    }.items():
        properties = schemas[name]["properties"]
        refuse_null = {
            member
            for member, schema in properties.items()
            if not Draft202012Validator(schema).is_valid(None)
        }
        assert refuse_null == fixed, name
