"""The reference: a WSGI function that returns bytes that it has, as many as the feed has."""

import os
from collections.abc import Callable, Iterable
from typing import Any

_BODY = b"x" * int(os.environ["BARE_LENGTH"])
_HEADERS = [("Content-Type", "application/rss+xml"), ("Content-Length", str(len(_BODY)))]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Any request is answered 200 with the same bytes."""
    start_response("200 OK", _HEADERS)
    return [_BODY]
