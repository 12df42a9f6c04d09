"""Allow unknown members in the responses of an OpenAPI document.

A client that validates responses must not refuse those of a later version, which may
have more members. The schemas are made from those of requests, which refuse unknown
members, and nothing in marshmallow tells apispec that only the responses are open.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/"


def open_responses(document: Json) -> None:
    """Open the objects of all responses.

    A schema that requests have too stays closed for them; the responses then have a
    copy, such as `StoredPerson` of `Person`.
    """
    schemas = document["components"]["schemas"]
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        # Beside the methods, a path may have the parameters of all of them.
        if method != "parameters"
    ]
    responses = [
        document["components"]["responses"],
        *(operation["responses"] for operation in operations),
    ]
    bodies = [operation.get("requestBody") for operation in operations]
    requested = _schema_names(schemas, bodies, follows_read_only=False)
    names = {
        name: f"Stored{name}" if name in requested else name
        for name in _schema_names(schemas, responses, follows_read_only=True)
    }
    references = {_SCHEMAS + name: _SCHEMAS + names[name] for name in names}
    # Sorted: a set has another order in each process, and the document must not.
    for name in sorted(names):
        schemas[names[name]] = _opened(schemas[name], references)
    for response in responses:
        response.update(_opened(response, references))


def _schema_names(
    schemas: Json, roots: Iterable[Any], *, follows_read_only: bool
) -> set[str]:
    """Return the names of the schemas to which parts of a document refer.

    :param follows_read_only: false for requests, where such members are ignored.
    """
    names: set[str] = set()
    pending = list(roots)
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item
        if not isinstance(item, dict) or (
            item.get("readOnly") and not follows_read_only
        ):
            continue
        pending += item.values()
        reference = item.get("$ref", "")
        name = reference.removeprefix(_SCHEMAS)
        # Once each: schemas may refer to each other in a circle.
        if name != reference and name not in names:
            names.add(name)
            pending.append(schemas[name])
    return names


def _opened(item: Any, references: dict[str, str]) -> Any:
    """Return a copy of a part of a document, open and with other references."""
    if isinstance(item, list):
        return [_opened(each, references) for each in item]
    if not isinstance(item, dict):
        return item
    opened = {name: _opened(value, references) for name, value in item.items()}
    if opened.get("additionalProperties") is False:
        del opened["additionalProperties"]
    if "$ref" in opened:
        opened["$ref"] = references.get(opened["$ref"], opened["$ref"])
    return opened
