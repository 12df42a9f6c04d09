"""The adapters' common part: signatures, and calls of feedsvc."""

import hmac
import json
import os
import re
import urllib.error
import urllib.request
import uuid
from html import unescape

from flask import Flask, abort


def create_app(name: str, *settings: str) -> Flask:
    """Return an app that answers 502 if the service refuses or cannot be reached.

    :param settings: variables that an adapter needs besides the common ones.
    """
    for setting in ("FEEDS", "TOKEN", "SECRET", *settings):
        # With an empty secret anybody could sign.
        if not os.environ.get(setting):
            raise SystemExit(f"{setting} is not set.")
    app = Flask(name)
    # A post has at most 1 MiB of text, which Ghost sends in three forms.
    app.config["MAX_CONTENT_LENGTH"] = 8 * 1024 * 1024
    app.register_error_handler(OSError, _report)
    return app


def check_signature(signed: bytes, digest: str, algorithm: str) -> None:
    """Answer 401 unless the digest was made with the secret of the webhook."""
    expected = hmac.new(os.environ["SECRET"].encode(), signed, algorithm).hexdigest()
    if not hmac.compare_digest(expected.encode(), digest.encode()):
        abort(401)


def plain_text(html: str | None) -> str:
    """Return HTML without tags."""
    return unescape(re.sub("<[^>]*>", "", html or ""))


def put(guid: str, entry: dict) -> None:
    """Store an entry under the id that an import gives to its guid."""
    known = {item["slug"] for item in _call("GET", "/categories")["categories"]}
    # A category that the service lacks would be an error.
    entry["categories"] = [slug for slug in entry["categories"] if slug in known]
    _call("PUT", _path(guid), {key: value for key, value in entry.items() if value})


def delete(guid: str) -> None:
    """Delete an entry. It may be gone already, or never have been there."""
    try:
        _call("DELETE", _path(guid))
    except urllib.error.HTTPError as error:
        if error.code not in (404, 410):
            raise


def _path(guid: str) -> str:
    return f"/articles/{uuid.uuid5(uuid.NAMESPACE_URL, guid).hex}"


def _call(method: str, path: str, document: dict | None = None) -> dict:
    headers = {"Content-Type": "application/json"}
    # urllib follows redirects of GET, with all headers, also to another host.
    if method != "GET":
        headers["Authorization"] = f"Bearer {os.environ['TOKEN']}"
    url = f"{os.environ['FEEDS'].rstrip('/')}/api/v1{path}"
    data = json.dumps(document).encode() if document else None
    # The operator sets the URL, so its scheme can be trusted.
    call = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(call, timeout=10) as response:  # noqa: S310
        return json.loads(response.read() or b"{}")


def _report(error: OSError) -> tuple[str | bytes, int]:
    # Of an HTTPError, the problem document says which field is wrong. Never its status:
    # after a 410, Ghost deletes the webhook.
    reason = error.read() if isinstance(error, urllib.error.HTTPError) else str(error)
    return reason, 502
