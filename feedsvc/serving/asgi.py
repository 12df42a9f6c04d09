"""The ASGI entry point, which `gunicorn -c python:feedsvc.gunicorn_conf` starts.

The event loop answers what is cached; threads of Flask answer everything else. The
responses are those of `feedsvc.wsgi:app`.
"""

import asyncio
import ctypes
import fcntl
import sys
import termios
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import BytesIO
from typing import Any

from a2wsgi.asgi_typing import HTTPScope, Receive, Scope, Send
from a2wsgi.wsgi import build_environ
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from feedsvc.api import batch
from feedsvc.concurrency import ALL_WORK, BATCHES, WRITES, Work, read_work
from feedsvc.errors import FeedsvcError, Unavailable
from feedsvc.feeds.cached_response import CachedResponse, Headers
from feedsvc.services import get_services
from feedsvc.serving.body_memory import collect_body, memory_for
from feedsvc.web.health import PATH as HEALTH_PATH
from feedsvc.web.health import alive_response
from feedsvc.web.responses import common_headers
from feedsvc.wsgi import app as flask_app

#: The longest response of the event loop, which may have to compress it first.
_MAX_BYTES = 1 << 20

#: Bytes that wait for slow clients, beyond which nothing more is rendered.
_MAX_QUEUED = 44 << 20

#: Seconds after which a client that takes no byte is cut off, and the same while the
#: queue is more than half full.
_IDLE_SECONDS = 60
_IDLE_SECONDS_IF_FULL = 30

#: Seconds between two looks at what a client has taken.
_IDLE_INTERVAL = 5

_READS = ("GET", "HEAD")

_services = get_services(flask_app)
# One for each place, so that a request with a place never waits for a thread.
_threads = ThreadPoolExecutor(sum(work.places for work in ALL_WORK))
_places = {work: asyncio.Semaphore(work.places) for work in ALL_WORK}

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
    with _cut_off_if_idle(receive):
        await _answer(scope, receive, send)


async def _answer(scope: HTTPScope, receive: Receive, send: Send) -> None:
    headers = _decode_headers(scope)
    is_read = scope["method"] in _READS
    cached = _find_cached(scope) if is_read else None
    if cached:
        await _send_cached(cached, headers, scope, send)
        return
    try:
        if is_read and scope["path"] == HEALTH_PATH:
            # Here no batch and no slow database can delay it.
            response = _respond(alive_response, scope)
        else:
            response = await _collect_and_run(scope, headers, receive)
    except FeedsvcError as error:
        response = _respond(partial(flask_app.handle_user_exception, error), scope)
    await _send(
        response.status_code,
        [*response.headers],
        response.get_data(),
        send,
    )


async def _collect_and_run(
    scope: HTTPScope, headers: dict[str, str], receive: Receive
) -> Response:
    """Return Flask's response to a request, when its body is here and it has a place.

    :raises FeedsvcError: the worker has too much to do at the moment.
    """
    length = _collected_length(headers)
    memory = memory_for(length)
    body = BytesIO()
    work = _find_work(scope)
    with ExitStack() as held:
        held.callback(memory.release, body)
        if not await collect_body(body, length, memory, receive):
            raise Unavailable("Too many bodies are being sent. Try again.")
        # A client that hangs up meanwhile cancels this, and its request never begins.
        await _acquire(work)
        held.callback(_places[work].release)
        _check_queue(scope)
        run = _run_batch if work is BATCHES else _run_flask
        environ = build_environ(scope, body)  # type: ignore[arg-type]
        future = _threads.submit(run, dict(environ))
        # It goes on after its client has hung up, so its end alone releases what it
        # holds.
        release = held.pop_all().close
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(release))
    response = await asyncio.shield(asyncio.wrap_future(future))
    # Others may have filled the queue since the thread began.
    _check_queue(scope)
    return response


