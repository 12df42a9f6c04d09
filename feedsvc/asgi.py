"""The ASGI entry point, which `gunicorn -c python:feedsvc.gunicorn_conf` starts.

The event loop answers what is cached; threads of Flask answer everything else. The
responses are those of `feedsvc.wsgi:app`.
"""

import asyncio
import ctypes
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import Any

from a2wsgi.asgi_typing import HTTPScope, Receive, Scope, Send
from a2wsgi.wsgi import build_environ
from werkzeug.wrappers import Response

from feedsvc.api import batch
from feedsvc.body_memory import collect_body, memory_for
from feedsvc.errors import Unavailable
from feedsvc.feeds.cached_response import CachedResponse, Headers
from feedsvc.services import get_services
from feedsvc.web.errors import problem_response
from feedsvc.web.health import PATH as HEALTH_PATH
from feedsvc.web.health import alive_response
from feedsvc.web.responses import common_headers
from feedsvc.wsgi import app as flask_app

#: Threads for reads, and as many for writes.
_THREADS = 8

#: The longest response of the event loop, which may have to compress it first.
_MAX_BYTES = 1 << 20

#: Batches that run at the same time: few, so that threads are left for others.
_MAX_BATCHES = 4

#: Time that a further batch waits for one of them.
_BATCH_WAIT_SECONDS = 5

#: Time that a read waits for a thread: its client may have gone long ago.
_READ_WAIT_SECONDS = 5

#: Bytes that wait for slow clients, beyond which nothing more is rendered.
_MAX_QUEUED = 44 << 20

_READS = ("GET", "HEAD")

_services = get_services(flask_app)
# Writes may wait for SQLite's lock, and reads until many pages are rendered: neither
# delays the other.
_read_threads = ThreadPoolExecutor(_THREADS)
_write_threads = ThreadPoolExecutor(_THREADS)
# Batches have threads of their own: that of a client which hangs up goes on.
_batch_threads = ThreadPoolExecutor(_MAX_BATCHES)
_batches = asyncio.Semaphore(_MAX_BATCHES)

# Only glibc has this function.
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


class _Queue:
    """The bodies of responses that clients have not taken yet; `size` in bytes.

    Each counts once, however many clients it is for: a file or a cached response is one
    object.
    """

    def __init__(self) -> None:
        self.size = 0
        self._clients: Counter[int] = Counter()

    @contextmanager
    def hold(self, body: bytes) -> Iterator[None]:
        """Count a body while the block sends it to a client."""
        key = id(body)
        self._clients[key] += 1
        if self._clients[key] == 1:
            self.size += len(body)
        try:
            yield
        finally:
            self._clients[key] -= 1
            if not self._clients[key]:
                del self._clients[key]
                self.size -= len(body)


_queue = _Queue()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request."""
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000, "reason": ""})
        return
    headers = _decode_headers(scope)
    is_read = scope["method"] in _READS
    response = _find_cached(scope) if is_read else None
    if response:
        prepared = response.prepare(headers, _services.clock())
        await _send_response(*prepared, scope, send)
    elif scope["path"] == HEALTH_PATH and is_read:
        # Here no batch and no slow database can delay it.
        await _send_flask_response(alive_response(), scope, send)
    else:
        await _collect_and_answer(scope, headers, receive, send)


async def _collect_and_answer(
    scope: HTTPScope, headers: dict[str, str], receive: Receive, send: Send
) -> None:
    """Let Flask answer a request, when its body has arrived and a thread may run it."""
    length = _collected_length(headers)
    memory = memory_for(length)
    body = BytesIO()
    threads = _read_threads if scope["method"] in _READS else _write_threads
    answer = _answer
    with ExitStack() as held:
        held.callback(memory.release, body)
        if not await collect_body(body, length, memory, receive):
            await _refuse("Too many bodies are being sent. Try again.", scope, send)
            return
        if scope["path"] == batch.PATH:
            threads = _batch_threads
            answer = _answer_batch
            if not await _acquire_batch():
                await _refuse("Too many batches are running. Try again.", scope, send)
                return
            held.callback(_batches.release)
        environ = build_environ(scope, body)  # type: ignore[arg-type]
        future = threads.submit(answer, dict(environ), time.monotonic())
        # It may go on after its client has hung up, so its end alone releases what it
        # holds.
        release = held.pop_all().close
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(release))
    # A client that hangs up must not cancel what waits for a thread: its bytes would
    # count no more, but stay in memory.
    response = await asyncio.shield(asyncio.wrap_future(future))
    # Others may have filled the queue since the thread began.
    if response is None or _is_queue_full(scope["method"]):
        await _refuse("Too many clients are waiting. Try again.", scope, send)
        return
    await _send(
        response.status_code,
        [*response.headers],
        response.get_data(),
        send,
    )


def _answer(environ: dict[str, Any], waiting_since: float) -> Response | None:
    """Return Flask's response as a whole, so that the thread waits for no client.

    With a2wsgi's middleware it would wait while a client takes the response. Return
    None for a read that has waited too long, or if there is no room in the queue.

    :param waiting_since: the monotonic time at which it began to wait for a thread.
    """
    method = environ["REQUEST_METHOD"]
    is_late = time.monotonic() - waiting_since > _READ_WAIT_SECONDS
    if _is_queue_full(method) or (method in _READS and is_late):
        return None
    return Response.from_app(flask_app, environ, buffered=True)


def _answer_batch(environ: dict[str, Any], waiting_since: float) -> Response | None:
    """Answer a batch, and give the memory that it no longer needs to the system.

    glibc gives back by itself only what lies behind the last block in use, which may be
    that of a cached feed.
    """
    response = _answer(environ, waiting_since)
    if _malloc_trim:
        _malloc_trim(0)
    return response


def _is_queue_full(method: str) -> bool:
    """Tell if a response would wait behind too many bytes; those of writes may."""
    return method in _READS and _queue.size > _MAX_QUEUED


async def _acquire_batch() -> bool:
    """Wait until another batch may run; return false if that takes too long."""
    try:
        async with asyncio.timeout(_BATCH_WAIT_SECONDS):
            return await _batches.acquire()
    except TimeoutError:
        return False


def _decode_headers(scope: HTTPScope) -> dict[str, str]:
    """Return the headers by lower-case name; WSGI joins repeated ones alike."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _find_cached(scope: HTTPScope) -> CachedResponse | None:
    """Return the response of a canonical URL, which is its key in the cache."""
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
    if scope["method"] == "HEAD":
        body = b""
    await _send(status, headers, body, send)


async def _send(status: int, headers: Headers, body: bytes, send: Send) -> None:
    encoded_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
    ]
    with _queue.hold(body):
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": encoded_headers,
            }
        )
        await send({"type": "http.response.body", "body": body})


def _collected_length(headers: dict[str, str]) -> int:
    """Return the length of a body, or 0 if its headers show that Flask refuses it."""
    # gunicorn has refused what is no number.
    length = int(headers.get("content-length", "0"))
    # As check_body_headers in api/request_parsing.py, which answers with an error.
    is_read = (
        length <= _services.config.max_body
        and "json" in headers.get("content-type", "").lower()
        and "authorization" in headers
    )
    return length if is_read else 0
