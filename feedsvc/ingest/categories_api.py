"""`/api/v1/categories`: what entries are filed under."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint

from feedsvc.errors import Fault, Invalid
from feedsvc.ingest.requests import BodyParser, current_token, requires
from feedsvc.ingest.schemas import CategorySchema
from feedsvc.model import Category
from feedsvc.store import Store


def categories_blueprint(store: Store) -> Blueprint:
    """The categories under `/api/v1/categories`; anyone may read them."""
    blueprint = Blueprint("categories", __name__, url_prefix="/api/v1/categories")
    blueprint.ARGUMENTS_PARSER = BodyParser()
    schema = CategorySchema()

    @blueprint.get("")
    def all() -> ResponseReturnValue:
        """Every category, by slug."""
        with store.read() as reader:
            return {"categories": schema.dump(reader.categories(), many=True)}

    @blueprint.put("/<slug>")
    @requires(store.tokens, "categories:write")
    @blueprint.arguments(schema)
    def put(category: Category, slug: str) -> ResponseReturnValue:
        """Create or replace a category."""
        if category.slug != slug:
            raise Invalid(Fault("#/slug", "Another slug than in the path."))
        with store.write(current_token().name) as writer:
            new = writer.put_category(category)
        return schema.dump(category), 201 if new else 200

    return blueprint
