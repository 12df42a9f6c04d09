"""Cache finished responses in a worker, until one of their feeds changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from feedsvc.errors import Busy, Unavailable
from feedsvc.http.conditional import CachedResponse
from feedsvc.models import EPOCH, Check, Clock, FeedKey, Revision
from feedsvc.storage import Storage

CacheHit = tuple[CachedResponse, Check]
"""A response, and a check of the change log by which it is valid."""

_SHORT_WAIT = 3.0
"""Seconds that any thread waits for another that renders the same response.

The first page of a worker takes longest, since its templates are compiled; with many
requests at once, all of them must wait longer than the compilation takes.
"""

_LONG_WAIT = 5.0
"""Further seconds, for `_MAX_WAITING` threads."""

_MAX_WAITING = 8
"""Threads that wait longer; the others are needed for other requests."""

_SEARCH_SHARE = 8
"""Searches have this part of the cache at most: any number of them can be asked for."""

_MAX_KEY_LENGTH = 256
"""Characters of a URL that is stored as an alias.

The size of a cached response allows for one, but not for a long one.
"""


def cache_key(environ: Mapping[str, Any]) -> str:
    """Return the path and query string of a request.

    The path is decoded already, so a question mark in it is encoded again: `/a%3Fb` is
    not `/a?b`.
    """
    path = environ.get("PATH_INFO", "").replace("?", "%3F")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


class ResponseCache:
    """Cache responses by canonical URL, in memory, least recently used first out.

    A response is valid while no feed that it depends on has changed. `sync` asks the
    database which have; between two calls, `get` asks nothing. Invalid responses stay
    until they are replaced or evicted, for use while the database is unavailable.

    :param max_entries: responses at most.
    :param max_bytes: bytes of all responses with their encodings.
    :param sync_on_read: whether to sync before every response, where no thread does it
        periodically.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        max_entries: int,
        max_bytes: int,
        *,
        sync_on_read: bool,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self.sync_on_read = sync_on_read
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._in_flight: WeakValueDictionary[str, _InFlight] = WeakValueDictionary()
        self._responses: OrderedDict[str, CachedResponse] = OrderedDict()
        self._aliases: dict[str, str] = {}
        self._revision: Revision = 0, EPOCH, EPOCH
        self._last_changes: dict[FeedKey, int] = {}
        self._check = Check(EPOCH)
        self._waiting = threading.Semaphore(_MAX_WAITING)

    def sync(self) -> None:
        """Read from the change log which feeds have changed since the last call.

        While the database is unavailable, nothing changes.
        """
        # One thread at a time, so that no older snapshot is applied after a newer.
        with self._sync_lock:
            now = self._clock()
            try:
                revision, changes = self._storage.changes_since(self._revision)
            except Unavailable:
                return
            with self._lock:
                if changes is None:
                    # The database was restored from a backup. A new dictionary, so that
                    # a response that is being rendered now is not stored.
                    self._responses.clear()
                    self._last_changes = {}
                    self._revision = 0, EPOCH, EPOCH
                    self._check = Check(EPOCH)
                self._last_changes.update(changes or {})
                self._check = Check(now, revision[0], self._clock_lead(revision, now))
                self._revision = revision
                self._evict()

    def _clock_lead(self, revision: Revision, now: datetime) -> timedelta:
        """Return how far this clock may be ahead of the clock of the log's writer.

        Last-Modified may state a second when it is over for all who write. It allows
        for clocks that differ by less than half a second (`CachedResponse`); this finds
        those that differ by more. Example: the writer's clock shows 11:59:58 when this
        one shows 12:00:01. At 12:00:01 the second 11:59:59 is not over for the writer,
        so this clock is 3 s ahead.
        """
        _, time, writer_clock = revision
        _, last_time, last_writer_clock = self._revision
        if writer_clock.replace(microsecond=0) < time.replace(microsecond=0):
            # A writer that is behind the log stays in the log's last second until its
            # clock has passed that second. It showed at least `writer_clock` when this
            # process first saw that value.
            if writer_clock == last_writer_clock:
                return self._check.ahead
            return max(now - writer_clock, timedelta())
        if time == last_time:
            return self._check.ahead
        if self._check.time == EPOCH:
            return timedelta()
        # The change was written after the previous check, which did not see it: if its
        # time is before that check, its writer's clock is slower. The previous check
        # counts as `now` at most, in case this clock was set back since.
        return max(min(self._check.time, now) - time, timedelta())

    def stats(self) -> tuple[int, int]:
        """Return the number of responses and their bytes."""
        responses = list(self._responses.values())
        return len(responses), sum(response.size for response in responses)

    def get(self, url: str) -> CacheHit | None:
        """Return the response of a URL that was requested before, if it is valid.

        :param url: path and query string, as requested.
        """
        if self.sync_on_read:
            self.sync()
        # Read before the response: a sync in between may invalidate the response, and
        # its check would then vouch for a response that it has not seen.
        check = self._check
        response = self._get_valid(self._aliases.get(url, url))
        return (response, check) if response else None

    def get_or_render(
        self, url: str, key: str, render: Callable[[], CachedResponse]
    ) -> CacheHit:
        """Return the response of a canonical URL, and render it if need be.

        Simultaneous requests render it once, and wait once for a database that is
        unavailable.

        :param url: path and query string, as requested; an alias from now on.
        :param key: the canonical path and query string.
        :raises Busy: it was not rendered in time, or too many threads wait for it.
        """
        if self.sync_on_read:
            self.sync()
        with self._lock:
            in_flight = self._in_flight.setdefault(key, _InFlight())
        with self._acquire(in_flight):
            check = self._check
            response = self._get_valid(key)
            if response is None:
                response = self._render_and_store(key, render, in_flight)
        if response.is_cacheable and url != key and len(url) <= _MAX_KEY_LENGTH:
            self._store_alias(url, key)
        return response, self.current_check(response, check)

    def current_check(
        self, response: CachedResponse, check: Check | None = None
    ) -> Check:
        """Return a check that has seen the changes that a response was made from.

        :param check: a check by which the response is valid (default: the last one).
        """
        check = check or self._check
        if response.version.seq > check.seq:
            self.sync()
            newer = self._check
            if self._is_current(response):
                return newer
        return check

    @contextmanager
    def _acquire(self, in_flight: _InFlight) -> Iterator[None]:
        """Hold the lock of a response that is being rendered."""
        if not in_flight.lock.acquire(timeout=_SHORT_WAIT):
            if not self._waiting.acquire(blocking=False):
                raise Busy
            try:
                if not in_flight.lock.acquire(timeout=_LONG_WAIT):
                    raise Busy
            finally:
                self._waiting.release()
        try:
            yield
        finally:
            in_flight.lock.release()

    def _get_valid(self, key: str) -> CachedResponse | None:
        response = self._responses.get(key)
        if response is None or not self._is_current(response):
            return None
        # A response that was rendered after its expiry, because the scheduler has not
        # applied the change yet, is valid until it has.
        expires_at = response.expires_at
        if expires_at and response.checked_at < expires_at <= self._clock():
            return None
        # The worker's event loop must not wait for a lock; the order need not be exact.
        if self._lock.acquire(blocking=False):
            try:
                if key in self._responses:
                    self._responses.move_to_end(key)
            finally:
                self._lock.release()
        return response

    def _is_current(self, response: CachedResponse) -> bool:
        last_changes = self._last_changes
        version = response.version
        return all(last_changes.get(key, 0) <= version.seq for key in version.feed_keys)

    def _render_and_store(
        self, key: str, render: Callable[[], CachedResponse], in_flight: _InFlight
    ) -> CachedResponse:
        last_changes = self._last_changes
        try:
            if in_flight.error:
                raise in_flight.error
            response = render()
        except Unavailable as error:
            if not in_flight.error:
                # For those that wait already; later requests try again.
                in_flight.error = error
                with self._lock:
                    self._in_flight.pop(key, None)
            expired = self._responses.get(key)
            if expired and self._is_current(expired):
                return expired
            raise
        with self._lock:
            if last_changes is self._last_changes and response.is_cacheable:
                self._responses[key] = response
                self._responses.move_to_end(key)
                self._evict()
        return response

    def _store_alias(self, url: str, key: str) -> None:
        with self._lock:
            self._aliases[url] = key
            if len(self._aliases) > self._max_entries:
                del self._aliases[next(iter(self._aliases))]

    def _evict(self) -> None:
        """Remove the least recently used responses: searches first, pinned ones last.

        Anyone can request any number of searches and combinations; they must not
        displace the feeds that all readers share.
        """
        searches = [
            (key, response)
            for key, response in self._responses.items()
            if response.has_free_text
        ]
        self._evict_among(
            searches,
            max(1, self._max_entries // _SEARCH_SHARE),
            self._max_bytes // _SEARCH_SHARE,
        )
        responses = sorted(
            self._responses.items(),
            key=lambda item: (not item[1].has_free_text, item[1].is_pinned),
        )
        self._evict_among(responses, self._max_entries, self._max_bytes)

    def _evict_among(
        self,
        responses: list[tuple[str, CachedResponse]],
        max_entries: int,
        max_bytes: int,
    ) -> None:
        """Remove the first of some responses until those that are left fit."""
        size = sum(response.size for _, response in responses)
        for number, (key, response) in enumerate(responses):
            if size <= max_bytes and len(responses) - number <= max_entries:
                return
            size -= response.size
            del self._responses[key]


class _InFlight:
    """A response that is being rendered; those that wait for it take turns."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.error: Unavailable | None = None
