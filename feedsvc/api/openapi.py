"""The description of the API (OpenAPI 3.1): what its schemas cannot say, and the document that results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask_smorest import Api
from marshmallow import Schema

from feedsvc.api import fields as own
from feedsvc.api.openapi_schemas import SCHEMA_NAMES, Json, derived_schemas

EXAMPLES: dict[str, Json] = {
    "Article": {
        "id": "cau-moi",
        "title": "Thông xe cầu mới qua sông Hồng",
        "content_html": "<p>Cầu mở cho người đi bộ từ sáng nay.</p>",
        "authors": [{"name": "Nguyễn Thị Lan", "email": "lan@portal.example"}],
        "image": {
            "url": "https://portal.example/cau.jpg",
            "alt": "Cây cầu",
            "width": 1200,
            "height": 800,
        },
    },
    "Event": {
        "id": "hoi-sach",
        "title": "Hội sách",
        "start": "2026-12-24T19:00:00+07:00",
        "end": "2026-12-24T21:00:00+07:00",
        "location": {"name": "Phố sách", "latitude": 21.024, "longitude": 105.845},
    },
    "Category": {"title": "Giao thông", "description": "Đường, cầu và xe buýt"},
}


_HEADERS: tuple[tuple[str, str, Json], ...] = (
    (
        "If-Match",
        "The ETag of the version that is meant; another is 412.",
        {"examples": ['"1"']},
    ),
    (
        "If-None-Match",
        "With `*` nothing that is there is changed; with an ETag, not that version.",
        {},
    ),
    (
        "Idempotency-Key",
        "Any text of your making: sent again within 24 hours, the request is answered as the first was.",
        {"pattern": '^(?:[ !#-~]{1,255}|"[ !#-~]{1,255}")$', "examples": ["7f0b1c2e"]},
    ),
)
_RESPONSE_HEADERS: tuple[tuple[str, str, Json], ...] = (
    ("ETag", "The version, for If-Match and If-None-Match.", {"type": "string"}),
    (
        "Last-Modified",
        "When it last changed, for If-Modified-Since.",
        {"type": "string"},
    ),
    ("Location", "The URL of what was created.", {"type": "string", "format": "uri"}),
    ("WWW-Authenticate", "The scheme that is meant (RFC 6750).", {"type": "string"}),
    ("Retry-After", "Seconds to wait.", {"type": "integer", "minimum": 0}),
)
_API_DESCRIPTION = (
    "A portal's news and events: written here in JSON, read by anyone as feeds. Every error is a problem "
    "document (RFC 9457); a method that is not listed is 405."
)
_AUTH_DESCRIPTION = "A token made by an operator. It needs any one of the scopes that an operation lists."


def register_components(
    api: Api,
    schemas: Mapping[str, Schema],
    category: Schema,
    errors: Mapping[int, Json],
) -> None:
    """Name what the operations refer to; to be done before they are registered.

    :param schemas: of entries, by kind.
    :param errors: the response with each status of an error.
    """
    api.DEFAULT_ERROR_RESPONSE_NAME = None  # every error has its own status
    parts = api.spec.components
    api.ma_plugin.converter.add_attribute_function(_url_or_object)
    for name, schema in (
        {SCHEMA_NAMES[kind]: schemas[kind] for kind in schemas} | {"Category": category}
    ).items():
        parts.schema(name, schema=schema)
        _add_cross_field_rules(parts.schemas[name], EXAMPLES[name])
    parts.schemas["Place"]["dependentRequired"] = {
        "latitude": ["longitude"],
        "longitude": ["latitude"],
    }
    for name, shape in derived_schemas(parts.schemas).items():
        parts.schema(name, shape)
    for name, meaning, form in _HEADERS:
        header = {
            "name": name,
            "description": meaning,
            "schema": {"type": "string", **form},
        }
        parts.parameter(name, "header", header)
    for name, meaning, form in _RESPONSE_HEADERS:
        parts.header(name, {"description": meaning, "schema": form})
    parts.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "description": _AUTH_DESCRIPTION}
    )
    for status, response in errors.items():
        parts.response(f"Error{status}", response)


def openapi_document(api: Api) -> Json:
    """The whole document, once every operation is registered."""
    document: Json = api.spec.to_dict()
    document["info"]["description"] = _API_DESCRIPTION
    for unused in (
        "Error",
        "PaginationMetadata",
    ):  # flask-smorest's, which nothing here answers with
        del document["components"]["schemas"][unused]
    for route, path in document["paths"].items():
        for method in path.keys() - {"parameters"}:
            path[method]["responses"] = dict(sorted(path[method]["responses"].items()))
            path[method]["operationId"] = "-".join(
                (method, *re.findall(r"\w+", route)[2:])
            )
        for parameter in path.get("parameters", ()):
            if parameter.get("in") == "path":
                owner = "Category" if parameter["name"] == "slug" else "Article"
                parameter["schema"] = {
                    "$ref": f"#/components/schemas/{owner}/properties/{parameter['name']}"
                }
    return document


def _url_or_object(converter: Any, field: Any, *, ret: Json, **kwargs: Any) -> Json:
    """What may stand for an object with a `url`."""
    if isinstance(field, own.NestedOrUrl):
        return {
            "anyOf": [{"$ref": ret.pop("$ref")}, converter.field2property(own.url())]
        }
    return {}


def _add_cross_field_rules(schema: Json, example: Json) -> None:
    """Add to a schema what concerns more than one of its fields."""
    properties = schema["properties"]
    schema["examples"] = [example]
    if "categories" in properties:
        properties["categories"]["uniqueItems"] = True
        schema["not"] = {"required": ["content_html", "content_text"]}
    else:
        schema["required"].remove("slug")  # The path has it.
