"""gunicorn's threaded worker with deadlines: a slow client costs a connection, never a thread.

A request is collected in the event loop until it looks whole or is 64 KiB long; only then a thread takes it,
where gunicorn's own parser reads it and is the judge of it. What is not there in time is cut off.
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
from socket import MSG_DONTWAIT, SHUT_WR, socket
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from feedsvc import SUCCESSOR

HEAD_SECONDS, SECONDS = 5.0, 8.0
"""What a client has to send a head; and a request's first MiB; and what it has to take an answer."""

FREE, BODY_RATE, ANSWER_RATE = 1 << 20, 256 * 1024, 64 * 1024
"""That MiB, and the bytes, of the rest and of an answer, that give a client one second more."""

LINGER_SECONDS = 2.0
"""How long a client is listened to after the last answer: closed at once it might lose it (RFC 9112 §9.6)."""

_COLLECTED = 64 * 1024
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,18})", re.IGNORECASE)
_EXPECT = re.compile(rb"\nexpect:", re.IGNORECASE)


class Client(socket):
    """A client's socket. What was collected is read first, and waiting has an end; bytes are a request's."""

    def __init__(self, accepted: socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.held = bytearray()
        self.begin()

    def begin(self) -> None:
        """Another request may come."""
        self.since = 0.0
        self.waited = {ECONNRESET: 0.0, EPIPE: 0.0}  # for the client to send, and to read
        self.received = self.sent = 0
        self.ended = False

    def collect(self) -> None:
        """Take what has come."""
        try:
            chunk = super().recv(_COLLECTED, MSG_DONTWAIT)
            self.held += chunk
            self.ended = not chunk
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True

    def missing(self) -> float:
        """Until when a thread cannot go on; 0 where all has come, or much has, or no more will come."""
        head, whole = _HEAD_END.search(self.held), _COLLECTED
        if head:
            length = _LENGTH.search(self.held, 0, head.end())
            waits = length and not _EXPECT.search(self.held, 0, head.end())
            whole = min(whole, head.end() + (int(length[1]) if length and waits else 0))
        if self.ended or len(self.held) >= whole:
            return 0
        return self.since + (SECONDS if head else HEAD_SECONDS)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What was collected, or comes in time.

        :raises ConnectionResetError: the client sends too slowly.
        """
        data = bytes(self.held[:size])
        del self.held[:size]
        if not data:
            allowed = SECONDS + max(0, self.received - FREE) / BODY_RATE
            data = self._within(allowed, partial(super().recv, size), ECONNRESET)
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
            self._within(SECONDS + self.sent / ANSWER_RATE, partial(super().sendall, rest), EPIPE)

    def _within(self, allowed: float, call: Callable[[], Any], code: int) -> Any:
        begun, given = time.monotonic(), self.gettimeout()  # gunicorn has a limit when it drops a body
        left = max(0.001, allowed - self.waited[code])
        self.settimeout(min(left, given) if given else left)
        try:
            return call()
        except TimeoutError:
            raise OSError(code, "the client is too slow") from None
        finally:
            self.settimeout(given)
            self.waited[code] += time.monotonic() - begun


class Worker(ThreadWorker):  # type: ignore[misc]
    """`gthread` whose threads are given what they can work on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[TConn] = set()

    def init_process(self) -> None:
        """Begin to serve."""
        if self.age > self.cfg.workers:
            os.environ[SUCCESSOR] = "yes"
        # gunicorn calls a function for each setting, twenty times a request; they change no more.
        settings = self.cfg.settings.items()
        self.cfg.__dict__ |= {name: one.get() for name, one in settings if not hasattr(type(self.cfg), name)}
        super().init_process()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what this worker has no deadlines for."""
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise RuntimeError("TLS is for the proxy in front; this worker has no deadlines for it.")

    def enqueue_req(self, conn: TConn) -> None:
        """Collect from a connection that has something to read; give a whole request to a thread."""
        if not isinstance(conn.sock, Client):
            conn.sock, conn.data_ready = Client(conn.sock), True
        client = conn.sock
        if conn.parser:
            client.held[:0] = conn.parser.unreader.take_buffered()
        client.since = client.since or time.monotonic()
        client.collect()
        if until := client.missing():
            self._wait(conn, until, self.enqueue_req)
        else:
            super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """Answer a request, in a thread; how long it waited for one is on the client's account."""
        conn.sock.waited[ECONNRESET] = time.monotonic() - conn.sock.since
        try:
            return super().handle(conn)
        finally:
            conn.sock.begin()

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        with suppress(Exception):  # it was answered; an ill-formed rest of its body gets no answer of its own
            return bool(super()._keepalive_after(conn, keepalive))
        return False

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep the connection for another request, or end it without waiting for the client."""
        if fs.cancelled() or fs.exception() or not fs.result():
            with suppress(OSError):
                conn.sock.shutdown(SHUT_WR)
            conn.timeout = time.monotonic() + LINGER_SECONDS
            self._linger(conn)
        elif conn.sock.held:
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Close what has waited long enough."""
        now = time.monotonic()
        for conn in [conn for conn in self._waiting if conn.timeout <= now]:
            self._woken(conn, self._end)

    def _wait(self, conn: TConn, until: float, then: Callable[[TConn], None]) -> None:
        conn.timeout = until
        self._waiting.add(conn)
        self.poller.register(conn.sock, EVENT_READ, lambda _: self._woken(conn, then))

    def _woken(self, conn: TConn, then: Callable[[TConn], None]) -> None:
        self._waiting.remove(conn)
        self.poller.unregister(conn.sock)
        then(conn)

    def _linger(self, conn: TConn) -> None:
        conn.sock.collect()
        conn.sock.held.clear()
        if conn.sock.ended:
            self._end(conn)
        else:
            self._wait(conn, conn.timeout, self._linger)

    def _end(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
