"""`/api/v1/categories`: what entries are filed under."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from feedsvc.errors import Fault, Invalid
from feedsvc.ingest.description import EXAMPLES
from feedsvc.ingest.door import Door, current_token
from feedsvc.ingest.operations import WRITTEN, Operations
from feedsvc.ingest.requests import patched, read_document, refuse_query
from feedsvc.ingest.schemas import CategorySchema
from feedsvc.model import Category, Clock
from feedsvc.stamps import Stamp
from feedsvc.store import Store

Publish = Callable[[Any, Stamp, datetime], Response]
"""Answers a public request with a document: what it rests on, and when that was looked at."""


def categories_blueprint(store: Store, door: Door, publish: Publish, clock: Clock) -> Operations:
    """The categories under `/api/v1/categories`; anyone may read them."""
    api = Operations("categories", door)
    schema = CategorySchema()
    scopes = ["categories:write"]
    stored: dict[str, Any] = {"schema": "StoredCategory", "scopes": scopes}
    changed = {"application/merge-patch+json": ("CategoryPatch", {"slug": "duong-sa"})}

    @api.get("", parameters=["If-None-Match"])
    @api.operation(200, 304, schema="Categories", returns=["ETag", "Last-Modified"])
    def all() -> Response:
        """Every category, by slug."""
        refuse_query()
        looked = clock()
        with store.read() as reader:
            found, stamp = reader.categories(), reader.stamp([("categories", None)])
        return publish({"categories": schema.dump(found, many=True)}, stamp, looked)

    @api.put("/<slug>")
    @api.operation(200, 201, **stored, errors=[*WRITTEN, 409])
    @api.arguments(schema, example=EXAMPLES["Category"])
    def put(category: Category, slug: str) -> ResponseReturnValue:
        """Create or replace a category."""
        if category.slug != slug:
            raise Invalid(Fault("#/slug", "Another slug than in the path."))
        with store.write(current_token().name) as writer:
            new = writer.put_category(category)
        return schema.dump(category), 201 if new else 200

    @api.patch("/<slug>")
    @api.operation(200, **stored, errors=[*WRITTEN, 404, 409, 410], body=changed)
    def patch(slug: str) -> ResponseReturnValue:
        """Change members of a category by a JSON merge patch; another `slug` renames it."""
        refuse_query()
        changes = read_document(request)
        with store.write(current_token().name) as writer:
            category: Category = patched(schema, schema.dump(writer.category(slug)), changes)
            if category.slug != slug:
                writer.rename_category(slug, category.slug)
            writer.put_category(category)
        return schema.dump(category), 200

    @api.delete("/<slug>")
    @api.operation(204, scopes=scopes, errors=[404, 410])
    def retire(slug: str) -> Response:
        """Retire a category: it leaves its entries, and its feeds are gone."""
        refuse_query()
        with store.write(current_token().name) as writer:
            writer.retire_category(slug)
        return Response(status=204)

    return api
