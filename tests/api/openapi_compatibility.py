"""Differences between two OpenAPI documents that break clients of the older one.

A request must accept all that it accepted before. A response must have all that it had,
of the same types; it may have new members, and new values of an enumeration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_LARGEST = ("maximum", "maxItems", "maxLength")
_SMALLEST = ("minimum", "minItems", "minLength")

# Of these, only equality can be judged. Rules between members are rare.
_RULES = ("dependentRequired", "format", "not", "pattern", "uniqueItems")


def incompatibilities(old: Json, new: Json) -> list[str]:
    """Return a sentence for each incompatible difference."""
    return list(_Comparison(old, new).paths())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def paths(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            if path not in self._new["paths"]:
                yield f"{path}: path removed"
                continue
            new_item = self._new["paths"][path]
            for method in item.keys() - {"parameters"}:
                where = f"{method.upper()} {path}"
                if method in new_item:
                    yield from self._operation(item, new_item, method, where)
                else:
                    yield f"{where}: operation removed"

    def _operation(
        self, old_item: Json, new_item: Json, method: str, where: str
    ) -> Iterator[str]:
        old = old_item[method]
        new = new_item[method]
        yield from self._parameters(
            _parameters(self._old, old_item, old),
            _parameters(self._new, new_item, new),
            where,
        )
        old_body = old.get("requestBody", {})
        new_body = new.get("requestBody", {})
        if new_body.get("required") and not old_body.get("required"):
            yield f"{where}: body now required"
        yield from self._content(old_body, new_body, f"{where} body", is_request=True)
        yield from self._responses(old["responses"], new["responses"], where)
        if not all(need in new.get("security", []) for need in old.get("security", [])):
            yield f"{where}: other scopes needed"

    def _parameters(
        self, old: Mapping[Any, Json], new: Mapping[Any, Json], where: str
    ) -> Iterator[str]:
        for key in old.keys() | new.keys():
            name = f"{where} parameter {key[1]}"
            if key not in new:
                yield f"{name}: removed"
                continue
            if new[key].get("required") and not old.get(key, {}).get("required"):
                yield f"{name}: now required"
            if key in old:
                schemas = old[key]["schema"], new[key]["schema"]
                yield from self._schema(*schemas, name, is_request=True)

    def _responses(self, old: Json, new: Json, where: str) -> Iterator[str]:
        # The errors of an operation may change; their document is one schema.
        for status in old:
            name = f"{where} {status}"
            if status in new:
                old_response = _resolve(self._old, old[status])
                new_response = _resolve(self._new, new[status])
                yield from self._content(
                    old_response, new_response, name, is_request=False
                )
                for header in old_response.get("headers", {}):
                    if header not in new_response.get("headers", {}):
                        yield f"{name} header {header}: removed"
            elif status.startswith("2"):
                yield f"{name}: response removed"

    def _content(
        self, old: Json, new: Json, where: str, *, is_request: bool
    ) -> Iterator[str]:
        for media_type, media in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield f"{where}: media type {media_type} removed"
            else:
                schemas = media["schema"], new["content"][media_type]["schema"]
                yield from self._schema(*schemas, where, is_request=is_request)

    def _schema(
        self, old: Json, new: Json, where: str, *, is_request: bool
    ) -> Iterator[str]:
        old = _resolve(self._old, old)
        new = _resolve(self._new, new)
        old_choices = _choices(old)
        new_choices = _choices(new)
        if len(old_choices) == len(new_choices) == 1:
            yield from self._plain_schema(old, new, where, is_request=is_request)
            return
        # What was sent must be accepted by one; what is received, known from one.
        pairs = (
            [[(each, other) for other in new_choices] for each in old_choices]
            if is_request
            else [[(other, each) for other in old_choices] for each in new_choices]
        )
        for candidates in pairs:
            found = [
                list(self._schema(*pair, where, is_request=is_request))
                for pair in candidates
            ]
            # The candidate that differs least is the one that was meant.
            yield from min(found, key=len)

    def _plain_schema(
        self, old: Json, new: Json, where: str, *, is_request: bool
    ) -> Iterator[str]:
        narrower, wider = (new, old) if is_request else (old, new)
        lost = _types(wider) - _types(narrower)
        if lost:
            verb = "no longer accepted" if is_request else "new"
            yield f"{where}: type {', '.join(sorted(lost))} {verb}"
        if is_request:
            yield from _narrowed(old, new, where)
        yield from self._members(old, new, where, is_request=is_request)
        if "items" in old and "items" in new:
            items = old["items"], new["items"]
            yield from self._schema(*items, f"{where}[]", is_request=is_request)

    def _members(
        self, old: Json, new: Json, where: str, *, is_request: bool
    ) -> Iterator[str]:
        old_required = set(old.get("required", ()))
        new_required = set(new.get("required", ()))
        if is_request:
            for name in new_required - old_required:
                yield f"{where}.{name}: member now required"
        else:
            for name in old_required - new_required:
                yield f"{where}.{name}: member no longer always present"
        new_members = new.get("properties", {})
        for name, member in old.get("properties", {}).items():
            if name in new_members:
                members = member, new_members[name]
                yield from self._schema(
                    *members, f"{where}.{name}", is_request=is_request
                )
            else:
                yield f"{where}.{name}: member removed"


def _narrowed(old: Json, new: Json, where: str) -> Iterator[str]:
    """Return what the schema of a request no longer accepts."""
    if "enum" in new:
        lost = [
            value for value in old.get("enum", ["others"]) if value not in new["enum"]
        ]
        if lost:
            yield f"{where}: values {lost} no longer accepted"
    for keyword in _LARGEST + _SMALLEST:
        bound = new.get(keyword)
        before = old.get(keyword)
        if bound is None or bound == before:
            continue
        if before is None or (bound < before) == (keyword in _LARGEST):
            yield f"{where}: {keyword} is {bound} now, was {before}"
    for keyword in _RULES:
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{where}: {keyword} changed"
    if new.get("additionalProperties") is False and (
        old.get("additionalProperties") is not False
    ):
        yield f"{where}: unknown members no longer accepted"


def _types(schema: Json) -> set[str]:
    """Return the types that a schema accepts."""
    given = schema.get("type")
    if given is None:
        return {"array", "boolean", "integer", "null", "number", "object", "string"}
    types = {given} if isinstance(given, str) else set(given)
    return types | {"integer"} if "number" in types else types


def _choices(schema: Json) -> list[Json]:
    return schema.get("anyOf") or schema.get("oneOf") or [schema]


def _parameters(
    document: Json, item: Json, operation: Json
) -> dict[tuple[str, str], Json]:
    """Return the parameters of an operation by place and name."""
    listed = [*item.get("parameters", []), *operation.get("parameters", [])]
    resolved = [_resolve(document, parameter) for parameter in listed]
    return {(each["in"], each["name"]): each for each in resolved}


def _resolve(document: Json, item: Json) -> Json:
    while "$ref" in item:
        target: Any = document
        for part in item["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        item = target
    return item
