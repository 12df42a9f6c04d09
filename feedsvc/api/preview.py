"""The view of `/api/v1/preview`: an entry in each format, without storing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedsvc.api.auth import Authenticator
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.derived_schemas import EntrySchemas, PreviewSchema, one_of
from feedsvc.api.openapi import EXAMPLES
from feedsvc.api.request_parsing import (
    load_validated,
    parse_json_body,
    reject_query_parameters,
)
from feedsvc.api.warnings import entry_warnings
from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.feed_query import KINDS
from feedsvc.formats import render_all_formats
from feedsvc.models import SCOPES, Clock, Entry
from feedsvc.storage import Storage

_BODY = {
    "application/json": {
        "schema": one_of("ArticlePreview", "EventPreview"),
        "example": {"kind": "news", **EXAMPLES["Article"]},
    }
}


def preview_blueprint(
    storage: Storage,
    authenticator: Authenticator,
    schemas: Mapping[str, EntrySchemas],
    clock: Clock,
) -> ApiBlueprint:
    """Return the view of previews.

    :param schemas: of entries, by kind.
    """
    api = ApiBlueprint("preview", authenticator)

    @api.post("")
    # Any scope to write is enough: nothing is stored.
    @api.authorize(*(scope for scope in SCOPES if scope.endswith(":write")))
    @api.errors(*BODY_ERRORS)
    @api.json_body(_BODY)
    @api.response(200, PreviewSchema, description="Success.")
    def preview() -> Any:
        """Show an entry in each format, with warnings, without storing it."""
        reject_query_parameters()
        document = parse_json_body()
        # Before validation, since the kind chooses the schema.
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind not in KINDS:
            raise ValidationFailed(
                FieldError("#/kind", f"Must be {' or '.join(KINDS)}.")
            )
        entry: Entry = load_validated(schemas[kind].request, document)
        # For the titles of categories, and what a stored version would keep.
        with storage.reader() as reader:
            entry = reader.entries.preview(entry, clock())
        result = {
            "entry": schemas[kind].response.dump(entry),
            "formats": dict(render_all_formats(entry, schemas[kind].request.site)),
            "warnings": entry_warnings(document, entry),
        }
        return result, 200, {"Cache-Control": "no-store"}

    return api
