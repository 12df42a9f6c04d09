"""Fragments: one entry in a format, for all feeds that show it in the same way."""

import hashlib
import threading
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import msgspec
from cachetools import LRUCache

from feedsvc.feeds.query import FeedQuery
from feedsvc.models import NEVER_MODIFIED, Stamp

MAX_BYTES = 64 * 1024 * 1024

#: Bytes in memory of a key and a fragment without its body.
_OVERHEAD = 750


class Fragment(NamedTuple):
    """An entry in one format.

    Calendars alone have the other members: `starts` is the start of the occurrence that
    is shown, `zone` the key of the time zone that is written for `years`.
    """

    body: bytes
    guid: str = ""
    updated: datetime = NEVER_MODIFIED
    starts: datetime | None = None
    zone: str | None = None
    years: tuple[int, int] = (0, 0)


def fragment_key(presentation: FeedQuery, stamp: Stamp) -> bytes:
    """Return the key of an entry's fragment: a hash of all that it depends on.

    Bytes are compared, since values may be equal and rendered differently.
    """
    return hashlib.sha256(msgspec.msgpack.encode((presentation.path, stamp))).digest()


class FragmentCache:
    """Fragments of one site and database, in memory, least recently used first out.

    Nothing makes one invalid: that of an entry which has changed has another key.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._fragments: LRUCache[bytes, Fragment] = LRUCache(
            max_bytes, getsizeof=lambda fragment: len(fragment.body) + _OVERHEAD
        )
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Fragment | None:
        """Return the fragment of a key, if there is one."""
        with self._lock:
            return self._fragments.get(key)

    def store(self, key: bytes, fragment: Fragment) -> None:
        """Store a fragment, unless it is larger than the cache."""
        with self._lock, suppress(ValueError):
            self._fragments[key] = fragment
