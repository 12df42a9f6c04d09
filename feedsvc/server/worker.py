"""gunicorn's threaded worker, which buffers requests, with deadlines.

A slow client costs a connection, never a thread: the event loop receives a request
until it looks complete or is 64 KiB long. Only then a thread takes it, where
gunicorn's own parser reads and judges it. The event loop also sends 100 Continue.
Nothing reads a chunked body, and the connection ends after its response.

Besides the documented `handle`, `handle_request` and `check_config`, this overrides
methods of gunicorn's ThreadWorker that are not documented, as there is no other way
between accepting a connection and giving it to a thread:

- `enqueue_req`: a connection is readable; upstream gives it to a thread at once
- `finish_request`: a thread is done; upstream closes or waits for the next request
- `murder_pending`: the event loop's turn, to close what is overdue
- `_keepalive_after`: upstream reads the rest of a body, which may be ill-formed
- `parser.unreader.take_buffered`: bytes of a pipelined request, to be buffered again

`tests/integration/test_slow_clients.py` fails if an upgrade of gunicorn changes them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from errno import ECONNRESET, EPIPE
from functools import partial
from selectors import EVENT_READ
from socket import MSG_DONTWAIT, SHUT_RDWR, SHUT_WR, socket
from typing import Any

from gunicorn.http.errors import InvalidHeader
from gunicorn.workers.gthread import TConn, ThreadWorker

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

_BUFFER_BYTES = 64 * 1024
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,18})", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_EXPECT = re.compile(rb"\nexpect:[ \t]*([^\r\n]*)", re.IGNORECASE)
_HTTP_1_1 = re.compile(rb"[^\r\n]* HTTP/1\.1\r\n")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# RFC 9110 §7.2, RFC 3986 §3.2.2. The host of an http URL is not empty (RFC 9110
# §4.2.1).
_HOST = re.compile(
    r"""( \[[0-9A-Fa-f:.]+\]
        | \[v[0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+\]
        | ([\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+
        ) (:[0-9]*)?""",
    re.ASCII | re.VERBOSE,
)


class BufferedSocket(socket):
    """A client's socket with a buffer, and deadlines for sending and receiving.

    Counters and deadlines are of the current request.
    """

    def __init__(self, accepted: socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.buffer = bytearray()
        self.reset()

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
        """Receive what has arrived, without waiting."""
        try:
            chunk = super().recv(_BUFFER_BYTES, MSG_DONTWAIT)
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


class Worker(ThreadWorker):  # type: ignore[misc]
    """`gthread` whose threads get complete requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[TConn] = set()

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

    def enqueue_req(self, conn: TConn) -> None:
        """Buffer a connection's bytes; give a complete request to a thread."""
        if not isinstance(conn.sock, BufferedSocket):
            conn.sock = BufferedSocket(conn.sock)
            conn.data_ready = True
        client = conn.sock
        if conn.parser:
            # The parser may have read into the next request.
            client.buffer[:0] = conn.parser.unreader.take_buffered()
        client.started_at = client.started_at or time.monotonic()
        client.fill_buffer()
        deadline = client.deadline()
        if deadline:
            self._wait(conn, deadline, self.enqueue_req)
        else:
            super().enqueue_req(conn)

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
        if "TRANSFER-ENCODING" in headers:
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
            with suppress(OSError):
                conn.sock.shutdown(SHUT_WR)
            conn.timeout = time.monotonic() + LINGER_SECONDS
            self._linger(conn)
        elif conn.sock.buffer:
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Close overdue connections."""
        now = time.monotonic()
        overdue = [conn for conn in self._waiting if conn.timeout <= now]
        for conn in overdue:
            self._resume(conn, self._close)

    def _wait(
        self, conn: TConn, deadline: float, callback: Callable[[TConn], None]
    ) -> None:
        conn.timeout = deadline
        self._waiting.add(conn)
        self.poller.register(
            conn.sock, EVENT_READ, lambda _: self._resume(conn, callback)
        )

    def _resume(self, conn: TConn, callback: Callable[[TConn], None]) -> None:
        self._waiting.remove(conn)
        self.poller.unregister(conn.sock)
        callback(conn)

    def _linger(self, conn: TConn) -> None:
        conn.sock.fill_buffer()
        conn.sock.buffer.clear()
        if conn.sock.eof:
            self._close(conn)
        else:
            self._wait(conn, conn.timeout, self._linger)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
