"""Cache finished responses in a worker, until a revision of their kind."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cachetools import LRUCache

from feedsvc.feeds.response import CachedResponse
from feedsvc.storage.database import Database

MAX_BYTES = 64 * 1024 * 1024


class ResponseCache:
    """Responses by canonical URL, in memory, least recently used first out.

    A response is valid while no kind that it depends on has a newer revision than the
    one that was read before it was rendered. While the database is unavailable, this
    process knows no newer one, so what is cached stays valid.
    """

    def __init__(self, database: Database, max_bytes: int = MAX_BYTES) -> None:
        self._database = database
        self._responses: LRUCache[str, CachedResponse] = LRUCache(
            max_bytes, getsizeof=lambda response: response.size
        )
        self._lock = threading.Lock()

    def get(self, url: str) -> CachedResponse | None:
        """Return the response of a canonical URL, if it is valid."""
        with self._lock:
            response = self._responses.get(url)
        newest = self._database.revisions
        if response and response.revision >= newest.of(response.kinds):
            return response
        return None

    def get_or_render(
        self, url: str, render: Callable[[], CachedResponse]
    ) -> CachedResponse:
        """Return the response of a canonical URL; render it if none is valid."""
        response = self.get(url)
        if response is None:
            response = render()
            self._put(url, response)
        return response

    def _put(self, url: str, response: CachedResponse) -> None:
        with self._lock:
            if response.size <= self._responses.maxsize:
                self._responses[url] = response
