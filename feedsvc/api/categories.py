"""The views of `/api/v1/categories`."""

from typing import Any

import marshmallow as ma
from flask import Response, current_app, request
from flask.views import MethodView

from feedsvc.api.auth import write_as_token
from feedsvc.api.blueprint import PROBLEM, ApiBlueprint
from feedsvc.api.request_parsing import MAX_ATTEMPTS, parse_patch
from feedsvc.errors import CategoryRenamed, Unavailable
from feedsvc.feeds.response import CachedResponse
from feedsvc.input.loading import load_patched
from feedsvc.input.schemas import CategorySchema, ClosedSchema
from feedsvc.models import KINDS, Category
from feedsvc.services import current_services
from feedsvc.storage.categories import (
    Categories,
    delete_category,
    put_category,
    rename_category,
)
from feedsvc.storage.database import read_revisions
from feedsvc.web.responses import PAGE_MAX_AGE, conditional_response, redirect

_SCOPE = "categories:write"
_EXAMPLE = {"title": "Giao thông", "description": "Đường, cầu và xe buýt"}


class CategoriesSchema(ClosedSchema):
    """All categories."""

    categories = ma.fields.List(
        ma.fields.Nested(CategorySchema), required=True
    )


blueprint = ApiBlueprint("categories")
_schema = CategorySchema()


@blueprint.route("")
class AllCategories(MethodView):
    """All categories."""

    @blueprint.response(200, CategoriesSchema)
    @blueprint.alt_response(304)
    def get(self) -> Response:
        """List all categories, by slug."""
        services = current_services()
        with services.database.read() as session:
            revision = read_revisions(session).of(KINDS)
            categories = Categories(session).all()
        document = {"categories": _schema.dump(categories, many=True)}
        body = current_app.json.dumps(document).encode()
        response = CachedResponse(
            body,
            "application/json",
            revision,
            due_at=None,
            max_age=PAGE_MAX_AGE,
        )
        return conditional_response(response, services.clock())


@blueprint.route("/<slug>")
class CategoryBySlug(MethodView):
    """One category."""

    @blueprint.response(200, _schema)
    @blueprint.alt_response(301)
    def get(self, slug: str) -> Any:
        """Get a category; the former slug of a renamed one redirects."""
        services = current_services()
        try:
            with services.database.read() as session:
                return Categories(session).get(slug).category
        except CategoryRenamed as error:
            path = f"/api/v1/categories/{error.current_slug}"
            return redirect(services.site, path)

    @blueprint.requires_scope(_SCOPE)
    @blueprint.arguments(_schema, example=_EXAMPLE)
    @blueprint.response(200, _schema)
    @blueprint.alt_response(201, schema=_schema)
    @blueprint.alt_response(412, response=PROBLEM)
    def put(self, category: Category, slug: str) -> tuple[Category, int]:
        """Create or replace a category; with `If-None-Match: *` only create."""
        create = request.if_none_match.star_tag
        with write_as_token() as transaction:
            is_new = put_category(transaction, category, create=create)
            stored = Categories(transaction.session).get(slug).category
        return stored, 201 if is_new else 200

    @blueprint.requires_scope(_SCOPE)
    @blueprint.merge_patch({"slug": "duong-sa"})
    @blueprint.response(200, _schema)
    def patch(self, slug: str) -> Category:
        """Change a category by a JSON merge patch; another `slug` renames it."""
        patch = parse_patch()
        for _ in range(MAX_ATTEMPTS):
            with current_services().database.read() as session:
                stored = Categories(session).get(slug).category
            # Validation may take long, so it comes before the lock.
            category: Category = load_patched(
                _schema, _schema.dump(stored), patch
            )
            with write_as_token() as transaction:
                if (
                    Categories(transaction.session).get(slug).category
                    != stored
                ):
                    continue
                # First the rename, so that the other changes apply to the new slug.
                if category.slug != slug:
                    rename_category(transaction, slug, category.slug)
                put_category(transaction, category)
                return (
                    Categories(transaction.session).get(category.slug).category
                )
        raise Unavailable("Others change the category at the same time.")

    @blueprint.requires_scope(_SCOPE)
    @blueprint.response(204)
    def delete(self, slug: str) -> None:
        """Delete a category: entries lose it, and its feeds are 410."""
        with write_as_token() as transaction:
            delete_category(transaction, slug)
