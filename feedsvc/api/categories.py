"""`/api/v1/categories`: what entries are filed under."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from feedsvc.api.auth import Authenticator, current_token
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.openapi import EXAMPLES
from feedsvc.api.request_parsing import (
    load_patched,
    parse_json_body,
    reject_query_parameters,
)
from feedsvc.api.schemas import CategorySchema
from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.models import Category, Clock, FeedVersion
from feedsvc.storage import Storage

PublicResponder = Callable[[Any, FeedVersion, datetime], Response]
"""Answers a public request with a document: what it rests on, and when that was looked at."""


def categories_blueprint(
    store: Storage, door: Authenticator, publish: PublicResponder, clock: Clock
) -> ApiBlueprint:
    """The categories under `/api/v1/categories`; anyone may read them."""
    api = ApiBlueprint("categories", door)
    schema = CategorySchema()
    scopes = ["categories:write"]
    stored: dict[str, Any] = {"schema": "StoredCategory", "scopes": scopes}
    changed = {"application/merge-patch+json": ("CategoryPatch", {"slug": "duong-sa"})}

    @api.get("", parameters=["If-None-Match"])
    @api.endpoint(200, 304, schema="Categories", returns=["ETag", "Last-Modified"])
    def all() -> Response:
        """Every category, by slug."""
        reject_query_parameters()
        looked = clock()
        with store.reader() as reader:
            found, stamp = (
                reader.categories.all(),
                reader.feed_version([("categories", None)]),
            )
        return publish({"categories": schema.dump(found, many=True)}, stamp, looked)

    @api.put("/<slug>")
    @api.endpoint(200, 201, **stored, errors=[*BODY_ERRORS, 409])
    @api.arguments(schema, example=EXAMPLES["Category"])
    def put(category: Category, slug: str) -> ResponseReturnValue:
        """Create or replace a category."""
        if category.slug != slug:
            raise ValidationFailed(
                FieldError("#/slug", "Another slug than in the path.")
            )
        with store.writer(current_token().name) as writer:
            new = writer.categories.put(category)
        return schema.dump(category), 201 if new else 200

    @api.patch("/<slug>")
    @api.endpoint(200, **stored, errors=[*BODY_ERRORS, 404, 409, 410], body=changed)
    def patch(slug: str) -> ResponseReturnValue:
        """Change members of a category by a JSON merge patch; another `slug` renames it."""
        reject_query_parameters()
        changes = parse_json_body(request)
        with store.writer(current_token().name) as writer:
            category: Category = load_patched(
                schema, schema.dump(writer.reader.categories.get(slug)), changes
            )
            if category.slug != slug:
                writer.categories.rename(slug, category.slug)
            writer.categories.put(category)
        return schema.dump(category), 200

    @api.delete("/<slug>")
    @api.endpoint(204, scopes=scopes, errors=[404, 410])
    def retire(slug: str) -> Response:
        """Retire a category: it leaves its entries, and its feeds are gone."""
        reject_query_parameters()
        with store.writer(current_token().name) as writer:
            writer.categories.retire(slug)
        return Response(status=204)

    return api
