"""The views of `/api/v1/categories`."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app

from feedsvc.api.auth import Authenticator, current_token
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.derived_schemas import CategoriesSchema
from feedsvc.api.openapi import CATEGORY_REQUEST, EXAMPLES, path_parameter
from feedsvc.api.request_parsing import (
    load_patched,
    parse_json_body,
    reject_query_parameters,
)
from feedsvc.api.schemas import CategorySchema
from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.feeds.response_cache import ResponseCache
from feedsvc.http.conditional import CachedResponse, conditional_response
from feedsvc.models import Category, Clock
from feedsvc.storage import Storage

_SCOPE = "categories:write"
_PATH_PARAMETERS = [path_parameter("Category", "slug")]


def categories_blueprint(
    storage: Storage,
    authenticator: Authenticator,
    cache: ResponseCache,
    clock: Clock,
    max_age: int,
) -> ApiBlueprint:
    """Return the views of categories, whose list is public.

    :param max_age: seconds that caches may keep the list.
    """
    api = ApiBlueprint("categories", authenticator)
    schema = CategorySchema()

    @api.get("", parameters=["If-None-Match"])
    @api.errors()
    @api.response(
        200,
        CategoriesSchema,
        description="Success.",
        headers={"ETag": "ETag", "Last-Modified": "Last-Modified"},
    )
    @api.alt_response(304, description="Not modified.", headers={"ETag": "ETag"})
    def list_categories() -> Response:
        """List all categories, by slug."""
        reject_query_parameters()
        # Before the snapshot is taken: a later time would vouch for changes that the
        # snapshot may not have.
        checked_at = clock()
        with storage.reader() as reader:
            categories = reader.categories.all()
            version = reader.feed_version([("categories", None)])
        document = {"categories": schema.dump(categories, many=True)}
        body = current_app.json.dumps(document).encode()
        response = CachedResponse(
            body, "application/json", version, checked_at, max_age
        )
        return conditional_response(response, cache.current_check(response))

    @api.put("/<slug>", parameters=_PATH_PARAMETERS)
    @api.authorize(_SCOPE)
    @api.errors(*BODY_ERRORS, 409)
    @api.arguments(CATEGORY_REQUEST, example=EXAMPLES["Category"])
    @api.response(200, schema, description="Success.")
    @api.alt_response(201, schema=schema, description="Created.")
    def put(category: Category, slug: str) -> Any:
        """Create or replace a category."""
        if category.slug != slug:
            raise ValidationFailed(
                FieldError("#/slug", "Must be the slug in the path.")
            )
        with storage.writer(current_token().name) as writer:
            is_new = writer.categories.put(category)
        return category, 201 if is_new else 200

    @api.patch("/<slug>", parameters=_PATH_PARAMETERS)
    @api.authorize(_SCOPE)
    @api.errors(*BODY_ERRORS, 404, 409, 410)
    @api.merge_patch("CategoryPatch", {"slug": "duong-sa"})
    @api.response(200, schema, description="Success.")
    def patch(slug: str) -> Any:
        """Change a category by a JSON merge patch; another `slug` renames it."""
        reject_query_parameters()
        document = parse_json_body()
        with storage.writer(current_token().name) as writer:
            # Validating a category is quick enough for the write transaction, so there
            # can be no concurrent update as with entries.
            stored = schema.dump(writer.reader.categories.get(slug))
            category: Category = load_patched(schema, stored, document)
            # First the rename, after which the other changes apply to the new slug.
            if category.slug != slug:
                writer.categories.rename(slug, category.slug)
            writer.categories.put(category)
        return category

    @api.delete("/<slug>", parameters=_PATH_PARAMETERS)
    @api.authorize(_SCOPE)
    @api.errors(404, 410)
    @api.response(204, description="Deleted.")
    def retire(slug: str) -> Response:
        """Retire a category: entries lose it, and its feeds are 410."""
        reject_query_parameters()
        with storage.writer(current_token().name) as writer:
            writer.categories.retire(slug)
        return Response(status=204)

    return api
