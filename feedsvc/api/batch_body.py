"""The body of a batch: read whole, so that its lines are counted before any of them is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from typing import Any

from flask import request
from werkzeug.exceptions import (
    ClientDisconnected,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from feedsvc.api.json_stream import iter_json_array, iter_ndjson
from feedsvc.api.request_parsing import check_content_headers
from feedsvc.errors import Busy

MAX_LINES = 50_000
MAX_ATOMIC = 1000
"""Lines of an atomic batch, which is one transaction."""

_LARGE = 1024 * 1024
_FORMATS = {"application/x-ndjson": iter_ndjson, "application/json": iter_json_array}


class BatchBody:
    """The lines of a request."""

    def __init__(self, body: bytes) -> None:
        """:raises Malformed: the body is no array, or a line is too long."""
        self._body, self._read = body, _FORMATS[request.mimetype]
        self.count = 0
        for _ in self._read(BytesIO(body)):
            self.count += 1
            if self.count > MAX_LINES:
                break

    @property
    def fingerprint(self) -> str:
        """The hash of the body."""
        return sha256(self._body).hexdigest()

    def documents(self) -> Iterator[Any]:
        """Yield its documents; for a line of NDJSON that is no strict JSON, the error that says why."""
        return self._read(BytesIO(self._body))

    def check_count(self, *, atomic: bool) -> None:
        """Check how many lines there are.

        :raises RequestEntityTooLarge: there are too many.
        """
        limit, name = (
            (MAX_ATOMIC, "An atomic batch") if atomic else (MAX_LINES, "A batch")
        )
        if self.count > limit:
            raise RequestEntityTooLarge(f"{name} has at most {limit:,} lines.")


class BatchSlots:
    """Bound how many large batches are in memory at once."""

    def __init__(self, slots: int = 2) -> None:
        self._free = threading.Semaphore(slots)

    @contextmanager
    def body(self, max_bytes: int) -> Iterator[BatchBody]:
        """Read the body of the request.

        :raises Busy: other requests have large batches in memory.
        :raises RequestEntityTooLarge: it is too large.
        """
        request.max_content_length = max_bytes
        check_content_headers(request)
        if request.mimetype not in _FORMATS:
            raise UnsupportedMediaType(
                "A batch is application/json (an array) or application/x-ndjson."
            )
        is_large = (request.content_length or 0) > _LARGE
        if is_large and not self._free.acquire(blocking=False):
            raise Busy
        try:
            yield BatchBody(self._received())
        finally:
            if is_large:
                self._free.release()

    def _received(self) -> bytes:
        body = request.stream.read()
        if len(body) < (request.content_length or 0):
            raise ClientDisconnected
        return body
