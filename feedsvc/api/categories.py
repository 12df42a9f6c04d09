"""The views of `/api/v1/categories`."""

from typing import Any

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from feedsvc.api.auth import write_as_token
from feedsvc.api.request_parsing import MAX_ATTEMPTS, load_body, parse_patch
from feedsvc.concurrency import limit_work
from feedsvc.errors import CategoryRenamed, Unavailable
from feedsvc.feeds.cached_response import PAGE_MAX_AGE, CachedResponse
from feedsvc.input.loading import load_patched
from feedsvc.input.schemas import CategorySchema
from feedsvc.models import KINDS, Category
from feedsvc.services import current_services
from feedsvc.storage.categories import (
    Categories,
    delete_category,
    put_category,
    rename_category,
)
from feedsvc.storage.changes import read_validity
from feedsvc.web.responses import conditional_response, redirect

_schema = CategorySchema()


def list_() -> Response:
    """List all categories, by slug."""
    services = current_services()
    with limit_work(), services.database.read() as session:
        revision = read_validity(session, *KINDS).revision
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
    return conditional_response(response)


def get(slug: str) -> ResponseReturnValue:
    """Get a category; the former slug of a renamed one redirects."""
    try:
        with current_services().database.read() as session:
            return _document(session, slug)
    except CategoryRenamed as error:
        return redirect(f"/api/v1/categories/{error.current_slug}")


def put(slug: str) -> ResponseReturnValue:
    """Create or replace a category; with `If-None-Match: *` only create."""
    category = load_body(_schema, slug=slug)
    create = request.if_none_match.star_tag
    with write_as_token() as transaction:
        is_new = put_category(transaction, category, create=create)
        document = _document(transaction.session, slug)
    return document, 201 if is_new else 200


def patch(slug: str) -> ResponseReturnValue:
    """Change a category by a JSON merge patch; another `slug` renames it."""
    changes = parse_patch()
    for _ in range(MAX_ATTEMPTS):
        with current_services().database.read() as session:
            stored = _document(session, slug)
        # Validation may take long, so it comes before the lock.
        category: Category = load_patched(_schema, stored, changes)
        with write_as_token() as transaction:
            if _document(transaction.session, slug) != stored:
                continue
            # First the rename, so that the other changes apply to the new slug.
            if category.slug != slug:
                rename_category(transaction, slug, category.slug)
            put_category(transaction, category)
            return _document(transaction.session, category.slug)
    raise Unavailable("Others change the category at the same time.")


def delete(slug: str) -> ResponseReturnValue:
    """Delete a category: entries lose it, and its feeds are 410."""
    with write_as_token() as transaction:
        delete_category(transaction, slug)
    return Response(status=204, mimetype="application/json")


def _document(session: Session, slug: str) -> dict[str, Any]:
    """Return a category as the API shows it.

    :raises CategoryRenamed: the slug is the former one of another category.
    """
    category = Categories(session).get(slug).category
    document: dict[str, Any] = _schema.dump(category)
    return document
