"""Rendering of feeds for deliveries, in two threads."""

from __future__ import annotations

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from feedsvc.errors import BadRequest, FeedsvcError, Gone, NotFound, Unavailable
from feedsvc.http.conditional import CachedResponse
from feedsvc.storage import Storage
from feedsvc.storage.deliveries import SLOW_FEED
from feedsvc.web.feeds import FeedService
from feedsvc.websub_types import SubscribedFeed

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class FeedRenderer:
    """Render feeds in a thread for fast ones, and one for those that took long before.

    So a slow feed holds up no other. More threads would not help: rendering needs the
    processor.
    """

    def __init__(self, storage: Storage, feeds: FeedService) -> None:
        self._storage = storage
        self._feeds = feeds
        self._fast_thread = ThreadPoolExecutor(1)
        self._slow_thread = ThreadPoolExecutor(1)
        self._is_slow: dict[str, bool] = {}  # of each path that is queued or rendered
        self._finished: deque[tuple[str, CachedResponse | None]] = deque()

    def queued_paths(self) -> set[str]:
        """Return the feeds that are being rendered or wait for it."""
        return set(self._is_slow)

    def available(self, limit: int) -> tuple[int, int]:
        """Return how many fast feeds fit into a queue of `limit`, and how many slow."""
        slow = sum(list(self._is_slow.values()))
        fast = len(self._is_slow) - slow
        return limit - fast, 0 if slow else 1

    def submit(self, path: str, render_seconds: float) -> None:
        """Queue a feed, unless it is queued already.

        :param render_seconds: duration of the last rendering.
        """
        if path in self._is_slow:
            return
        is_slow = render_seconds >= SLOW_FEED
        self._is_slow[path] = is_slow
        thread = self._slow_thread if is_slow else self._fast_thread
        thread.submit(self._run, path, render_seconds)

    def take_finished(self) -> Iterator[tuple[str, CachedResponse | None]]:
        """Yield the paths that were rendered since the last call.

        The response is None if the feed failed, moved or no longer exists.
        """
        while self._finished:
            yield self._finished.popleft()

    def get_feed(
        self, path: str, render_seconds: float
    ) -> tuple[SubscribedFeed, CachedResponse] | None:
        """Return the state of a feed and its response.

        If a category was renamed or retired, it is the state of another feed, to which
        the subscriptions are moved. If the feed no longer exists, they are ended.

        :param render_seconds: duration of the last rendering, if it is cached now.
        """
        started = time.monotonic()
        is_cached = self._feeds.get_cached(path) is not None
        try:
            current_path, response = self._feeds.get_topic(path)
        except (NotFound, Gone, BadRequest) as error:
            self._storage.subscriptions.end_feed(path, str(error))
            return None
        if not is_cached:
            render_seconds = time.monotonic() - started
        feed = SubscribedFeed(
            current_path,
            response.etag,
            response.version.seq,
            response.version.feed_keys,
            response.expires_at,
            response.is_pinned,
            render_seconds,
        )
        if current_path != path:
            self._storage.subscriptions.move_feed(path, feed)
        return feed, response

    def close(self) -> None:
        """Drop the queue, and wait for the feeds that are being rendered."""
        for thread in (self._fast_thread, self._slow_thread):
            thread.shutdown(cancel_futures=True)

    def _run(self, path: str, render_seconds: float) -> None:
        response = call_logged(self._refresh, path, render_seconds)
        # In this order: a path that is no longer queued can be submitted again, and a
        # path that is queued still will be finished.
        del self._is_slow[path]
        self._finished.append((path, response))

    def _refresh(self, path: str, render_seconds: float) -> CachedResponse | None:
        """Render a feed, and store its state, which makes its deliveries due."""
        current = self.get_feed(path, render_seconds)
        if current is None or current[0].path != path:
            return None
        feed, response = current
        self._storage.deliveries.update_feed(feed)
        return response


def call_logged(work: Callable[..., _Result], *arguments: object) -> _Result | None:
    """Call a function; log its exception, and return None, since it is tried again."""
    try:
        return work(*arguments)
    except Unavailable:
        pass  # the database's OutageLog has logged it
    except FeedsvcError as error:
        _log.warning("Delivery failed, retrying: %s", error)
    except Exception as error:
        # Without the message: that of a database error has the values, among them
        # callbacks and secrets.
        stack = "".join(traceback.format_tb(error.__traceback__))
        _log.error("Delivery failed, retrying: %s\n%s", type(error).__name__, stack)
    return None
