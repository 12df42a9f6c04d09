"""gunicorn's threaded worker, with an event loop that answers cached responses.

The event loop buffers a request until it looks complete or is 64 KiB long, so that a
slow client costs a connection and never a thread. A plain GET or HEAD of a cached
response it answers itself: to hand a connection to a thread and back takes many times
as long as to find the response. Every other request goes to a thread unchanged, where
gunicorn's own parser reads and judges it.

A connection is in one of these states; in all but the second, the loop waits for its
socket and closes it at the deadline in `conn.timeout`:

- receiving a request (`_receive`), or idle between two
- in a thread (`handle`)
- sending a response that the socket did not take at once (`_continue_sending`)
- ending (`_linger`)

Besides the documented `run`, `handle`, `handle_request` and `check_config`, this
overrides methods of gunicorn's ThreadWorker that are not documented, as there is no
other way between accepting a connection and giving it to a thread:

- `enqueue_req`: a connection is accepted; upstream gives it to a thread at once
- `finish_request`: a thread is done; upstream closes or waits for the next request
- `set_accept_enabled`: upstream keeps the listening sockets until the worker ends
- `wait_for_and_dispatch_events` and `murder_pending`: the event loop's turn
- `_cap_keepalive`: the worker stops; connections get a deadline
- `_keepalive_after`: upstream reads the rest of a body, which may be ill-formed
- `parser.unreader.take_buffered`: bytes of a pipelined request, to be buffered again

`tests/integration/test_slow_clients.py` fails if an upgrade of gunicorn changes them.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from errno import ECONNRESET, EPIPE
from functools import lru_cache, partial
from selectors import EVENT_READ, EVENT_WRITE
from socket import MSG_DONTWAIT, SHUT_RDWR, SHUT_WR, socket
from typing import Any, NamedTuple

from gunicorn.http.errors import InvalidHeader
from gunicorn.util import http_date, unquote_to_wsgi_str
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from feedsvc.feeds.response_cache import ResponseCache, cache_key
from feedsvc.http.client_network import set_client
from feedsvc.http.conditional import STATUS_LINES, PreparedResponse
from feedsvc.http.headers import REQUEST_ID, request_id
from feedsvc.server.logging import Logger
from feedsvc.services import find_services

HEAD_TIMEOUT = 5.0
"""Seconds for a client to send the head of a request."""

BODY_TIMEOUT = 8.0
"""Seconds for a client to send the first MiB of a body, or to read a response."""

FREE_BYTES = 1 << 20
"""Bytes of a body within `BODY_TIMEOUT`; more bytes give the client more time."""

BODY_RATE = 256 * 1024
"""Each further number of bytes of a body that gives the client one more second."""

RESPONSE_RATE = 64 * 1024
"""Bytes of a response that give a client one second more."""

LINGER_SECONDS = 2.0
"""Time to read on after the last response.

