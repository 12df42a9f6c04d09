"""Adapter for the webhooks of Ghost 5.88 or newer."""

import re
import time

from flask import abort, request
from service import check_signature, create_app, delete, plain_text, put

app = create_app(__name__)


@app.post("/")
def receive() -> str:
    """Check the signature, and store or delete the post."""
    header = request.headers.get("X-Ghost-Signature", "")
    signature = re.fullmatch("sha256=([0-9a-f]{64}), t=([0-9]{13})", header)
    # The time counts, or a copy of an old request could bring back a deleted post.
    if not signature or abs(time.time() - int(signature[2]) / 1000) > 300:
        abort(401)
    signed = request.get_data() + signature[2].encode()
    check_signature(signed, signature[1], "sha256")
    current, previous = (request.json["post"][name] for name in ("current", "previous"))
    # Of a deleted post there is no current state. Others may be for members alone.
    if (current.get("status"), current.get("visibility")) != ("published", "public"):
        delete((current or previous)["id"])
        return ""
    entry = {"title": current["title"], "content_html": current["html"]}
    entry["url"] = current["canonical_url"] or current["url"]
    entry["summary"] = current["custom_excerpt"]
    entry["authors"] = [{"name": author["name"]} for author in current["authors"]]
    entry["date_published"] = current["published_at"]
    if current["feature_image"]:
        entry["image"] = {"url": current["feature_image"]}
        entry["image"]["alt"] = current.get("feature_image_alt") or ""
        entry["image"]["caption"] = plain_text(current.get("feature_image_caption"))
    tags = [tag["slug"] for tag in current["tags"] if tag["visibility"] == "public"]
    put(current["id"], {**entry, "categories": tags})
    return ""
