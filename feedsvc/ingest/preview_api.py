"""`/api/v1/preview`: how an entry would stand in each format, stored nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from feedsvc.errors import Fault, Invalid
from feedsvc.ingest.description import EXAMPLES
from feedsvc.ingest.door import Door
from feedsvc.ingest.operations import WRITTEN, Operations
from feedsvc.ingest.requests import loaded, read_document, refuse_query
from feedsvc.ingest.schemas import EntrySchema
from feedsvc.model import SCOPES, Clock, Entry
from feedsvc.query import KINDS
from feedsvc.store import Store

Renderings = Callable[[Entry], Mapping[str, str]]
"""A feed of one entry in each format, by the format's name."""


def preview_blueprint(
    store: Store, door: Door, schemas: Mapping[str, EntrySchema], renderings: Renderings, clock: Clock
) -> Operations:
    """The preview; any write scope will do."""
    api = Operations("preview", door)

    scopes = [scope for scope in SCOPES if scope.endswith(":write")]
    example = {"kind": "news", **EXAMPLES["Article"]}
    body = {"application/json": ("AnyEntry", example)}

    @api.post("")
    @api.operation(200, schema="Preview", scopes=scopes, errors=WRITTEN, body=body)
    def preview() -> ResponseReturnValue:
        """What the entry would be, in every format, with what an editor may want to mend."""
        refuse_query()
        document = read_document(request)
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind not in KINDS:
            raise Invalid(Fault("#/kind", f"Must be {' or '.join(KINDS)}."))
        entry = loaded(schemas[kind], document)
        with store.read() as reader:
            entry = reader.completed(entry, clock())
        formats, found = dict(renderings(entry)), warnings(document, entry)
        answer = {"entry": schemas[kind].dump(entry), "formats": formats, "warnings": found}
        return answer, 200, {"Cache-Control": "no-store"}

    return api


def warnings(document: Mapping[str, Any], entry: Entry) -> list[dict[str, str]]:
    """What is allowed, but may not be meant: a pointer and a sentence each."""
    found = []
    if "content_html" in document and document["content_html"] != entry.content_html:
        found.append(("#/content_html", "Sanitising has changed it; compare it with what is answered."))
    if not document.get("summary"):
        found.append(("#/summary", "Missing; it is made from the content."))
    if not (entry.content_html or entry.content_text):
        found.append(("#/content_html", "Missing; readers see the summary at most."))
    if entry.image and not (entry.image.width and entry.image.height):
        found.append(("#/image", "Without width and height; pages shift while it loads."))
    if entry.image and not entry.image.alt:
        found.append(("#/image/alt", "Missing; who cannot see the picture learns nothing of it."))
    return [{"pointer": pointer, "detail": detail} for pointer, detail in found]
