"""Finished answers, kept in the worker until a topic that they rest on moves or their moment comes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from feedsvc.errors import Busy, Unavailable
from feedsvc.http.conditional import CachedResponse
from feedsvc.models import EPOCH, Check, Clock, FeedKey, Revision

ChangesSince = Callable[[Revision], tuple[Revision, Mapping[FeedKey, int] | None]]
"""The ledger's last step, and of the topics that moved after a step the last one of each; None where the
ledger does not know that step: the database was restored."""

CacheHit = tuple[CachedResponse, Check]
"""An answer, and a check of the ledger that had not moved it."""

_SHORT_WAIT, _LONG_WAIT = 0.5, 5.0
"""Seconds that any thread waits for a document in the making, and then at most `_MOST_WAITING` threads."""

_MOST_WAITING = 8

_MAX_KEY_LENGTH = 256
"""Characters of an address that is remembered: an answer's share of memory allows for one."""


class ResponseCache:
    """Answers by key. Bounded in number and in bytes: what was used longest ago goes, the plain ones last.

    An answer is right while none of its topics has moved. `look` asks the ledger; between two looks nothing
    is asked. What is no longer right stays until there is a better one, for when the database is away.
    """

    def __init__(
        self,
        moved: ChangesSince,
        clock: Clock,
        entries: int,
        size: int,
        *,
        always_look: bool,
    ) -> None:
        """:param always_look: whether to look before every answer, where nothing else looks in between."""
        self._changes_since, self._clock, self._sync_on_read = moved, clock, always_look
        self._entries, self._size = entries, size
        self._lock, self._sync_lock = threading.Lock(), threading.Lock()
        self._in_flight: WeakValueDictionary[str, _InFlight] = WeakValueDictionary()
        self._responses: OrderedDict[str, CachedResponse] = OrderedDict()
        self._aliases: dict[str, str] = {}
        self._revision: Revision = 0, EPOCH, EPOCH
        self._last_changes: dict[FeedKey, int] = {}
        self._check = Check(EPOCH)
        self._waiting = threading.Semaphore(_MOST_WAITING)

    def sync(self) -> None:
        """Learn what the ledger has moved since the last look; a database that is away moves nothing."""
        with (
            self._sync_lock
        ):  # one at a time: a snapshot must not be learnt after a later one
            now = self._clock()
            try:
                step, moved = self._changes_since(self._revision)
            except Unavailable:
                return
            with self._lock:
                if moved is None:
                    self._responses.clear()
                    self._last_changes = {}  # another one: what is being made now will not be kept
                    self._revision, self._check = (0, EPOCH, EPOCH), Check(EPOCH)
                self._last_changes.update(moved or {})
                self._check = Check(now, step[0], self._ahead(step, now))
                self._revision = step
                self._evict()

    def _ahead(self, step: Revision, now: datetime) -> timedelta:
        """Return by how much this clock may be ahead of the clock of the log's writer.

        A second may be stated as Last-Modified when it is over for all who write. Clocks that differ by less
        than half a second are allowed for (`Answer`); this finds those that differ by more.
        A writer that is behind the log goes on in the log's last second until its clock has passed it. That
        clock showed at least `reading` when this process first saw that reading. Else, a step that the
        previous check did not see was written after that check, so a time before it is of a slower clock.
        """
        _, time, reading = step
        _, last_time, last_reading = self._revision
        if reading.replace(microsecond=0) < time.replace(microsecond=0):
            return (
                self._check.ahead
                if reading == last_reading
                else max(now - reading, timedelta())
            )
        if time == last_time:
            return self._check.ahead
        before = min(
            self._check.time, now
        )  # not the former check's time, where this clock was set back since
        return (
            max(before - time, timedelta()) if self._check.time > EPOCH else timedelta()
        )

    def stats(self) -> tuple[int, int, datetime]:
        """How many answers are kept, their bytes, and when the ledger was last looked at."""
        answers = list(self._responses.values())
        return len(answers), sum(answer.size for answer in answers), self._check.time

    def get(self, address: str) -> CacheHit | None:
        """The answer to an address that was answered before, if it is still right."""
        if self._sync_on_read:
            self.sync()
        check = (
            self._check
        )  # first: the look that comes in between may have moved the answer
        found = self._get_valid(self._aliases.get(address, address))
        return (found, check) if found else None

    def get_or_render(
        self, address: str, key: str, make: Callable[[], CachedResponse]
    ) -> CacheHit:
        """The answer of a key, made where there is none; the address leads to it from now on.

        However many ask at once, it is made once; and they wait once for a database that is away. Most
        documents are made in a few milliseconds; for one that takes longer only some threads wait, so that
        others are free for other requests.

        :raises Busy: it was not made in time, or enough threads wait already.
        """
        if self._sync_on_read:
            self.sync()
        with self._lock:
            flight = self._in_flight.setdefault(key, _InFlight())
        with self._turn(flight):
            check = self._check
            found = self._get_valid(key) or self._render_and_store(key, make, flight)
        if found.is_cacheable and address != key and len(address) <= _MAX_KEY_LENGTH:
            with self._lock:
                self._aliases[address] = key
                if len(self._aliases) > self._entries:
                    del self._aliases[next(iter(self._aliases))]
        return found, self.checked(found, check)

    @contextmanager
    def _turn(self, flight: _InFlight) -> Iterator[None]:
        """Hold the lock of an answer in the making."""
        if not flight.lock.acquire(timeout=_SHORT_WAIT):
            if not self._waiting.acquire(blocking=False):
                raise Busy
            try:
                if not flight.lock.acquire(timeout=_LONG_WAIT):
                    raise Busy
            finally:
                self._waiting.release()
        try:
            yield
        finally:
            flight.lock.release()

    def checked(self, answer: CachedResponse, check: Check | None = None) -> Check:
        """Return a check that has seen the steps that an answer was made from, where there can be one.

        :param check: one that has not moved the answer.
        """
        check = check or self._check
        if answer.version.seq > check.seq:
            self.sync()
            newer = self._check
            if self._is_current(answer):
                return newer
        return check

    def _get_valid(self, key: str) -> CachedResponse | None:
        found = self._responses.get(key)
        if found is None or not self._is_current(found):
            return None
        if found.expires_at and found.checked_at < found.expires_at <= self._clock():
            return None
        with self._lock:
            if key in self._responses:
                self._responses.move_to_end(key)
        return found

    def _is_current(self, answer: CachedResponse) -> bool:
        last, stamp = self._last_changes, answer.version
        return all(last.get(topic, 0) <= stamp.seq for topic in stamp.feed_keys)

    def _render_and_store(
        self, key: str, make: Callable[[], CachedResponse], flight: _InFlight
    ) -> CachedResponse:
        last = self._last_changes
        try:
            if flight.failed:
                raise flight.failed
            made = make()
        except Unavailable as error:
            if not flight.failed:
                flight.failed = error
                with self._lock:
                    self._in_flight.pop(key, None)  # who comes now tries again
            old = self._responses.get(key)
            if old and self._is_current(old):
                return old  # its moment has come, and nobody can say what follows
            raise
        with self._lock:
            if last is self._last_changes and made.is_cacheable:
                self._responses[key] = made
                self._responses.move_to_end(key)
                self._evict()
        return made

    def _evict(self) -> None:
        answers = list(self._responses.items())
        held = sum(answer.size for _, answer in answers)
        for plain in (False, True):
            for key, answer in answers:
                if held <= self._size and len(self._responses) <= self._entries:
                    return
                if answer.is_pinned is plain:
                    held -= answer.size
                    del self._responses[key]


class _InFlight:
    """An answer in the making: those who wait for the same hold the lock in turn."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.failed: Unavailable | None = None
