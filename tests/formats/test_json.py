"""JSON Feed."""

import json

HIDDEN = {"content_text", "translation_key", "expires"}


def read_entries(document: bytes) -> tuple[int, list[str]]:
    items = json.loads(document)["items"]
    return len(items), [item.get("content_html", "") for item in items]
