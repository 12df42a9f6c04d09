"""The OpenAPI 3.1 document, its components, and the documentation page.

flask-smorest and apispec derive most of it from the schemas and the views' decorators.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Blueprint, Flask, Response
from flask_smorest import Api

from feedsvc import __version__
from feedsvc.api import fields as own
from feedsvc.api.blueprint import ApiBlueprint
from feedsvc.api.derived_schemas import (
    CategoriesSchema,
    DeletionBatchItemSchema,
    DeletionSchema,
    EntrySchemas,
    ProblemSchema,
    merge_patch_schema,
)
from feedsvc.api.open_responses import open_responses
from feedsvc.api.schemas import CategorySchema, PlaceSchema
from feedsvc.errors import NotFound
from feedsvc.feeds.response import CachedResponse
from feedsvc.formats.html import render_page
from feedsvc.http.problem_details import openapi_responses
from feedsvc.models import Site, utcnow
from feedsvc.services import Services
from feedsvc.web.responses import PAGE_MAX_AGE, conditional_response, static_response

Json = dict[str, Any]

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

CATEGORY_REQUEST = CategorySchema(partial=("slug",))
"""The schema of a category in a PUT, whose path has the slug."""

_DESCRIPTION = (
    "Write a portal's news and events in JSON; anyone reads them as feeds. Every error "
    "is a problem document (RFC 9457). Methods that are not listed are 405."
)
_SECURITY_DESCRIPTION = (
    "A token that the operator creates. It needs one of the scopes of the operation."
)

_HEADER_PARAMETERS: dict[str, Json] = {
    "If-Match": {
        "description": "The ETag of the version to change; 412 if it is another one.",
        "schema": {"type": "string", "examples": ['"1"']},
    },
    "If-None-Match": {
        "description": "`*`: only create. An ETag: only replace other versions.",
        "schema": {"type": "string"},
    },
}
_RESPONSE_HEADERS: dict[str, Json] = {
    "ETag": {"description": "The version.", "schema": {"type": "string"}},
    "Last-Modified": {
        "description": "The time of the last change.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "The URL of the created entry.",
        "schema": {"type": "string", "format": "uri"},
    },
    "WWW-Authenticate": {
        "description": "The authentication scheme (RFC 6750).",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 0},
    },
}

# Swagger UI loads its own files only; images in its style sheet are data: URLs.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_OWN_FILES = {"script.js": "text/javascript", "style.css": "text/css"}
_SWAGGER_UI_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}


class FeedsApi(Api):  # type: ignore[misc]
    """flask-smorest's Api with the project's error responses."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    """None: each operation lists its errors."""

    ERROR_SCHEMA = ProblemSchema


def _create_api(site: Site, schemas: Mapping[str, EntrySchemas]) -> Api:
    """Return an API without views, with all components that they refer to."""
    # flask-smorest needs an application, whose routes it describes. It is not the one
    # that serves, which takes no more routes and handlers after its first request.
    app = Flask(__name__, static_folder=None)
    app.config.update(
        API_TITLE="feedsvc", API_VERSION=__version__, OPENAPI_VERSION="3.1.0"
    )
    # Not the Host header's: the document must be the same for every client.
    server = {"url": site.public_url}
    api = FeedsApi(app, spec_kwargs={"servers": [server]})
    api.ma_plugin.converter.add_attribute_function(_url_or_object)
    _add_schemas(api, schemas)
    components = api.spec.components
    for name, parameter in _HEADER_PARAMETERS.items():
        components.parameter(name, "header", {"name": name, **parameter})
    for name, header in _RESPONSE_HEADERS.items():
        components.header(name, header)
    for status, response in openapi_responses().items():
        components.response(f"Error{status}", response)
    scheme = {"type": "http", "scheme": "bearer", "description": _SECURITY_DESCRIPTION}
    components.security_scheme("bearer", scheme)
    return api


def _add_schemas(api: Api, schemas: Mapping[str, EntrySchemas]) -> None:
    """Add the schemas of requests and responses, with rules between their members."""
    components = api.spec.components
    coordinates = {"latitude": ["longitude"], "longitude": ["latitude"]}
    # Before the entries, whose schemas would register it without the rule.
    components.schema("Place", {"dependentRequired": coordinates}, schema=PlaceSchema)
    for entry_schemas in schemas.values():
        name = entry_schemas.name
        rules = {
            name: {"examples": [EXAMPLES[name]], "not": _BOTH_CONTENTS},
            f"{name}BatchItem": {"not": _BOTH_CONTENTS},
        }
        for component, schema in entry_schemas.components().items():
            components.schema(component, rules.get(component), schema=schema)
    example = {"examples": [EXAMPLES["Category"]]}
    components.schema("Category", example, schema=CATEGORY_REQUEST)
    components.schema("StoredCategory", schema=CategorySchema)
    patch = merge_patch_schema(CATEGORY_REQUEST, "CategoryPatch")
    components.schema("CategoryPatch", schema=patch)
    components.schema("Categories", schema=CategoriesSchema)
    # They are named only in `oneOf`, which apispec does not follow.
    components.schema("DeletionBatchItem", schema=DeletionBatchItemSchema)
    components.schema("Deletion", schema=DeletionSchema)


_BOTH_CONTENTS: Json = {"required": ["content_html", "content_text"]}


def path_parameter(component: str, name: str) -> Json:
    """Return a parameter of a path with the schema of a component's member."""
    schema = {"$ref": f"#/components/schemas/{component}/properties/{name}"}
    return {"in": "path", "name": name, "required": True, "schema": schema}


