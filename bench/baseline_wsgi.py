"""References: a WSGI function that returns constant bytes, and an empty PUT view."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

_BODY = b"x" * int(os.environ.get("BARE_LENGTH", "0"))
_HEADERS = [
    ("Content-Type", "application/rss+xml"),
    ("Content-Length", str(len(_BODY))),
]
_EXTRA_HEADERS = list(json.loads(os.environ.get("BARE_HEADERS", "{}")).items())
_STATUS = os.environ.get("BARE_STATUS", "200 OK")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Return the same bytes for any request."""
    if environ["PATH_INFO"] == "/readyz":
        start_response("200 OK", _HEADERS)
    else:
        start_response(_STATUS, [*_HEADERS, *_EXTRA_HEADERS])
    return [_BODY]


empty_put = Flask(__name__)
"""A Flask app whose PUT view does nothing."""


@empty_put.put("/api/v1/articles/<id>")
def put(id: str) -> dict[str, str]:
    """Store nothing."""
    return {"id": id}


@empty_put.get("/readyz")
def ready() -> str:
    """Answer that the service is ready."""
    return "ready"
