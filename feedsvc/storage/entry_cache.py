"""Keep entries that feeds have loaded, so that a feed after a write loads one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from feedsvc.models import Entry

MAX_BYTES = 4 << 20
"""Estimated bytes of all entries; the items that formats keep with them add to that."""

_MAX_ENTRY_BYTES = MAX_BYTES // 64
"""Larger entries would displace too many others."""


class _CachedEntry(NamedTuple):
    stamp: Hashable
    size: int
    entry: Entry


class EntryCache:
    """Entries by key, least recently used first out.

    An entry is valid while its stamp is that of its row: whatever changes the entry or
    its categories changes the stamp, so the caller compares within one snapshot, and
    nothing needs to be removed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, _CachedEntry] = OrderedDict()
        self._size = 0

    def get(self, key: int, stamp: Hashable) -> Entry | None:
        """Return the entry with a key, if it is cached and has this stamp."""
        with self._lock:
            cached = self._entries.get(key)
            if cached is None or cached.stamp != stamp:
                return None
            self._entries.move_to_end(key)
            return cached.entry

    def put(self, key: int, stamp: Hashable, size: int, entry: Entry) -> None:
        """Keep an entry.

        :param size: its estimated bytes in a feed.
        """
        if size > _MAX_ENTRY_BYTES:
            return
        with self._lock:
            # With an old stamp, or by another thread that missed it too.
            self._remove(key)
            self._entries[key] = _CachedEntry(stamp, size, entry)
            self._size += size
            while self._size > MAX_BYTES:
                self._remove(next(iter(self._entries)))

    def clear(self) -> None:
        """Remove all entries, because the database was replaced."""
        with self._lock:
            self._entries.clear()
            self._size = 0

    def _remove(self, key: int) -> None:
        removed = self._entries.pop(key, None)
        if removed:
            self._size -= removed.size