def _find_work(scope: HTTPScope) -> Work:
    """Return the work among which a request waits for a place."""
    if scope["method"] in _READS:
        return read_work(scope["path"], scope["query_string"].decode("latin-1"))
    return BATCHES if scope["path"] == batch.PATH else WRITES


async def _acquire(work: Work) -> None:
    """Wait for a place.

    :raises FeedsvcError: that takes too long.
    """
    try:
        async with asyncio.timeout(work.seconds):
            await _places[work].acquire()
    except TimeoutError:
        raise work.refusal() from None


def _run_flask(environ: dict[str, Any]) -> Response:
    """Return Flask's response as a whole, so that the thread waits for no client.

    With a2wsgi's middleware it would wait while a client takes the response.
    """
    return Response.from_app(flask_app, environ, buffered=True)


def _run_batch(environ: dict[str, Any]) -> Response:
    """Run Flask for a batch, and give the memory that it no longer needs to the system.

    glibc gives back by itself only what lies behind the last block in use, which may be
    that of a cached feed.
    """
    response = _run_flask(environ)
    if _malloc_trim:
        _malloc_trim(0)
    return response


def _check_queue(scope: HTTPScope) -> None:
    """Refuse a response that would wait behind too many bytes; those of writes may.

    :raises Unavailable: they are too many.
    """
    if scope["method"] in _READS and _queue.size > _MAX_QUEUED:
        raise Unavailable("Too many clients are waiting. Try again.")


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


def _respond(view: Callable[[], ResponseReturnValue], scope: HTTPScope) -> Response:
    """Return Flask's response of a view that needs no thread."""
    environ = dict(build_environ(scope, BytesIO()))  # type: ignore[arg-type]
    with flask_app.request_context(environ):
        application = flask_app.process_response(flask_app.make_response(view()))
        # As a WSGI application it has no body for HEAD.
        return Response.from_app(application, environ, buffered=True)


async def _send_cached(
    cached: CachedResponse, given: dict[str, str], scope: HTTPScope, send: Send
) -> None:
    """Send a cached response to a request with these headers."""
    status, headers, body = cached.prepare(given, _services.clock())
    headers += common_headers(scope["method"], scope["path"], status)
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


@contextmanager
def _cut_off_if_idle(receive: Receive) -> Iterator[None]:
    """Abort the connection if its client takes nothing of what the block sends."""
    # ASGI has no message that does it, so gunicorn's transport must.
    protocol = getattr(getattr(receive, "__self__", None), "protocol", None)
    if protocol is None:
        yield
        return
    transport = protocol.transport
    loop = asyncio.get_running_loop()
    left = idle_seconds = 0
    timer: asyncio.TimerHandle

    def check() -> None:
        nonlocal left, idle_seconds, timer
        former, left = left, _bytes_left(transport)
        is_idle = left and left == former
        idle_seconds = idle_seconds + _IDLE_INTERVAL if is_idle else 0
        is_full = _queue.size > _MAX_QUEUED / 2
        if idle_seconds >= (_IDLE_SECONDS_IF_FULL if is_full else _IDLE_SECONDS):
            transport.abort()
        else:
            timer = loop.call_later(_IDLE_INTERVAL, check)

    timer = loop.call_later(_IDLE_INTERVAL, check)
    try:
        yield
    finally:
        timer.cancel()


def _bytes_left(transport: Any) -> int:
    """Return the bytes of responses that the client has not received yet."""
    left: int = transport.get_write_buffer_size()
    # The kernel's are many times as many, and a slow client takes these first.
    with suppress(OSError):
        number = fcntl.ioctl(
            transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4)
        )
        left += int.from_bytes(number, sys.byteorder)
    return left


def _collected_length(headers: dict[str, str]) -> int:
    """Return the length of a body, or 0 if its headers show that Flask refuses it."""
    # gunicorn has refused what is no number.
    length = int(headers.get("content-length", "0"))
    # As check_body_headers in api/request_parsing.py, which answers with an error.
    is_read = length <= _services.config.max_body and "authorization" in headers
    return length if is_read else 0
