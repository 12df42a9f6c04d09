"""The ASGI entry point, which `gunicorn -c python:feedsvc.gunicorn_conf` starts.

The event loop answers what is cached; threads of Flask answer everything else. The
responses are those of `wsgi:app`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from a2wsgi import WSGIMiddleware

from feedsvc.errors import Unavailable
from feedsvc.feeds.response import CachedResponse, Headers
from feedsvc.services import get_services
from feedsvc.web.errors import problem_response
from feedsvc.web.responses import common_headers
from wsgi import app as flask_app

if TYPE_CHECKING:
    from a2wsgi.asgi_typing import (
        HTTPRequestEvent,
        HTTPScope,
        Receive,
        Scope,
        Send,
    )

#: So many that writers, which may wait for SQLite's lock, do not delay readers.
_THREADS = 16

#: Time within which a client must send a body.
_BODY_SECONDS = 30

#: The longest response of the event loop, which may have to compress it first.
_MAX_BYTES = 1 << 20

#: Bytes of all bodies that a worker holds at the same time.
_MAX_COLLECTED = 64 << 20

_services = get_services(flask_app)
_flask = WSGIMiddleware(flask_app, workers=_THREADS)  # type: ignore[arg-type]


#: The bodies that are being collected or processed.
_bodies: list[bytearray] = []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request; gunicorn also calls it at the start and end of a worker."""
    if scope["type"] != "http":
        await _flask(scope, receive, send)
        return
    headers = _decode_headers(scope)
    response = _find_cached(scope)
    if response:
        await _answer(response, scope, headers, send)
        return
    body = bytearray()
    _bodies.append(body)
    try:
        if await _collect_body(body, _collected_length(headers), receive):
            await _flask(scope, _receive_collected(body), send)
        else:
            await _refuse(scope, send)
    finally:
        _bodies.remove(body)


def _decode_headers(scope: HTTPScope) -> dict[str, str]:
    """Return the headers by lower-case name; WSGI joins repeated ones alike."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        headers[name] = (
            f"{headers[name]},{value}" if name in headers else value
        )
    return headers


def _find_cached(scope: HTTPScope) -> CachedResponse | None:
    """Return the response of a canonical URL, which is its key in the cache."""
    if scope["method"] not in ("GET", "HEAD"):
        return None
    url = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        url += "?" + scope["query_string"].decode("latin-1")
    response = _services.cache.get(url)
    return response if response and len(response.body) <= _MAX_BYTES else None


async def _answer(
    response: CachedResponse,
    scope: HTTPScope,
    request_headers: dict[str, str],
    send: Send,
) -> None:
    status, headers, body = response.prepare(
        request_headers, _services.clock()
    )
    if scope["method"] == "HEAD":
        body = b""
    await _send_response(status, headers, body, scope, send)


async def _refuse(scope: HTTPScope, send: Send) -> None:
    """Answer that too many bodies are on their way."""
    error = Unavailable("Too many bodies are being sent at the moment.")
    response = problem_response(error.status, str(error), error)
    headers = [*response.headers, ("Retry-After", str(error.retry_after))]
    await _send_response(
        error.status, headers, response.get_data(), scope, send
    )


async def _send_response(
    status: int, headers: Headers, body: bytes, scope: HTTPScope, send: Send
) -> None:
    headers = headers + common_headers(scope["method"], scope["path"], status)
    encoded_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
    ]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": encoded_headers,
        }
    )
    await send({"type": "http.response.body", "body": body})


def _collected_length(headers: dict[str, str]) -> int:
    """Return the length of a body, or 0 if Flask refuses it by its headers."""
    # gunicorn has refused what is no number.
    length = int(headers.get("content-length", "0"))
    # As check_body_headers in api/request_parsing.py, which answers with an error.
    is_read = (
        length <= _services.config.max_body
        and "json" in headers.get("content-type", "").lower()
        and "authorization" in headers
    )
    return length if is_read else 0


async def _collect_body(
    body: bytearray, length: int, receive: Receive
) -> bool:
    """Read a body before it occupies a thread; return false if there are too many.

    One that does not arrive in time stays incomplete, which Flask answers with an
    error.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_BODY_SECONDS):
            while len(body) < length:
                event = await receive()
                if event["type"] != "http.request":
                    break
                body += event["body"]
                if sum(map(len, _bodies)) > _MAX_COLLECTED:
                    return False
    return True


def _receive_collected(body: bytearray) -> Receive:
    """Return a `receive` that has a body."""

    async def receive() -> HTTPRequestEvent:
        return {
            "type": "http.request",
            "body": bytes(body),
            "more_body": False,
        }

    return receive
