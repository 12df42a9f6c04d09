"""gunicorn's threaded worker with deadlines: a slow client costs a connection, never a thread.

A request is collected in the event loop until it looks whole or is 64 KiB long; only then a thread takes it,
where gunicorn's own parser reads it and is the judge of it. What is not there in time is cut off. The event
loop also sends 100 Continue; nothing reads a chunked body, and the connection ends after its answer.
"""

from __future__ import annotations

import os
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

from feedsvc import LATER_WORKER, SKIP_SCHEMA_CHECK

HEAD_SECONDS, SECONDS = 5.0, 8.0
"""What a client has to send a head; and a request's first MiB; and what it has to take an answer."""

FREE, BODY_RATE, ANSWER_RATE = 1 << 20, 256 * 1024, 64 * 1024
"""That MiB, and the bytes, of the rest and of an answer, that give a client one second more."""

LINGER_SECONDS = 2.0
"""How long a client is listened to after the last answer: closed at once it might lose it (RFC 9112 §9.6)."""

_BUFFER_BYTES = 64 * 1024
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,18})", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_EXPECT = re.compile(rb"\nexpect:[ \t]*([^\r\n]*)", re.IGNORECASE)
_HTTP_1_1 = re.compile(rb"[^\r\n]* HTTP/1\.1\r\n")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# RFC 9110 §7.2, RFC 3986 §3.2.2. An empty host is none: http URLs cannot have one (RFC 9110 §4.2.1).
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+\]|([\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(:[0-9]*)?",
    re.ASCII,
)


class BufferedSocket(socket):
    """A client's socket. What was collected is read first, and waiting has an end; bytes are a request's."""

    def __init__(self, accepted: socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.buffer = bytearray()
        self.reset()

    def reset(self) -> None:
        """Another request may come."""
        self.started_at = 0.0
        self.elapsed = {
            ECONNRESET: 0.0,
            EPIPE: 0.0,
        }  # for the client to send, and to read
        self.received = self.sent = 0
        self.eof = self.continued = False

    def fill_buffer(self) -> None:
        """Take what has come."""
        try:
            chunk = super().recv(_BUFFER_BYTES, MSG_DONTWAIT)
            self.buffer += chunk
            self.eof = not chunk
        except BlockingIOError:
            pass
        except OSError:
            self.eof = True

    def deadline(self) -> float:
        """Return the deadline for the rest of a request; 0 if a thread can take it, or no more will come."""
        if self.eof or len(self.buffer) >= _BUFFER_BYTES:
            return 0
        head = _HEAD_END.search(self.buffer)
        if not head:
            return self.started_at + HEAD_SECONDS
        length = self._body_length(head.end())
        if len(self.buffer) >= min(_BUFFER_BYTES, head.end() + length):
            return 0
        self._send_continue(head.end())
        return self.started_at + SECONDS

    def _body_length(self, head_end: int) -> int:
        """Return the bytes of the body; 0 where the head alone decides the answer.

        A chunked body gets 411 and an unknown expectation 417, so neither body is read.
        """
        length = _LENGTH.search(self.buffer, 0, head_end)
        if not length or _TRANSFER_ENCODING.search(self.buffer, 0, head_end):
            return 0
        expected = _EXPECT.findall(self.buffer, 0, head_end)
        if any(value.strip().lower() != b"100-continue" for value in expected):
            return 0
        return int(length[1])

    def _send_continue(self, head_end: int) -> None:
        """Ask for the body, once, if the client waits for that (RFC 9110 §10.1.1)."""
        if (
            self.continued
            or not _EXPECT.search(self.buffer, 0, head_end)
            or not _HTTP_1_1.match(self.buffer)
        ):
            return
        self.continued = True
        with suppress(
            OSError
        ):  # a client that does not read is cut off at the body's deadline
            if super().send(_CONTINUE, MSG_DONTWAIT) < len(_CONTINUE):
                self.shutdown(SHUT_RDWR)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What was collected, or comes in time.

        :raises ConnectionResetError: the client sends too slowly.
        """
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        if not data:
            allowed = SECONDS + max(0, self.received - FREE) / BODY_RATE
            data = self._call_within(allowed, partial(super().recv, size), ECONNRESET)
        self.received += len(data)
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it in time.

        :raises BrokenPipeError: the client reads too slowly.
        """
        rest = memoryview(data)
        self.sent += len(rest)
        with suppress(BlockingIOError):
            rest = rest[super().send(rest, MSG_DONTWAIT) :]
        if rest:
            self._call_within(
                SECONDS + self.sent / ANSWER_RATE, partial(super().sendall, rest), EPIPE
            )

    def _call_within(self, allowed: float, call: Callable[[], Any], code: int) -> Any:
        begun, given = (
            time.monotonic(),
            self.gettimeout(),
        )  # gunicorn has a limit when it drops a body
        left = max(0.001, allowed - self.elapsed[code])
        self.settimeout(min(left, given) if given else left)
        try:
            return call()
        except TimeoutError:
            raise OSError(code, "the client is too slow") from None
        finally:
            self.settimeout(given)
            self.elapsed[code] += time.monotonic() - begun


class Worker(ThreadWorker):  # type: ignore[misc]
    """`gthread` whose threads are given what they can work on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[TConn] = set()

    def init_process(self) -> None:
        """Begin to serve."""
        if self.age > self.cfg.workers:
            os.environ[SKIP_SCHEMA_CHECK] = "yes"
        if self.age > 1:
            os.environ[LATER_WORKER] = "yes"
        # gunicorn calls a function for each setting, twenty times a request; they change no more.
        settings = self.cfg.settings.items()
        self.cfg.__dict__ |= {
            name: one.get()
            for name, one in settings
            if not hasattr(type(self.cfg), name)
        }
        super().init_process()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what this worker has no deadlines for."""
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise RuntimeError(
                "TLS is for the proxy in front; this worker has no deadlines for it."
            )

    def enqueue_req(self, conn: TConn) -> None:
        """Collect from a connection that has something to read; give a whole request to a thread."""
        if not isinstance(conn.sock, BufferedSocket):
            conn.sock, conn.data_ready = BufferedSocket(conn.sock), True
        client = conn.sock
        if conn.parser:
            client.buffer[:0] = conn.parser.unreader.take_buffered()
        client.started_at = client.started_at or time.monotonic()
        client.fill_buffer()
        if until := client.deadline():
            self._wait(conn, until, self.enqueue_req)
        else:
            super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """Answer a request, in a thread; how long it waited for one is on the client's account."""
        conn.sock.elapsed[ECONNRESET] = time.monotonic() - conn.sock.started_at
        try:
            return super().handle(conn)
        finally:
            conn.sock.reset()

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request that has a valid Host, and end the connection after a chunked body.

        The application refuses chunked bodies unread (411), and reading one only to keep the connection would
        let a client hold the thread.
        """
        headers = dict(
            req.headers
        )  # with names in capitals; gunicorn has refused a second Host
        host = headers.get("HOST")
        if (host is None and req.version >= (1, 1)) or (
            host is not None and not _HOST.fullmatch(host)
        ):
            raise InvalidHeader("HOST", req=req)
        if "TRANSFER-ENCODING" in headers:
            req.force_close()
        req._expected_100_continue = False  # the event loop has sent it where it is due
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        with suppress(
            Exception
        ):  # it was answered; an ill-formed rest of its body gets no answer of its own
            return bool(super()._keepalive_after(conn, keepalive))
        return False

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep the connection for another request, or end it without waiting for the client."""
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
        """Close what has waited long enough."""
        now = time.monotonic()
        for conn in [conn for conn in self._waiting if conn.timeout <= now]:
            self._resume(conn, self._close)

    def _wait(self, conn: TConn, until: float, then: Callable[[TConn], None]) -> None:
        conn.timeout = until
        self._waiting.add(conn)
        self.poller.register(conn.sock, EVENT_READ, lambda _: self._resume(conn, then))

    def _resume(self, conn: TConn, then: Callable[[TConn], None]) -> None:
        self._waiting.remove(conn)
        self.poller.unregister(conn.sock)
        then(conn)

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
