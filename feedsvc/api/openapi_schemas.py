"""The schemas of what is made of entries and categories: answers, lines of a batch, patches, problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from feedsvc.query import KINDS

Json = dict[str, Any]

SCHEMA_NAMES = dict(zip(KINDS, ("Article", "Event"), strict=True))
"""The component that describes an entry of each kind."""

_REQUIRED_IN_RESPONSES = (
    "kind id guid url title summary language authors categories attachments date_modified \
status version".split()
)


def ref(name: str) -> Json:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def derived_schemas(known: Mapping[str, Json]) -> dict[str, Json]:
    """The schemas of what is made of entries and categories, and of patches of them."""
    found: dict[str, Json] = {}

    def like(name: str, required: Iterable[str], **members: Json) -> Json:
        """An object with the members of a schema and some more, or some that are told anew."""
        same = {
            member: ref(f"{name}/properties/{member}")
            for member in known[name]["properties"]
        }
        never = {key: known[name][key] for key in ("not",) if key in known[name]}
        return {**_object({**same, **members}, required), **never}

    for kind, name in SCHEMA_NAMES.items():
        needed, is_kind = known[name]["required"], {"const": kind}
        stored: Json = {"kind": is_kind, "content_html": _TEXT, "image": ref("Image")}
        own = ["timezone", "all_day", "event_status"] if kind == "events" else []
        always = list(dict.fromkeys([*_REQUIRED_IN_RESPONSES, *needed, *own]))
        page = {
            "items": _array(ref(f"Stored{name}")),
            "next_cursor": {"type": ["string", "null"]},
        }
        found[f"Stored{name}"] = like(name, always, **stored)
        found[f"{name}Page"] = _object(page)
        found[f"{name}Change"] = like(
            name, ["seq", "action", *always], seq=_SEQ, action=_PUT, **stored
        )
        found[f"Any{name}"] = like(name, ["kind", *needed], kind=is_kind)
        found[f"{name}Line"] = like(
            name, ["action", "kind", "id", *needed], action=_PUT, kind=is_kind
        )
    for name in (*SCHEMA_NAMES.values(), "Category"):
        fixed = {"id", "slug", *known[name]["required"]}
        members = {
            member: _merge_patch_schema(
                form, ref(f"{name}/properties/{member}"), member not in fixed
            )
            for member, form in known[name]["properties"].items()
        }
        said = f"A JSON merge patch (RFC 7396); what it results in is held to {name}."
        found[f"{name}Patch"] = {**_object(members, ()), "description": said}
    gone: Json = {
        "action": {"const": "delete"},
        "kind": {"enum": list(KINDS)},
        "id": _TEXT,
    }
    found["DeletionLine"] = {
        "type": "object",
        "properties": gone,
        "required": list(gone),
    }
    found["Deletion"] = _object({"seq": _SEQ, **gone, "guid": _TEXT})
    found["Line"] = _one_of("ArticleLine", "EventLine", "DeletionLine")
    found["Batch"] = _array(ref("Line"))
    following = {**_SEQ, "description": "To be the next call's `after`."}
    changes = _array(_one_of("ArticleChange", "EventChange", "Deletion"))
    found["Changes"] = _object({"changes": changes, "next": following})
    found["StoredCategory"] = like("Category", ["slug", "title"])
    found["Categories"] = _object({"categories": _array(ref("StoredCategory"))})
    found["Fault"] = _object({"pointer": {**_TEXT, "pattern": "^#"}, "detail": _TEXT})
    status = {"type": "integer", "minimum": 200, "maximum": 599}
    errors = _array(ref("Fault"))
    line = {"index": _SEQ, "id": {"type": ["string", "null"]}, "status": status}
    found["Result"] = _object({**line, "errors": errors}, line)
    stopped = _object({"index": _SEQ, "detail": _TEXT})
    found["Results"] = _object(
        {"results": _array(ref("Result")), "stopped": stopped}, ["results"]
    )
    found["AnyEntry"] = _one_of("AnyArticle", "AnyEvent")
    formats = {"type": "object", "additionalProperties": _TEXT}
    entry = _one_of("StoredArticle", "StoredEvent")
    found["Preview"] = _object({"entry": entry, "formats": formats, "warnings": errors})
    problem = {
        "type": {**_TEXT, "format": "uri"},
        "title": _TEXT,
        "status": status,
        "detail": _TEXT,
    }
    found["Problem"] = _object({**problem, "errors": errors}, problem)
    return found


_TEXT: Json = {"type": "string"}
_PUT: Json = {"const": "put"}
_SEQ: Json = {"type": "integer", "minimum": 0}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _one_of(*names: str) -> Json:
    return {"oneOf": [ref(name) for name in names]}


def _object(properties: Json, required: Iterable[str] | None = None) -> Json:
    """A closed object, whose members are all required unless it is said which."""
    names = list(properties if required is None else required)
    return {
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": False,
    }


def _merge_patch_schema(form: Json, whole: Json, optional: bool) -> Json:
    """What a patch may have for a member: null takes it away, and of an object some members are enough."""
    if "$ref" in form:
        return {"type": ["object", "null"]}
    if "anyOf" in form:
        return {"type": ["object", "string", "null"]}
    return {"anyOf": [whole, {"type": "null"}]} if optional else whole
