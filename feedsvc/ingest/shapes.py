"""The schemas of what is made of entries and categories: answers, lines of a batch, patches, problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from feedsvc.query import KINDS

Json = dict[str, Any]

NAMES = dict(zip(KINDS, ("Article", "Event"), strict=True))
"""The component that describes an entry of each kind."""

_ALWAYS = "kind id guid url title summary language authors categories attachments date_modified \
status version".split()


def ref(name: str) -> Json:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def shapes(known: Mapping[str, Json]) -> dict[str, Json]:
    """The schemas of what is made of entries and categories, and of patches of them."""
    found: dict[str, Json] = {}

    def like(name: str, required: Iterable[str], **members: Json) -> Json:
        """An object with the members of a schema and some more, or some that are told anew."""
        same = {member: ref(f"{name}/properties/{member}") for member in known[name]["properties"]}
        never = {key: known[name][key] for key in ("not",) if key in known[name]}
        return {**_object({**same, **members}, required), **never}

    for kind, name in NAMES.items():
        needed, is_kind = known[name]["required"], {"const": kind}
        stored: Json = {"kind": is_kind, "content_html": {"type": "string"}, "image": ref("Image")}
        always = [*_ALWAYS, *needed, *(("timezone", "all_day", "event_status") if kind == "events" else ())]
        always = list(dict.fromkeys(always))
        found[f"Stored{name}"] = like(name, always, **stored)
        found[f"{name}Page"] = _object(
            {"items": _array(ref(f"Stored{name}")), "next_cursor": {"type": ["string", "null"]}}
        )
        found[f"{name}Change"] = like(
            name, ["seq", "action", *always], seq=_SEQ, action={"const": "put"}, **stored
        )
        found[f"Any{name}"] = like(name, ["kind", *needed], kind=is_kind)
        found[f"{name}Line"] = like(
            name, ["action", "kind", "id", *needed], action={"const": "put"}, kind=is_kind
        )
    for name in (*NAMES.values(), "Category"):
        fixed = {"id", "slug", *known[name]["required"]}
        members = {
            member: _patch(form, ref(f"{name}/properties/{member}"), member not in fixed)
            for member, form in known[name]["properties"].items()
        }
        said = f"A JSON merge patch (RFC 7396); what it results in is held to {name}."
        found[f"{name}Patch"] = {**_object(members, ()), "description": said}
    gone: Json = {"action": {"const": "delete"}, "kind": {"enum": list(KINDS)}, "id": {"type": "string"}}
    found["DeletionLine"] = {"type": "object", "properties": gone, "required": list(gone)}
    found["Deletion"] = _object({"seq": _SEQ, **gone, "guid": {"type": "string"}})
    found["Line"] = {"oneOf": [ref("ArticleLine"), ref("EventLine"), ref("DeletionLine")]}
    found["Batch"] = _array(ref("Line"))
    found["Changes"] = _object(
        {
            "changes": _array({"oneOf": [ref("ArticleChange"), ref("EventChange"), ref("Deletion")]}),
            "next": {**_SEQ, "description": "To be the next call's `after`."},
        }
    )
    found["StoredCategory"] = like("Category", ["slug", "title"])
    found["Categories"] = _object({"categories": _array(ref("StoredCategory"))})
    found["Fault"] = _object({"pointer": {"type": "string", "pattern": "^#"}, "detail": {"type": "string"}})
    status = {"type": "integer", "minimum": 200, "maximum": 599}
    found["Result"] = _object(
        {
            "index": {"type": "integer", "minimum": 0},
            "id": {"type": ["string", "null"]},
            "status": status,
            "errors": _array(ref("Fault")),
        },
        ["index", "id", "status"],
    )
    found["Results"] = _object({"results": _array(ref("Result"))})
    found["AnyEntry"] = {"oneOf": [ref("AnyArticle"), ref("AnyEvent")]}
    found["Preview"] = _object(
        {
            "entry": {"oneOf": [ref("StoredArticle"), ref("StoredEvent")]},
            "formats": {"type": "object", "additionalProperties": {"type": "string"}},
            "warnings": _array(ref("Fault")),
        }
    )
    text = {"type": "string"}
    found["Problem"] = _object(
        {"type": {**text, "format": "uri"}, "title": text, "status": status, "detail": text}
        | {"errors": _array(ref("Fault"))},
        ["type", "title", "status", "detail"],
    )
    return found


_SEQ: Json = {"type": "integer", "minimum": 0}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _object(properties: Json, required: Iterable[str] | None = None) -> Json:
    """A closed object, whose members are all required unless it is said which."""
    names = list(properties if required is None else required)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _patch(form: Json, whole: Json, optional: bool) -> Json:
    """What a patch may have for a member: null takes it away, and of an object some members are enough."""
    if "$ref" in form:
        return {"type": ["object", "null"]}
    if "anyOf" in form:
        return {"type": ["object", "string", "null"]}
    return {"anyOf": [whole, {"type": "null"}]} if optional else whole
