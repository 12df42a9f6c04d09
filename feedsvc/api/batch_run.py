"""A batch that is stored in groups: a result for each line, until too many lines have errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flask import Response, current_app

from feedsvc.api.auth import current_token
from feedsvc.errors import FeedsvcError
from feedsvc.models import Entry
from feedsvc.storage import Storage, Writer

GROUP = 100
"""Lines a transaction: few enough that the write lock is never held for half a second."""

MAX_FAULTY = 1000
MAX_FAULTS = 50
"""Errors of one line in its result."""


@dataclass(frozen=True)
class Line:
    """One line of a batch: an entry to put, an id to delete, or what is wrong with it."""

    index: int
    kind: str = ""
    id: str | None = None
    entry: Entry | None = None
    error: FeedsvcError | None = None


Outcome = Callable[[Line, Writer | None], dict[str, Any]]
"""Stores a line and returns its result; a line that has an error already needs no writer."""


def expect(lines: Iterable[Line], writer: Writer) -> None:
    """Read at once what is stored under the ids of lines that are to be written."""
    writer.entries.prefetch(line.id for line in lines if line.id and not line.error)


class BatchRun:
    """The run of one batch; its results are JSON at once, since there may be many."""

    def __init__(self, store: Storage, outcome: Outcome) -> None:
        self._store, self._outcome = store, outcome
        self._results: list[bytes] = []
        self._count = self._faulty = 0

    def response(self, lines: Iterator[Line], total: int) -> Response:
        """Store lines, `total` of them, and return the results: 200, or 207 where some have errors."""
        for group in iter(lambda: list(islice(lines, GROUP)), []):
            self._run(group)
            if self._faulty >= MAX_FAULTY:
                break
        head = b'{"results":['
        body = [head, b",".join(self._results), b"]", self._stopped(total), b"}\n"]
        response = Response(
            body, 207 if self._faulty else 200, mimetype="application/json"
        )
        response.headers["Cache-Control"] = "no-store"
        response.content_length = sum(map(len, body))
        return response

    def _run(self, group: list[Line]) -> None:
        """Store a group; one that has nothing but errors needs no transaction."""
        if all(line.error for line in group):
            self._note(group, None)
            return
        with self._store.writer(current_token().name) as writer:
            expect(group, writer)
            self._note(group, writer)

    def _note(self, group: list[Line], writer: Writer | None) -> None:
        for line in group:
            if self._faulty >= MAX_FAULTY:
                return
            result = self._outcome(line, writer)
            self._count += 1
            self._faulty += result["status"] >= 300
            self._results.append(
                current_app.json.dumps(result, separators=(",", ":")).encode()
            )

    def _stopped(self, total: int) -> bytes:
        """Return the member that says where the batch was ended early, or nothing."""
        if self._count == total:
            return b""
        detail = f"Stopped after {MAX_FAULTY:,} lines with errors; the lines from this index on were ignored."
        stopped = {"index": self._count, "detail": detail}
        return b',"stopped":' + current_app.json.dumps(stopped).encode()
