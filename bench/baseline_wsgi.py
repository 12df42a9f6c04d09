"""The references: WSGI functions that return what they have, as many bytes as the feed has."""

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
_MORE = list(json.loads(os.environ.get("BARE_HEADERS", "{}")).items())
_STATUS = os.environ.get("BARE_STATUS", "200 OK")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Any request is answered with the same bytes."""
    if environ["PATH_INFO"] == "/readyz":
        start_response("200 OK", _HEADERS)
    else:
        start_response(_STATUS, [*_HEADERS, *_MORE])
    return [_BODY]


empty_put = Flask(__name__)
"""A Flask app whose PUT view does nothing."""


@empty_put.put("/api/v1/articles/<id>")
def put(id: str) -> dict[str, str]:
    """Nothing is stored."""
    return {"id": id}


@empty_put.get("/readyz")
def ready() -> str:
    """It serves."""
    return "ready"
