"""The views of `/api/v1/categories`."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app

from feedsvc.api.auth import current_token
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.derived_schemas import CategoriesSchema
from feedsvc.api.openapi import CATEGORY_REQUEST, EXAMPLES, path_parameter
from feedsvc.api.request_parsing import (
    load_patched,
    parse_json_body,
    reject_query_parameters,
)
from feedsvc.api.schemas import CategorySchema
from feedsvc.errors import CategoryRenamed, FieldError, ValidationFailed
from feedsvc.feeds.response import CachedResponse
from feedsvc.models import KINDS, Category
from feedsvc.services import Services
from feedsvc.storage.categories import (
    Categories,
    delete_category,
    put_category,
    rename_category,
)
from feedsvc.storage.database import read_revisions
from feedsvc.web.responses import PAGE_MAX_AGE, conditional_response, redirect

_SCOPE = "categories:write"
_PATH_PARAMETERS = [path_parameter("Category", "slug")]


def categories_blueprint(services: Services) -> ApiBlueprint:
    """Return the views of categories, which anyone may read."""
    api = ApiBlueprint("categories", services.authenticator)
    database = services.database
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
        with database.read() as session:
            revision = read_revisions(session).of(KINDS)
            categories = Categories(session).all()
        document = {"categories": schema.dump(categories, many=True)}
        body = current_app.json.dumps(document).encode()
        response = CachedResponse(
            body, "application/json", revision, due_at=None, max_age=PAGE_MAX_AGE
        )
        return conditional_response(response, services.clock())

    @api.get("/<slug>", parameters=_PATH_PARAMETERS)
    @api.errors(404, 410)
    @api.response(200, schema, description="Success.")
    @api.alt_response(301, description="The category has another slug now.")
    def get(slug: str) -> Any:
        """Get a category."""
        reject_query_parameters()
        try:
            with database.read() as session:
                return Categories(session).get(slug).category
        except CategoryRenamed as error:
            path = f"/api/v1/categories/{error.current_slug}"
            return redirect(services.site, path)

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
        with database.write(current_token().name) as transaction:
            is_new = put_category(transaction, category)
        return category, 201 if is_new else 200

    @api.patch("/<slug>", parameters=_PATH_PARAMETERS)
    @api.authorize(_SCOPE)
    @api.errors(*BODY_ERRORS, 404, 409, 410)
    @api.merge_patch("CategoryPatch", {"slug": "duong-sa"})
    @api.response(200, schema, description="Success.")
    def patch(slug: str) -> Category:
        """Change a category by a JSON merge patch; another `slug` renames it."""
        reject_query_parameters()
        document = parse_json_body()
        with database.write(current_token().name) as transaction:
            # Validating a category is quick enough for the write transaction.
            stored = schema.dump(Categories(transaction.session).get(slug).category)
            category: Category = load_patched(schema, stored, document)
            # First the rename, after which the other changes apply to the new slug.
            if category.slug != slug:
                rename_category(transaction, slug, category.slug)
            put_category(transaction, category)
        return category

    @api.delete("/<slug>", parameters=_PATH_PARAMETERS)
    @api.authorize(_SCOPE)
    @api.errors(404, 410)
    @api.response(204, description="Deleted.")
    def delete(slug: str) -> Response:
        """Delete a category: entries lose it, and its feeds are 410."""
        reject_query_parameters()
        with database.write(current_token().name) as transaction:
            delete_category(transaction, slug)
        return Response(status=204)

    return api
