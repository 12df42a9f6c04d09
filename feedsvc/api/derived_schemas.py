"""Schemas derived from those of entries, and of the API's other objects."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any, cast

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Equal, OneOf, Range

from feedsvc.api import fields as own
from feedsvc.api.schemas import (
    CategorySchema,
    ClosedSchema,
    EntrySchema,
    EventSchema,
    FieldErrorSchema,
    ImageSchema,
)
from feedsvc.models import KINDS, Site

Members = dict[str, fields.Field[Any]]

_ALWAYS_PRESENT = frozenset(
    "kind id guid url title summary language authors categories attachments status "
    "date_modified version timezone all_day event_status".split()
)
"""Members that a response has although a request need not."""


@dataclass(frozen=True)
class EntrySchemas:
    """The schemas of one kind of entry.

    `name` is that of the OpenAPI component, and starts the names of derived ones.
    """

    name: str
    request: EntrySchema
    response: EntrySchema
    page: ma.Schema

    @property
    def kind(self) -> str:
        """Return the kind, `news` or `events`."""
        return self.request.kind_name

    @classmethod
    def create(cls, name: str, request: EntrySchema) -> EntrySchemas:
        """Return the schemas of a kind, by the schema of its requests."""
        # Stored HTML may be longer than posted HTML, and an image is always an object.
        members: Members = {
            "content_html": fields.String(),
            "image": fields.Nested(ImageSchema),
        }
        response = _derive(request, f"Stored{name}", members, _ALWAYS_PRESENT)
        page: Members = {
            "items": fields.List(
                fields.Nested(response),
                required=True,
                metadata={"description": "Without `content_html` and `content_text`."},
            ),
            # Null on the last page, so that no client asks for an empty one.
            "next_page": fields.Integer(required=True, allow_none=True),
        }
        page_schema = ClosedSchema.from_dict(page, name=f"{name}Page")()
        return cls(name, request, response, page_schema)

    def components(self) -> dict[str, ma.Schema]:
        """Return the schemas for the OpenAPI document, by component."""
        name = self.name
        put = _constant("put")
        change: Members = {"seq": _sequence_number(), "action": put}
        item: Members = {"action": put, "kind": _constant(self.kind)}
        return {
            name: self.request,
            f"Stored{name}": self.response,
            f"{name}Page": self.page,
            f"{name}Patch": merge_patch_schema(self.request, f"{name}Patch"),
            f"{name}Change": _derive(
                self.response, f"{name}Change", change, _ALWAYS_PRESENT
            ),
            f"{name}BatchItem": _derive(self.request, f"{name}BatchItem", item, ["id"]),
        }


def create_entry_schemas(site: Site) -> dict[str, EntrySchemas]:
    """Return the schemas of all kinds, by kind."""
    return {
        "news": EntrySchemas.create("Article", EntrySchema(site)),
        "events": EntrySchemas.create("Event", EventSchema(site)),
    }


def _derive(
    schema: EntrySchema,
    name: str,
    members: Members,
    required: Iterable[str] = (),
) -> EntrySchema:
    """Return a schema with other members and more required ones."""
    derived_class = cast(type[EntrySchema], type(schema).from_dict(members, name=name))
    derived = derived_class(schema.site)
    for member in required:
        # Only events have some of them.
        if member in derived.fields:
            derived.fields[member].required = True
    return derived


def merge_patch_schema(schema: ma.Schema, name: str) -> ma.Schema:
    """Return the schema of a merge patch (RFC 7396): nothing is required, null removes.

    It is for the OpenAPI document. The views apply a patch to the stored document, and
    validate the result.
    """
    members = {name: _patch_field(field) for name, field in schema.fields.items()}
    return ClosedSchema.from_dict(members, name=name)()


def _patch_field(field: fields.Field[Any]) -> fields.Field[Any]:
    if isinstance(field, own.NestedOrUrl):
        return fields.Raw(metadata={"type": ["object", "string", "null"]})
    if isinstance(field, fields.Nested):
        # A patch of an object need not have the object's required members.
        return fields.Dict(allow_none=True)
    # The field belongs to the schema of requests, which must not change.
    patch_field = copy(field)
    # null removes a member; nothing can be without these.
    patch_field.allow_none = not field.required and field.name not in ("id", "slug")
    patch_field.required = False
    return patch_field


def _constant(value: str) -> fields.String:
    return fields.String(required=True, validate=Equal(value))


def _sequence_number() -> fields.Integer:
    return fields.Integer(required=True, validate=Range(min=0))


def one_of(*components: str) -> dict[str, Any]:
    """Return OpenAPI's schema of one of several components."""
    return {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in components]}


class DeletionBatchItemSchema(ClosedSchema):
    """An item of a batch that deletes an entry."""

    action = _constant("delete")
    kind = fields.String(required=True, validate=OneOf(KINDS))
    id = own.identifier(required=True)


class DeletionSchema(DeletionBatchItemSchema):
    """A deletion in the list of changes."""

    seq = _sequence_number()
    guid = fields.String(required=True)


class ChangesSchema(ClosedSchema):
    """A page of changes."""

    changes = fields.List(
        fields.Raw(metadata=one_of("ArticleChange", "EventChange", "Deletion")),
        required=True,
    )
    next = fields.Integer(
        required=True,
        validate=Range(min=0),
        metadata={"description": "The value of `after` for the next page."},
    )


class CategoriesSchema(ClosedSchema):
    """All categories."""

    categories = fields.List(fields.Nested(CategorySchema), required=True)


class ProblemSchema(ClosedSchema):
    """A problem document (RFC 9457)."""

    title = fields.String(required=True)
    status = fields.Integer(required=True, validate=Range(400, 599))
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))


class BatchResultSchema(ClosedSchema):
    """The result of one item of a batch."""

    index = _sequence_number()
    id = fields.String(required=True, allow_none=True)
    status = fields.Integer(required=True, validate=Range(200, 599))
    errors = fields.List(fields.Nested(FieldErrorSchema))


class BatchResultsSchema(ClosedSchema):
    """The results of a batch."""

    results = fields.List(fields.Nested(BatchResultSchema), required=True)