If closed at once, the client might lose the response (RFC 9112 §9.6).
"""

STOP_SECONDS = 3.0
"""Time to write the log when a worker stops."""

_DEADLINE_PRECISION = 0.25
"""Seconds by which a connection may be closed late."""

_BUFFER_BYTES = 64 * 1024
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*0*([0-9]{1,18})", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_EXPECT = re.compile(rb"\nexpect:[ \t]*([^\r\n]*)", re.IGNORECASE)
_HTTP_1_1 = re.compile(rb"[^\r\n]* HTTP/1\.1\r\n")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# RFC 9110 §7.2, RFC 3986 §3.2.2. The host of an http URL is not empty (RFC 9110
# §4.2.1).
_HOST = re.compile(
    r"""(?: \[[0-9A-Fa-f:.]+\]
        | \[v[0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+\]
        | (?: [\w.~!$&'()*+,;=-]++ | %[0-9A-Fa-f]{2} )++
        ) (?: :[0-9]* )?""",
    re.ASCII | re.VERBOSE,
)

# Once a second, since formatting takes long beside the rest of a response.
_http_date = lru_cache(1)(http_date)

# A whole request that gunicorn would accept: origin form, no fragment, printable ASCII
# (RFC 9112 §3, §5). No underscore in names, which gunicorn drops or refuses. Possessive
# quantifiers (++), so that a long malformed request takes linear time.
_NAME = r"[!#$%&'*+.^`|~0-9A-Za-z-]{1,64}+"  # not longer: names stay in a cache
_PLAIN_REQUEST = re.compile(
    rf"(GET|HEAD) (/(?!/)[!-\"$-~]*+) HTTP/1\.1\r\n((?:{_NAME}:[\t -~]*+\r\n)++)\r\n"
)
_HEADER = re.compile(rf"({_NAME}):([\t -~]*+)\r\n")

_PARSED_HEADERS = frozenset(
    [
        "HTTP_ACCEPT_ENCODING",
        "HTTP_HOST",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_NONE_MATCH",
        "HTTP_X_FORWARDED_FOR",
    ]
)
_MAX_PARSED = 256
"""Characters of these headers: to parse longer ones would stop the event loop."""

_CONNECTION_OPTIONS = frozenset(["", "keep-alive", "close"])
_HEADERS_FOR_THREADS = frozenset(
    [
        # A body, or another protocol.
        "HTTP_CONTENT_LENGTH",
        "HTTP_EXPECT",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
    ]
)


class BufferedSocket(socket):
    """A client's socket with a buffer, and deadlines for sending and receiving.

    Counters and deadlines are of the current request.
    """

    def __init__(self, accepted: socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.buffer = bytearray()
        self.reset()
        # The event loop's: what it waits for and then calls, and what it still sends.
        self.awaited_events = 0
        self.callback: Callable[[TConn], None] | None = None
        self.response: LoopResponse | None = None

    def reset(self) -> None:
        """Prepare for the next request."""
        self.started_at = 0.0
        # Seconds that the client has taken to send, and to read.
        self.elapsed = {ECONNRESET: 0.0, EPIPE: 0.0}
        self.received = 0
        self.sent = 0
        self.eof = False
        self.continued = False

    def fill_buffer(self) -> None:
        """Receive what has arrived, without waiting, while the buffer has room."""
        # Else it would grow with each of the requests that a client sends at once.
        room = _BUFFER_BYTES - len(self.buffer)
        if room <= 0:
            return
        try:
            chunk = super().recv(room, MSG_DONTWAIT)
            self.buffer += chunk
            self.eof = not chunk
        except BlockingIOError:
            pass
        except OSError:
            self.eof = True

    def deadline(self) -> float:
        """Return the monotonic time by which the rest of the request must arrive.

        0 if a thread can take the request, or no more will arrive.
        """
        if self.eof or len(self.buffer) >= _BUFFER_BYTES:
            return 0
        head = _HEAD_END.search(self.buffer)
        if not head:
            return self.started_at + HEAD_TIMEOUT
        length = self._body_length(head.end())
        if len(self.buffer) >= min(_BUFFER_BYTES, head.end() + length):
            return 0
        self._send_continue(head.end())
        return self.started_at + BODY_TIMEOUT

    def _body_length(self, head_end: int) -> int:
        """Return the bytes of the body; 0 where the head alone decides the response.

        A chunked body gets 411 and an unknown expectation 417, so neither body is
        read.
        """
        length = _LENGTH.search(self.buffer, 0, head_end)
        if not length or _TRANSFER_ENCODING.search(self.buffer, 0, head_end):
            return 0
        expectations = _EXPECT.findall(self.buffer, 0, head_end)
        if any(value.strip().lower() != b"100-continue" for value in expectations):
            return 0
        return int(length[1])

    def _send_continue(self, head_end: int) -> None:
        """Ask once for the body, if the client waits for that (RFC 9110 §10.1.1)."""
        if (
            self.continued
            or not _EXPECT.search(self.buffer, 0, head_end)
            or not _HTTP_1_1.match(self.buffer)
        ):
            return
        self.continued = True
        # A client that does not read is cut off at the body's deadline.
        with suppress(OSError):
            if super().send(_CONTINUE, MSG_DONTWAIT) < len(_CONTINUE):
                self.shutdown(SHUT_RDWR)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return buffered bytes, or wait for more until the deadline.

        :raises ConnectionResetError: the client sends too slowly.
        """
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        if not data:
            limit = BODY_TIMEOUT + max(0, self.received - FREE_BYTES) / BODY_RATE
            data = self._call_within(limit, partial(super().recv, size), ECONNRESET)
        self.received += len(data)
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send everything before the deadline.

        :raises BrokenPipeError: the client reads too slowly.
        """
        rest = memoryview(data)
        self.sent += len(rest)
        # Mostly the kernel takes it all, and no deadline is needed.
        with suppress(BlockingIOError):
            rest = rest[super().send(rest, MSG_DONTWAIT) :]
        if rest:
            limit = BODY_TIMEOUT + self.sent / RESPONSE_RATE
            self._call_within(limit, partial(super().sendall, rest), EPIPE)

    def _call_within(self, limit: float, call: Callable[[], Any], code: int) -> Any:
        """Call what may wait for the client.

        :param limit: seconds, of which `elapsed` are used up.
        :param code: errno of the error where the client is too slow.
        """
        started_at = time.monotonic()
        outer_timeout = self.gettimeout()  # gunicorn sets one to drop a body
        remaining = max(0.001, limit - self.elapsed[code])
        self.settimeout(min(remaining, outer_timeout or remaining))
        try:
            return call()
        except TimeoutError:
            raise OSError(code, "the client is too slow") from None
        finally:
            self.settimeout(outer_timeout)
            self.elapsed[code] += time.monotonic() - started_at


class LoopResponse(NamedTuple):
    """A response of the event loop.

    `status`, `headers` and `sent` are for the access log, as in gunicorn's Response; of
    the headers it needs the request id alone.
    """

    environ: dict[str, Any]
    status: str
    headers: list[tuple[str, str]]
    head: bytes
    body: bytes
    must_close: bool

    @property
    def sent(self) -> int:
        """Return the bytes of the body."""
        return len(self.body)

    @property
    def size(self) -> int:
        """Return all bytes."""
        return len(self.head) + len(self.body)

    def rest(self, sent: int) -> tuple[memoryview, memoryview]:
        """Return what follows the bytes that were sent."""
        # No copy of the body, of which a thousand slow readers would need one each.
        in_body = max(0, sent - len(self.head))
        return memoryview(self.head)[sent:], memoryview(self.body)[in_body:]


class CacheResponder:
    """Answer plain requests from the response cache, without waiting for anything.

    The responses are those of a thread. Where that takes more than the cache and a
    strict grammar, there is none, and a thread takes the request.

    :param trusted_proxies: number of proxies whose X-Forwarded-For is trusted.
    :param max_head: bytes of a request, at most what gunicorn allows for a line.
    :param max_fields: number of headers.
    """

    def __init__(
        self, cache: ResponseCache, trusted_proxies: int, max_head: int, max_fields: int
    ) -> None:
        self._cache = cache
        self._trusted_proxies = trusted_proxies
        self._max_head = max_head
        self._max_fields = max_fields

    def respond(self, data: bytes, address: str) -> LoopResponse | None:
        """Return the response to a request, None where a thread must answer.

        :param data: the bytes of its head.
        :param address: the client's.
        """
        environ = self._parse(data)
        if environ is None:
            return None
        hit = self._cache.get(cache_key(environ))
        if hit is None:
            return None
        cached, check = hit
        if not cached.is_encoded(environ):
            return None
        environ["REMOTE_ADDR"] = address
        set_client(environ, self._trusted_proxies)
        return self._prepare(environ, cached.to_response(environ, check))

    def _parse(self, data: bytes) -> dict[str, Any] | None:
        """Return what is needed of the WSGI environment of a plain GET or HEAD."""
        if len(data) > self._max_head:
            return None
        match = _PLAIN_REQUEST.fullmatch(data.decode("latin-1"))
        if not match:
            return None
        method, target, fields = match.groups()
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "RAW_URI": target,
            "PATH_INFO": unquote_to_wsgi_str(path) if "%" in path else path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        names = len(environ)
        headers = _HEADER.findall(fields)
        for name, padded in headers:
            key = _environ_key(name)
            value = padded.strip(" \t")
            if len(value) > _MAX_PARSED and key in _PARSED_HEADERS:
                return None
            environ[key] = value
        if (
            len(environ) < names + len(headers)  # a header is repeated
            or len(headers) > self._max_fields
            or not _HEADERS_FOR_THREADS.isdisjoint(environ)
            or environ.get("HTTP_CONNECTION", "").lower() not in _CONNECTION_OPTIONS
            or not _HOST.fullmatch(environ.get("HTTP_HOST", ""))
        ):
            return None
        return environ

    def _prepare(
        self, environ: dict[str, Any], prepared: PreparedResponse
    ) -> LoopResponse:
        status = STATUS_LINES[prepared.status]
        must_close = environ.get("HTTP_CONNECTION", "").lower() == "close"
        id = request_id(environ)
        date = _http_date(int(time.time()))
        head = (
            f"HTTP/1.1 {status}\r\nServer: gunicorn\r\nDate: {date}\r\n"
            f"Connection: {'close' if must_close else 'keep-alive'}\r\n"
            f"{REQUEST_ID}: {id}\r\n{prepared.header_lines}\r\n"
        )
        return LoopResponse(
            environ,
            status,
            [(REQUEST_ID, id)],
            head.encode("latin-1"),
            prepared.body if environ["REQUEST_METHOD"] == "GET" else b"",
            must_close,
        )


class Worker(ThreadWorker):  # type: ignore[misc]
    """`gthread` whose event loop answers cached responses and buffers requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The connections that are not in a thread.
        self._connections: set[TConn] = set()
        self._next_check = 0.0
        self._responder: CacheResponder | None = None

    def init_process(self) -> None:
        """Serve until stopped."""
        # gunicorn calls a function to read a setting, twenty times a request. They
        # do not change any more.
        self.cfg.__dict__ |= {
            name: setting.get()
            for name, setting in self.cfg.settings.items()
            if not hasattr(type(self.cfg), name)
        }
        super().init_process()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse TLS.

        :raises RuntimeError: certificates are configured.
        """
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise RuntimeError(
                "TLS is for the proxy in front; this worker has no deadlines for it."
            )

    def run(self) -> None:
        """Run the event loop until the worker is stopped."""
        services = find_services(self.wsgi)
        if services and services.config.event_loop and self._has_plain_settings():
            limits = self.cfg.limit_request_line, self.cfg.limit_request_field_size
            self._responder = CacheResponder(
                services.cache,
                services.config.trusted_proxies,
                max_head=min(limit or _BUFFER_BYTES for limit in limits),
                max_fields=self.cfg.limit_request_fields,
            )
        super().run()

    def _has_plain_settings(self) -> bool:
        """Return whether gunicorn has no setting that the event loop does not know."""
        # A log that is written at once could make the loop wait.
        has_fast_log = isinstance(self.log, Logger) and self.log.has_own_format
        has_proxy_protocol = self.cfg.proxy_protocol != "off"
        return (
            has_fast_log and not has_proxy_protocol and "SCRIPT_NAME" not in os.environ
        )

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or not; refuse them from now on if the worker stops."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            # The kernel would accept them, and they would wait for the slowest reader
            # of the last worker. While others run, these have the same sockets.
            for listener in self.sockets:
                listener.close()

    def enqueue_req(self, conn: TConn) -> None:
        """Take an accepted connection."""
        conn.sock = BufferedSocket(conn.sock)
        conn.data_ready = True
        self._receive(conn)  # most clients have sent their request already

    def _receive(self, conn: TConn) -> None:
        client = conn.sock
        client.started_at = client.started_at or time.monotonic()
        client.fill_buffer()
        if client.eof and not client.buffer:
            self._close(conn)
        else:
            self._process(conn)

    def _process(self, conn: TConn) -> None:
        """Answer a complete request, give it to a thread, or wait for its rest."""
        response = self._cached_response(conn)
        if response:
            self._send(conn, response)
            return
        deadline = conn.sock.deadline()
        if deadline:
            self._wait(conn, EVENT_READ, self._receive, deadline)
        else:
            self._forget(conn)
            super().enqueue_req(conn)

    def _cached_response(self, conn: TConn) -> LoopResponse | None:
        # A worker that stops or has many connections ends them; threads announce that.
        if self._responder is None or not self.alive or self._is_crowded():
            return None
        buffer = conn.sock.buffer
        head = _HEAD_END.search(buffer)
        if not head:
            return None
        client = conn.client
        address = client[0] if isinstance(client, tuple) else str(client)
        try:
            response = self._responder.respond(bytes(buffer[: head.end()]), address)
        except Exception:
            # In the event loop it would end the worker, with all its connections.
            self.log.exception("Error in the event loop; a thread takes the request")
            return None
        if response:
            del buffer[: head.end()]
        return response

    def _is_crowded(self) -> bool:
        """Return whether new clients may soon find no free connection."""
        return bool(self.nr_conns > self.max_keepalived)

    def _send(self, conn: TConn, response: LoopResponse) -> None:
        """Send a response, as far as the socket takes it at once."""
        client = conn.sock
        client.response = response
        try:
            client.sent = client.sendmsg(
                (response.head, response.body), (), MSG_DONTWAIT
            )
        except BlockingIOError:
            pass
        except OSError:
            self._close(conn)
            return
        if client.sent == response.size:
            self._finish_response(conn)
            return
        deadline = time.monotonic() + BODY_TIMEOUT + response.size / RESPONSE_RATE
        self._wait(conn, EVENT_WRITE, self._continue_sending, deadline)

    def _continue_sending(self, conn: TConn) -> None:
        client = conn.sock
        rest = client.response.rest(client.sent)
        try:
            client.sent += client.sendmsg(rest, (), MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            self._close(conn)
            return
        if client.sent == client.response.size:
            self._finish_response(conn)

    def _finish_response(self, conn: TConn) -> None:
        response = conn.sock.response
        self._log_response(conn)
        if response.must_close:
            self._end(conn)
            return
        conn.sock.reset()
        if not conn.sock.buffer:
            self._await_request(conn)
            return
        # A pipelined request gets a turn of its own, so that others need not wait for
        # many of them, and not before its response can be sent.
        deadline = time.monotonic() + BODY_TIMEOUT + response.size / RESPONSE_RATE
        self._wait(conn, EVENT_WRITE, self._receive, deadline)

    def _log_response(self, conn: TConn) -> None:
        response = conn.sock.response
        conn.sock.response = None
        duration = timedelta(seconds=time.monotonic() - conn.sock.started_at)
        self.log.access(response, (), response.environ, duration)

    def handle(self, conn: TConn) -> Any:
        """Handle a request in a thread."""
        # Waiting for a thread counts too, or a busy server would extend deadlines.
        conn.sock.elapsed[ECONNRESET] = time.monotonic() - conn.sock.started_at
        try:
            return super().handle(conn)
        finally:
            conn.sock.reset()

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Respond to a request with a valid Host; end chunked ones' connections.

        :raises InvalidHeader: Host is missing or not valid.
        """
        # Names are in capitals. gunicorn has refused a second Host.
        headers = dict(req.headers)
        host = headers.get("HOST")
        is_missing = host is None and req.version >= (1, 1)
        if is_missing or (host is not None and not _HOST.fullmatch(host)):
            raise InvalidHeader("HOST", req=req)
        # The application refuses a chunked body unread (411). To read it only to keep
        # the connection would let a client occupy the thread.
        if "TRANSFER-ENCODING" in headers or self._is_crowded():
            req.force_close()
        req._expected_100_continue = False  # the event loop has sent it where it is due
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        # The response is sent; an ill-formed rest of the body gets none of its own.
        with suppress(Exception):
            return bool(super()._keepalive_after(conn, keepalive))
        return False

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep the connection for the next request, or end it without waiting."""
        if fs.cancelled() or fs.exception() or not fs.result():
            self._end(conn)
            return
        # The parser may have read into the next request.
        conn.sock.buffer[:0] = conn.parser.unreader.take_buffered()
        self._await_request(conn)

    def _await_request(self, conn: TConn) -> None:
        if conn.sock.buffer:
            self._receive(conn)
            return
        seconds = self.cfg.keepalive
        if not self.alive:
            seconds = min(seconds, STOP_KEEPALIVE_LINGER)
        self._wait(conn, EVENT_READ, self._receive, time.monotonic() + seconds)

    def _cap_keepalive(self, deadline: float) -> None:
        # Slow readers end before the master kills the worker, so that they are logged.
        last = time.monotonic() + self.cfg.graceful_timeout - STOP_SECONDS
        for conn in self._connections:
            is_idle = not conn.sock.started_at
            conn.timeout = min(conn.timeout, deadline if is_idle else last)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Take a turn of the event loop, a short one while the worker stops."""
        # So that it ends soon after the last connection.
        if not self.alive:
            timeout = min(timeout, _DEADLINE_PRECISION)
        super().wait_for_and_dispatch_events(timeout)

    def murder_pending(self) -> None:
        """Close overdue connections."""
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + _DEADLINE_PRECISION
        overdue = [conn for conn in self._connections if conn.timeout <= now]
        for conn in overdue:
            self._close(conn)

    def _wait(
        self,
        conn: TConn,
        events: int,
        callback: Callable[[TConn], None],
        deadline: float,
    ) -> None:
        """Call back when the socket is ready; close it at the deadline."""
        conn.timeout = deadline
        client = conn.sock
        client.callback = callback
        if client.awaited_events == events:
            return  # the same registration serves all requests of a connection
        if client.awaited_events:
            self.poller.modify(client, events, partial(_call_back, conn))
        else:
            self.poller.register(client, events, partial(_call_back, conn))
            self._connections.add(conn)
        client.awaited_events = events

    def _forget(self, conn: TConn) -> None:
        """Stop waiting for the socket."""
        if conn.sock.awaited_events:
            self.poller.unregister(conn.sock)
            self._connections.remove(conn)
            conn.sock.awaited_events = 0

    def _end(self, conn: TConn) -> None:
        """End a connection so that the client gets the whole response."""
        # gunicorn closes it itself after an error in the middle of a response.
        if conn.sock.fileno() < 0:
            self._close(conn)
            return
        with suppress(OSError):
            conn.sock.shutdown(SHUT_WR)
        deadline = time.monotonic() + LINGER_SECONDS
        self._wait(conn, EVENT_READ, self._linger, deadline)

    def _linger(self, conn: TConn) -> None:
        conn.sock.fill_buffer()
        conn.sock.buffer.clear()
        if conn.sock.eof:
            self._close(conn)

    def _close(self, conn: TConn) -> None:
        if conn.sock.response:
            self._log_response(conn)
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()


def _call_back(conn: TConn, _: object) -> None:
    conn.sock.callback(conn)


@lru_cache(1024)
def _environ_key(name: str) -> str:
    return f"HTTP_{name.upper().replace('-', '_')}"
