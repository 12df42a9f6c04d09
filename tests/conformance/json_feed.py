"""JSON Feed 1.1: a schema, and what a schema cannot say."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from jsonschema import Draft202012Validator

from tests.conformance.values import check_body

_SCHEMA = json.loads((Path(__file__).parent / "json_feed.schema.json").read_text())


def check(document: bytes, url: str | None) -> Iterator[str]:
    """Check a JSON Feed document."""
    feed = json.loads(document)
    for error in Draft202012Validator(_SCHEMA).iter_errors(feed):
        yield f"{error.json_path}: {error.message}"
    if url not in (None, feed["feed_url"]):
        yield f"feed_url is {feed['feed_url']}"
    if feed.get("next_url") == feed["feed_url"]:
        yield "next_url leads to the same page"
    ids = Counter(item.get("id") for item in feed["items"])
    yield from (f"duplicate id: {id}" for id, count in ids.items() if count > 1)
    for item in feed["items"]:
        for finding in check_body(item.get("content_html", "")):
            yield f"{item.get('id')} {finding}"
    text = json.dumps(feed, ensure_ascii=False)
    if not unicodedata.is_normalized("NFC", text):
        yield "has text that is not in NFC"