def _url_or_object(converter: Any, field: Any, *, ret: Json, **kwargs: Any) -> Json:
    """Describe a field that may be a URL instead of an object, for apispec."""
    if not isinstance(field, own.NestedOrUrl):
        return {}
    return {"anyOf": [{"$ref": ret.pop("$ref")}, converter.field2property(own.url())]}


def openapi_document(
    site: Site, schemas: Mapping[str, EntrySchemas], blueprints: Sequence[ApiBlueprint]
) -> Json:
    """Return the OpenAPI document.

    :param schemas: of entries, by kind.
    :param blueprints: those with the operations, in the document's order.
    """
    api = _create_api(site, schemas)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    document: Json = api.spec.to_dict()
    document["info"]["description"] = _DESCRIPTION
    del document["components"]["schemas"]["PaginationMetadata"]  # flask-smorest's
    open_responses(document)
    for route, path in document["paths"].items():
        words = re.findall(r"\w+", route.removeprefix("/api/v1"))
        # Generators of clients name their functions by the operation's id.
        for method in path.keys() - {"parameters"}:
            path[method]["operationId"] = "-".join((method, *words))
    return document


def docs_blueprint(services: Services, blueprints: Sequence[ApiBlueprint]) -> Blueprint:
    """Return the views of the OpenAPI document and of Swagger UI.

    :param blueprints: those with the operations, in the document's order.

    flask-smorest's own views have neither validators nor compression, which every
    public URL has, and an inline script, which the content security policy forbids.
    """
    blueprint = Blueprint("api_docs", __name__)
    page = static_response(
        render_page("api_docs.html", services.site),
        "text/html",
        PAGE_MAX_AGE,
        ("Content-Security-Policy", _DOCS_POLICY),
    )

    @cache
    def openapi_response() -> CachedResponse:
        # Made for the first request: it takes longer than the rest of the application.
        document = openapi_document(services.site, services.entry_schemas, blueprints)
        pretty = json.dumps(document, ensure_ascii=False, indent=2)
        return static_response(pretty.encode(), "application/json", PAGE_MAX_AGE)

    @blueprint.get("/api/openapi.json")
    def openapi_json() -> Response:
        """Return the OpenAPI document."""
        return conditional_response(openapi_response(), utcnow())

    @blueprint.get("/api/docs")
    def docs() -> Response:
        """Return the documentation page."""
        return conditional_response(page, utcnow())

    @blueprint.get("/api/docs/<name>")
    def docs_file(name: str) -> Response:
        """Return a file of the documentation page."""
        return conditional_response(_docs_file(name), utcnow())

    return blueprint


# Read when they are asked for: 2 MB that most workers never need.
@cache
def _docs_file(name: str) -> CachedResponse:
    """Return a file of Swagger UI, or of ours beside it.

    :raises NotFound: there is none of this name.
    """
    if name in _SWAGGER_UI_FILES:
        body = files("flask_swagger_ui").joinpath("dist", name).read_bytes()
        return static_response(body, _SWAGGER_UI_FILES[name], PAGE_MAX_AGE)
    if name in _OWN_FILES:
        body = files(__package__).joinpath("static", name).read_bytes()
        return static_response(body, _OWN_FILES[name], PAGE_MAX_AGE)
    raise NotFound("There is no such file.")
