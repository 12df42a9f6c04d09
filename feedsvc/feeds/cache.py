"""Cache finished responses in a worker, until a revision of their kind."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from cachetools import LRUCache

from feedsvc.feeds.cached_response import CachedResponse
from feedsvc.storage.database import Database

MAX_BYTES = 64 * 1024 * 1024

#: Seconds that a thread waits for another one that renders the same response.
MAX_WAIT = 2


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
        #: What threads render at the moment, by URL.
        self._renderings: dict[str, Future[CachedResponse]] = {}
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
        """Return the response of a canonical URL; render it if none is valid.

        Of threads that need the same response at the same time, one renders it. If it
        fails or takes too long, each of the others renders its own.
        """
        deadline = time.monotonic() + MAX_WAIT
        newest = self._database.revisions
        response = self.get(url)
        while response is None:
            with self._lock:
                other = self._renderings.get(url)
                if other is None:
                    rendering = self._renderings[url] = Future()
            if other is None:
                return self._render(url, render, rendering)
            try:
                shared = other.result(deadline - time.monotonic())
            except Exception:  # of any kind, or the time is over
                return render()
            # The other thread may have read an older revision than this one must show.
            if shared.revision >= newest.of(shared.kinds):
                response = shared
        return response

    def _render(
        self,
        url: str,
        render: Callable[[], CachedResponse],
        rendering: Future[CachedResponse],
    ) -> CachedResponse:
        """Render a response and store it, for the threads that wait for it too."""
        try:
            response = render()
        except Exception as error:
            rendering.set_exception(error)
            raise
        else:
            with self._lock:
                response = response.sharing_with(self._responses.get(url))
                if response.size <= self._responses.maxsize:
                    self._responses[url] = response
            rendering.set_result(response)
            return response
        finally:
            with self._lock:
                del self._renderings[url]
