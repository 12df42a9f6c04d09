"""The ASGI entry point, which `gunicorn -c python:feedsvc.gunicorn_conf` starts.

The event loop answers what is cached; threads of Flask answer everything else. The
responses are those of `feedsvc.wsgi:app`.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from a2wsgi import WSGIMiddleware
from a2wsgi.asgi_typing import (
    HTTPRequestEvent,
    HTTPScope,
    Receive,
    Scope,
    Send,
    SendEvent,
)
from flask import Response

from feedsvc.api import batch
from feedsvc.errors import Unavailable
from feedsvc.feeds.response import CachedResponse, Headers
from feedsvc.services import get_services
from feedsvc.web.errors import problem_response
from feedsvc.web.health import PATH as HEALTH_PATH
from feedsvc.web.health import alive_response
from feedsvc.web.responses import common_headers
from feedsvc.wsgi import app as flask_app

#: So many that writers, which may wait for SQLite's lock, do not delay readers.
_THREADS = 16

#: Time within which a client must send a body.
_BODY_SECONDS = 30

#: The longest response of the event loop, which may have to compress it first.
_MAX_BYTES = 1 << 20

#: Batches that run at the same time: few, so that threads are left for others.
_MAX_BATCHES = 4

#: Time that a further batch waits for one of them.
_BATCH_WAIT_SECONDS = 5

_services = get_services(flask_app)
_flask = WSGIMiddleware(flask_app, workers=_THREADS)  # type: ignore[arg-type]
# Batches have threads of their own: that of a client which hangs up goes on.
_flask_batches = WSGIMiddleware(flask_app, workers=_MAX_BATCHES)  # type: ignore[arg-type]
_batches = asyncio.Semaphore(_MAX_BATCHES)


@dataclass
class _Memory:
    """The bytes of bodies that are being collected or processed, and their limit.

    Small bodies have memory of their own, which large ones that nobody completes cannot
    occupy.
    """

    limit: int
    used: int = 0


#: The longest body that counts as small.
_SMALL_BODY = 64 << 10

_small_bodies = _Memory(24 << 20)
_large_bodies = _Memory(64 << 20)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request; gunicorn also calls it at the start and end of a worker."""
    if scope["type"] != "http":
        await _flask(scope, receive, send)
        return
    headers = _decode_headers(scope)
    response = _find_cached(scope)
    if response:
        prepared = response.prepare(headers, _services.clock())
        await _send_response(*prepared, scope, send)
    elif scope["path"] == HEALTH_PATH and scope["method"] in ("GET", "HEAD"):
        # Here no batch and no slow database can delay it.
        await _send_flask_response(alive_response(), scope, send)
    else:
        await _collect_and_answer(scope, headers, receive, send)


async def _collect_and_answer(
    scope: HTTPScope, headers: dict[str, str], receive: Receive, send: Send
) -> None:
    """Let Flask answer a request, when its body has arrived and a thread may run it."""
    length = _collected_length(headers)
    memory = _small_bodies if length <= _SMALL_BODY else _large_bodies
    body = bytearray()
    try:
        if not await _collect_body(body, length, memory, receive):
            await _refuse("Too many bodies are being sent.", scope, send)
        elif scope["path"] == batch.blueprint.url_prefix:
            await _answer_batch(body, scope, send)
        else:
            await _flask(scope, _receive_collected(body), send)
    finally:
        memory.used -= len(body)


async def _answer_batch(body: bytearray, scope: HTTPScope, send: Send) -> None:
    """Let Flask answer a batch, when fewer than `_MAX_BATCHES` others run."""
    try:
        async with asyncio.timeout(_BATCH_WAIT_SECONDS):
            await _batches.acquire()
    except TimeoutError:
        await _refuse("Too many batches are running.", scope, send)
        return
    events: list[SendEvent] = []

    async def keep(event: SendEvent) -> None:
        events.append(event)

    try:
        await _flask_batches(scope, _receive_collected(body), keep)
    finally:
        # Before the answer is sent, which a client may read slowly.
        _batches.release()
    for event in events:
        await send(event)


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


async def _refuse(reason: str, scope: HTTPScope, send: Send) -> None:
    """Answer that the worker has too much to do at the moment."""
    error = Unavailable(reason)
    response = problem_response(error.status, str(error), error)
    response.headers["Retry-After"] = str(error.retry_after)
    await _send_flask_response(response, scope, send)


async def _send_flask_response(
    response: Response, scope: HTTPScope, send: Send
) -> None:
    """Send a response that no cache may keep."""
    headers = [*response.headers, ("Cache-Control", "no-store")]
    await _send_response(
        response.status_code, headers, response.get_data(), scope, send
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
    if scope["method"] == "HEAD":
        body = b""
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
    body: bytearray, length: int, memory: _Memory, receive: Receive
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
                memory.used += len(event["body"])
                if memory.used > memory.limit:
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
