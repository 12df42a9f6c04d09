"""The views of `/api/v1/categories`."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request
from flask.views import MethodView
from marshmallow import fields

from feedsvc.api.auth import write_as_token
from feedsvc.api.blueprint import PROBLEM, ApiBlueprint
from feedsvc.api.request_parsing import MAX_ATTEMPTS, load_patched, parse_patch
from feedsvc.api.schemas import CategorySchema, ClosedSchema
from feedsvc.errors import (
    CategoryRenamed,
    FieldError,
    Unavailable,
    ValidationFailed,
)
from feedsvc.feeds.response import CachedResponse
from feedsvc.models import KINDS, Category
from feedsvc.services import Services
from feedsvc.storage.categories import (
    Categories,
    delete_category,
    put_category,
    rename_category,
)
from feedsvc.storage.database import Database, read_revisions
from feedsvc.web.responses import PAGE_MAX_AGE, conditional_response, redirect

_SCOPE = "categories:write"
_EXAMPLE = {"title": "Giao thông", "description": "Đường, cầu và xe buýt"}


class CategoriesSchema(ClosedSchema):
    """All categories."""

    categories = fields.List(fields.Nested(CategorySchema), required=True)


def categories_blueprint(services: Services) -> ApiBlueprint:
    """Return the views of categories, which anyone may read."""
    blueprint = ApiBlueprint("categories")
    database = services.database
    schema = CategorySchema()

    @blueprint.route("")
    class AllCategories(MethodView):
        @blueprint.response(200, CategoriesSchema)
        @blueprint.alt_response(304)
        def get(self) -> Response:
            """List all categories, by slug."""
            with database.read() as session:
                revision = read_revisions(session).of(KINDS)
                categories = Categories(session).all()
            document = {"categories": schema.dump(categories, many=True)}
            body = current_app.json.dumps(document).encode()
            response = CachedResponse(
                body, "application/json", revision, due_at=None, max_age=PAGE_MAX_AGE
            )
            return conditional_response(response, services.clock())

    @blueprint.route("/<slug>")
    class CategoryBySlug(MethodView):
        @blueprint.response(200, schema)
        @blueprint.alt_response(301)
        def get(self, slug: str) -> Any:
            """Get a category; the former slug of a renamed one redirects."""
            try:
                with database.read() as session:
                    return Categories(session).get(slug).category
            except CategoryRenamed as error:
                path = f"/api/v1/categories/{error.current_slug}"
                return redirect(services.site, path)

        @blueprint.authorize(_SCOPE)
        @blueprint.arguments(schema, example=_EXAMPLE)
        @blueprint.response(200, schema)
        @blueprint.alt_response(201, schema=schema)
        @blueprint.alt_response(412, response=PROBLEM)
        def put(self, category: Category, slug: str) -> tuple[Category, int]:
            """Create or replace a category; with `If-None-Match: *` only create."""
            if category.slug != slug:
                raise ValidationFailed(
                    FieldError("#/slug", "Must be the slug in the path.")
                )
            create = request.if_none_match.star_tag
            with write_as_token(database) as transaction:
                is_new = put_category(transaction, category, create=create)
                stored = Categories(transaction.session).get(slug).category
            return stored, 201 if is_new else 200

        @blueprint.authorize(_SCOPE)
        @blueprint.merge_patch({"slug": "duong-sa"})
        @blueprint.response(200, schema)
        def patch(self, slug: str) -> Category:
            """Change a category by a JSON merge patch; another `slug` renames it."""
            return _patch_category(database, schema, slug, parse_patch())

        @blueprint.authorize(_SCOPE)
        @blueprint.response(204)
        def delete(self, slug: str) -> None:
            """Delete a category: entries lose it, and its feeds are 410."""
            with write_as_token(database) as transaction:
                delete_category(transaction, slug)

    return blueprint


def _patch_category(
    database: Database, schema: CategorySchema, slug: str, patch: dict[str, Any]
) -> Category:
    """Store a category with a merge patch applied, and return it.

    :raises Unavailable: others have changed it each time before it could be stored.
    """
    for _ in range(MAX_ATTEMPTS):
        with database.read() as session:
            stored = Categories(session).get(slug).category
        # Validation may take long, so it comes before the lock.
        category: Category = load_patched(schema, schema.dump(stored), patch)
        with write_as_token(database) as transaction:
            if Categories(transaction.session).get(slug).category != stored:
                continue
            # First the rename, so that the other changes apply to the new slug.
            if category.slug != slug:
                rename_category(transaction, slug, category.slug)
            put_category(transaction, category)
            return Categories(transaction.session).get(category.slug).category
    raise Unavailable("Others change the category at the same time.")
