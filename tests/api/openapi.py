"""The description of the API that `make golden` writes into `feedsvc/api/openapi.json`.

Operations come from `ROUTES`: names, summaries, scopes, parameters. Schemas come from
those of marshmallow: of `ArticleSchema`, `Article` describes answers, and `ArticleInput`
what may be sent. Bodies, answers and other schemas are written in the file itself, where
they stay: `make golden` completes a new operation.
"""

import re
from collections.abc import Iterator
from typing import Any

import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import class_registry

from feedsvc.api.routes import ROUTES, Route, is_write
from feedsvc.input import fields
from feedsvc.input.schemas import EntrySchema, ModelSchema
from tests.server import ROOT
from tests.settings import read_settings

Json = dict[str, Any]

FILE = ROOT / "feedsvc/api/openapi.json"

SCHEMAS = "#/components/schemas/"

ABSENT = {"$ref": f"{SCHEMAS}Absent"}

DEFAULTS: Json = {
    "responses": {
        "200": {"description": "OK"},
        "default": {"$ref": "#/components/responses/Problem"},
    }
}
"""Of an operation that the file does not have yet."""

DRY_RUN = {"$ref": "#/components/parameters/dry_run"}
"""The parameter of all writes."""


class Converter(OpenAPIConverter):
    """Describe the answers of the API.

    Objects are open, since later versions may have more members.
    """

    suffix = ""

    def __init__(self) -> None:
        super().__init__("3.1.0", lambda schema: None, APISpec("", "", "3.1.0"))

    def resolve_nested_schema(self, schema: Any) -> Json:
        name = type(schema).__name__.removesuffix("Schema")
        return {"$ref": f"{SCHEMAS}{name}{self.suffix}"}

    def field2property(self, field: ma.fields.Field[Any]) -> Json:
        document: Json = super().field2property(field)
        if "maxLength" in document and document["type"] == "object":
            document["maxProperties"] = document.pop("maxLength")
        is_text = document.get("type") == "string"
        if is_text and field.required and not document.keys() & {"pattern", "enum"}:
            document["minLength"] = 1
        return document

    def convert(self, schema: ma.Schema) -> Json:
        document: Json = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        document.pop("additionalProperties", None)
        return document


class InputConverter(Converter):
    """Describe what may be sent, which is more than what answers have."""

    suffix = "Input"

    def field2property(self, field: ma.fields.Field[Any]) -> Json:
        document = super().field2property(field)
        if isinstance(field, fields.TextsByLanguage):
            text = document["additionalProperties"]
            document["additionalProperties"] = {"anyOf": [text, ABSENT]}
        others = [*self.other_forms(field)]
        return {"anyOf": [document, *others]} if others else document

    def other_forms(self, field: Any) -> Iterator[Json]:
        """Return the schemas of what may stand for a value of a field."""
        if isinstance(field, fields.EntryId):
            yield {"type": "integer", "minimum": 0}
        elif isinstance(field, fields.NestedOrString):
            yield self.field2property(field.schema.fields[field.member])
        elif isinstance(field, fields.ShortList):
            if isinstance(field.inner, ma.fields.String):
                yield self.field2property(field.inner)
            yield from self.other_forms(field.inner)

    def convert(self, schema: ma.Schema) -> Json:
        document = super().convert(schema)
        if not isinstance(schema, ModelSchema):
            return document
        # The path has it.
        required = {*document.get("required", ())} - {"slug"}
        properties: Json = {}
        for name, member in document["properties"].items():
            # They are ignored.
            if member.get("readOnly"):
                continue
            forms = member.get("anyOf", [member])
            is_required = name in required
            optional = {"anyOf": [*forms, ABSENT]}
            properties[name] = member if is_required else optional
        document["properties"] = properties
        document["required"] = sorted(required)
        return document


def updated(document: Json) -> Json:
    """Return a description with what routes and schemas say."""
    paths: Json = {}
    for route in ROUTES:
        method, path = path_of(route)
        old = document["paths"].get(path, {}).get(method, DEFAULTS)
        item = paths.setdefault(path, {})
        item[method] = operation(route, old)
        if names := re.findall(r"{(\w+)}", path):
            item["parameters"] = [path_parameter(name) for name in names]
    components = document["components"]
    schemas: Json = {}
    names = [*components["schemas"], *referred(paths)]
    while names:
        name = names.pop(0)
        if name not in schemas:
            written = components["schemas"].get(name)
            schemas[name] = schema(name) or written
            assert schemas[name], f"{FILE}: write the schema {name}"
            names += referred(schemas[name])
    return {
        **document,
        "paths": paths,
        "components": {**components, "schemas": dict(sorted(schemas.items()))},
    }


def path_of(route: Route) -> tuple[str, str]:
    """Return method and path of a route as OpenAPI writes them."""
    method, path = route.call.split()
    return method.lower(), "/api/v1" + re.sub(r"<(\w+)>", r"{\1}", path)


def path_parameter(name: str) -> Json:
    schema = {"type": "string", "minLength": 1}
    return {"in": "path", "name": name, "required": True, "schema": schema}


def operation(route: Route, old: Json) -> Json:
    """Return the description of a route, with bodies and answers of the old one."""
    summary = (route.view.__doc__ or "").splitlines()[0]
    new: Json = {
        "operationId": route.name,
        "summary": summary,
        "tags": [route.call.split("/")[1]],
    }
    if route.scopes:
        # One of these alternatives is enough.
        new["security"] = [{"bearer": [scope]} for scope in route.scopes]
    if route.query:
        converter = Converter()
        new["parameters"] = converter.schema2parameters(route.query, location="query")
    if is_write(route):
        new["parameters"] = [DRY_RUN]
    kept = {name: old[name] for name in ("requestBody", "responses") if name in old}
    return new | kept


def referred(value: Any) -> Iterator[str]:
    """Return the names of the schemas to which a part of a description refers."""
    if isinstance(value, dict):
        reference = value.get("$ref", "")
        if reference.startswith(SCHEMAS):
            yield reference.removeprefix(SCHEMAS)
        value = [*value.values()]
    if isinstance(value, list):
        for each in value:
            yield from referred(each)


def schema(name: str) -> Json | None:
    """Return the description by a marshmallow schema, if there is one of this name."""
    # No answer has an item of a batch.
    is_input = name.endswith("Input") or name == "BatchItem"
    try:
        found: Any = class_registry.get_class(f"{name.removesuffix('Input')}Schema")
    except ma.exceptions.RegistryError:
        return None
    arguments = [read_settings({}).site] if issubclass(found, EntrySchema) else []
    converter = InputConverter() if is_input else Converter()
    return converter.convert(found(*arguments))
