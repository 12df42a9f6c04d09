"""`/api/v1/preview`: how an entry would stand in each format, stored nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from feedsvc.api.auth import Authenticator
from feedsvc.api.blueprint import BODY_ERRORS, ApiBlueprint
from feedsvc.api.openapi import EXAMPLES
from feedsvc.api.request_parsing import (
    load_validated,
    parse_json_body,
    reject_query_parameters,
)
from feedsvc.api.schemas import EntrySchema
from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.models import SCOPES, Clock, Entry
from feedsvc.query import KINDS
from feedsvc.storage import Storage

FormatPreviews = Callable[[Entry], Mapping[str, str]]
"""A feed of one entry in each format, by the format's name."""


def preview_blueprint(
    store: Storage,
    door: Authenticator,
    schemas: Mapping[str, EntrySchema],
    renderings: FormatPreviews,
    clock: Clock,
) -> ApiBlueprint:
    """The preview; any write scope will do."""
    api = ApiBlueprint("preview", door)

    scopes = [scope for scope in SCOPES if scope.endswith(":write")]
    example = {"kind": "news", **EXAMPLES["Article"]}
    body = {"application/json": ("AnyEntry", example)}

    @api.post("")
    @api.endpoint(200, schema="Preview", scopes=scopes, errors=BODY_ERRORS, body=body)
    def preview() -> ResponseReturnValue:
        """What the entry would be, in every format, with what an editor may want to mend."""
        reject_query_parameters()
        document = parse_json_body(request)
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind not in KINDS:
            raise ValidationFailed(
                FieldError("#/kind", f"Must be {' or '.join(KINDS)}.")
            )
        entry = load_validated(schemas[kind], document)
        with store.reader() as reader:
            entry = reader.entries.preview(entry, clock())
        formats, found = dict(renderings(entry)), warnings(document, entry)
        answer = {
            "entry": schemas[kind].dump(entry),
            "formats": formats,
            "warnings": found,
        }
        return answer, 200, {"Cache-Control": "no-store"}

    return api


def warnings(document: Mapping[str, Any], entry: Entry) -> list[dict[str, str]]:
    """What is allowed, but may not be meant: a pointer and a sentence each."""
    found = []
    if "content_html" in document and document["content_html"] != entry.content_html:
        found.append(
            (
                "#/content_html",
                "Sanitising has changed it; compare it with what is answered.",
            )
        )
    if not document.get("summary"):
        found.append(("#/summary", "Missing; it is made from the content."))
    if not (entry.content_html or entry.content_text):
        found.append(("#/content_html", "Missing; readers see the summary at most."))
    if entry.image and not (entry.image.width and entry.image.height):
        found.append(
            ("#/image", "Without width and height; pages shift while it loads.")
        )
    if entry.image and not entry.image.alt:
        found.append(
            ("#/image/alt", "Missing; who cannot see the picture learns nothing of it.")
        )
    return [{"pointer": pointer, "detail": detail} for pointer, detail in found]
