"""Adapter for the module Webhooks of Drupal, with JSON and a secret."""

import os
from urllib.parse import urljoin

from flask import request
from service import check_signature, create_app, delete, put

app = create_app(__name__, "DRUPAL")
SITE = os.environ["DRUPAL"].rstrip("/")


@app.post("/")
def receive() -> str:
    """Check the signature, and store or delete the article."""
    digest = request.headers.get("X-Hub-Signature", "").removeprefix("sha1=")
    check_signature(request.get_data(), digest, "sha1")
    node = request.json["entity"]
    # Each field is a list of items, which is empty if the field is.
    first = {name: items[0] for name, items in node.items() if items}
    if first.get("type", {}).get("target_id") != "article":
        return ""
    number = first["nid"]["value"]
    guid = f"{number} at {SITE}"  # as in Drupal's own RSS
    if request.json["event"].endswith(":delete") or not first["status"]["value"]:
        delete(guid)
        return ""
    body = first.get("body", {})
    path = first.get("path", {}).get("alias") or f"/node/{number}"
    entry = {"title": first["title"]["value"], "summary": body.get("summary")}
    entry["url"] = f"{SITE}{path}"
    entry["content_html"] = body.get("processed") or body.get("value")
    entry["date_published"] = first["created"]["value"]
    entry["language"] = first["langcode"]["value"]
    picture = first.get("field_image")
    if picture:
        entry["image"] = {"url": urljoin(SITE, picture["url"]), "alt": picture["alt"]}
    # A term is only an address. With an alias, its end is like a slug.
    terms = [term["url"].rsplit("/", 1)[-1] for term in node.get("field_tags", ())]
    put(guid, {**entry, "categories": terms})
    return ""
