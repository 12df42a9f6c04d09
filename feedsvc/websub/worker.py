"""The delivery worker, which `python -m feedsvc deliver` runs.

It alone makes outgoing requests; a web worker never does, so nobody can block its
threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from feedsvc.http.conditional import CachedResponse
from feedsvc.storage import Storage
from feedsvc.storage.deliveries import SLOW_CALLBACK, RunningCalls, Speed
from feedsvc.web.feeds import FeedService
from feedsvc.websub.delivery import WebSubClient, backoff
from feedsvc.websub.http_client import AddressBusy
from feedsvc.websub.limits import AddressQuota, ConcurrencyLimiter
from feedsvc.websub.renderer import FeedRenderer, call_logged
from feedsvc.websub_types import (
    Delivery,
    DeliveryResult,
    HubPing,
    PendingVerification,
)

POLL_INTERVAL = 0.1
"""Seconds between two rounds."""

PURGE_INTERVAL = 30.0
"""Seconds between two purges of what has expired."""

SHUTDOWN_GRACE = 3.0
"""Seconds that running calls get to finish when the worker stops."""

DEBOUNCE = timedelta(seconds=0.7)
"""Time for which a checked feed is left alone; changes in between are one delivery."""

MAX_CONCURRENT = 120
"""Deliveries in their first seconds, which occupy a slot; without slow callbacks."""

RESERVED_FOR_FAST = 40
"""Slots of these for callbacks that were fast lately; new ones get the rest."""

MAX_SLOW = 60
"""Deliveries to callbacks that were slow or failed lately."""

MAX_RUNNING = 400
"""All deliveries; above it the longest is ended, and retried later."""

MAX_VERIFICATIONS = 100
"""Verifications in their first seconds, when they occupy a slot."""

MAX_RUNNING_VERIFICATIONS = 300
"""All verifications."""

MAX_PER_HOST = 20
"""Deliveries, and verifications, of one registrable domain or address at a time."""

MAX_ATTEMPTS = 6
"""Attempts to verify a callback that is down, in about five minutes.

WebSub leaves it to the hub; this outlasts a restart of the subscriber.
"""

BUSY_DELAY = timedelta(seconds=2)
"""Delay before a call is tried again whose address had MAX_PER_HOST calls."""

_MAX_QUEUED_FEEDS = 8

Job = Coroutine[None, None, None]
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class DeliveryWorker:
    """Verify requests, deliver changed feeds and ping external hubs.

    The database hands out the work, so any number of workers can run. Storage is called
    in threads; requests are asyncio tasks.
    """

    def __init__(
        self, storage: Storage, feeds: FeedService, client: WebSubClient
    ) -> None:
        self._storage = storage
        self._feeds = feeds
        self._client = client
        self._renderer = FeedRenderer(storage, feeds)
        self._deliveries = ConcurrencyLimiter(MAX_CONCURRENT, MAX_RUNNING, MAX_PER_HOST)
        self._verifications = ConcurrencyLimiter(
            MAX_VERIFICATIONS, MAX_RUNNING_VERIFICATIONS, MAX_PER_HOST
        )
        self._address_quota = AddressQuota()
        self._waiting: dict[str, list[Delivery]] = {}  # for rendering, by path
        self._results: deque[DeliveryResult] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._checked_seq = 0
        self._poll_thread = ThreadPoolExecutor(1)
        # Few, since what they do may render a feed, which needs the processor.
        self._result_threads = ThreadPoolExecutor(2)

    async def run(self, should_stop: Callable[[], bool]) -> None:
        """Work until it should stop."""
        loop = asyncio.get_running_loop()
        # asyncio looks up names in these threads. There is one for each call, so that
        # a slow name server holds up no other call.
        loop.set_default_executor(
            ThreadPoolExecutor(MAX_RUNNING + MAX_RUNNING_VERIFICATIONS)
        )
        next_purge = loop.time()
        while not should_stop():
            started = loop.time()
            if started >= next_purge:
                next_purge = started + PURGE_INTERVAL
                await self._in_thread(self._poll_thread, self._purge)
            await self._in_thread(self._poll_thread, self._detect_changes)
            await self._in_thread(self._poll_thread, self._record_results)
            self._start_rendered()
            for claim in (
                self._claim_verifications,
                self._claim_pings,
                self._claim_deliveries,
            ):
                jobs = await self._in_thread(self._poll_thread, claim)
                for job in jobs or ():
                    self._start(job)
            elapsed = loop.time() - started
            await asyncio.sleep(max(0.0, POLL_INTERVAL - elapsed))
        await self._shut_down()

    def _start(self, job: Job) -> None:
        task = asyncio.create_task(job)
        # The loop holds only weak references to tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _start_rendered(self) -> None:
        """Start the deliveries that waited for their feed to be rendered."""
        for path, response in self._renderer.take_finished():
            for delivery in self._waiting.pop(path, ()):
                if response:
                    self._start(self._deliver(delivery, response))

    async def _shut_down(self) -> None:
        """Give back what has not started, and let running calls finish."""
        await self._in_thread(self._poll_thread, self._release_waiting)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=SHUTDOWN_GRACE)
            for task in late:
                task.cancel()
        await self._in_thread(self._poll_thread, self._record_results)
        self._renderer.close()
        self._result_threads.shutdown(cancel_futures=True)
        self._poll_thread.shutdown()

    async def _in_thread(
        self, executor: Executor, work: Callable[..., _Result], *arguments: object
    ) -> _Result | None:
        """Call a function in a thread; if it fails, log that and return None."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, call_logged, work, *arguments)

    # The steps of a round, in the poll thread.

    def _purge(self) -> None:
        """Delete what has expired, and learn how full each address is."""
        self._storage.subscriptions.purge_expired()
        self._address_quota.reset(self._storage.deliveries.count_by_address())

    def _detect_changes(self) -> None:
        """Have feeds rendered that changed; that makes their deliveries due."""
        self._storage.apply_scheduled_changes()
        fast_limit, slow_limit = self._renderer.available(_MAX_QUEUED_FEEDS)
        if fast_limit <= 0:
            return
        feeds, self._checked_seq = self._storage.deliveries.claim_feeds(
            self._checked_seq, DEBOUNCE, fast_limit, slow_limit
        )
        for feed in feeds:
            self._renderer.submit(feed.path, feed.render_seconds)

    def _record_results(self) -> None:
        """Store the results of the deliveries that have finished."""
        results = [self._results.popleft() for _ in range(len(self._results))]
        if not results:
            return
        try:
            self._storage.deliveries.record_results(results)
        except BaseException:
            self._results.extend(results)  # for the next round
            raise

    def _claim_verifications(self) -> Sequence[Job]:
        requests = self._storage.subscriptions.claim_requests(
            self._verifications.available(), self._verifications.running()
        )
        return [self._verify(request) for request in requests]

    def _claim_pings(self) -> Sequence[Job]:
        return [self._ping_hub(ping) for ping in self._storage.hubs.claim_pings()]

    def _claim_deliveries(self) -> Sequence[Job]:
        """Claim deliveries, and have their feeds rendered that are not cached."""
        available = self._deliveries.available()
        limits: dict[Speed, int] = {
            "fast": available,
            "new": available - RESERVED_FOR_FAST,
            "slow": MAX_SLOW - self._deliveries.count_slow(),
        }
        running = self._deliveries.running()
        counts = Counter(running.counts)
        # Those come with the version that is rendered now.
        excluded = {*self._renderer.queued_paths(), *self._waiting}
        jobs = []
        for speed, limit in limits.items():
            for delivery in self._storage.deliveries.claim_deliveries(
                limit, RunningCalls(counts, running.max_per_key), speed, excluded
            ):
                # The limits of a domain and of an address are for all speeds together.
                counts.update(delivery.limit_keys)
                if response := self._feeds.get_cached(delivery.path):
                    jobs.append(self._deliver(delivery, response))
                else:
                    self._wait_for_rendering(delivery)
        return jobs

    def _wait_for_rendering(self, delivery: Delivery) -> None:
        path = delivery.path
        if path not in self._waiting:
            self._waiting[path] = []
            self._renderer.submit(path, self._storage.deliveries.render_seconds(path))
        self._waiting[path].append(delivery)

    def _release_waiting(self) -> None:
        deliveries = [
            delivery for waiting in self._waiting.values() for delivery in waiting
        ]
        if deliveries:
            self._storage.deliveries.release(deliveries)

    # The jobs, in the event loop.

    async def _deliver(self, delivery: Delivery, response: CachedResponse) -> None:
        is_slow = delivery.failures > 0 or (delivery.latency or 0) > SLOW_CALLBACK
        result = DeliveryResult(delivery, retry_after=backoff(delivery.failures))
        try:
            async with self._deliveries.call(
                delivery.limit_keys, is_slow=is_slow
            ) as call:
                result = await self._client.deliver(
                    delivery,
                    response,
                    lambda address: (
                        call.admit(address)
                        and self._address_quota.admit(delivery, address)
                    ),
                )
                result = replace(result, address=call.address or delivery.address)
        except AddressBusy as error:
            # Busy passes, and is no failure of the callback. Its address may also have
            # too many subscriptions, and that counts as one.
            if call.address and self._address_quota.admit(delivery, call.address):
                result = DeliveryResult(
                    delivery, retry_after=BUSY_DELAY, is_deferred=True
                )
            _log.info(
                "Delivery of %s to %s: not sent, %s",
                delivery.path,
                delivery.host,
                error,
            )
        except TimeoutError:
            _log.info(
                "Delivery of %s to %s: ended after %.1f s to make room for others",
                delivery.path,
                delivery.host,
                call.seconds,
            )
        self._results.append(result)

    async def _verify(self, request: PendingVerification) -> None:
        is_confirmed = None
        address = None
        try:
            async with self._verifications.call([request.domain]) as call:
                is_confirmed = await self._client.verify_intent(request, call.admit)
                address = call.address
        except AddressBusy:
            # Not asked, which is no failure.
            await self._in_thread(
                self._result_threads,
                self._storage.subscriptions.reschedule,
                request,
                BUSY_DELAY,
                request.failures,
            )
            return
        except TimeoutError:
            _log.info(
                "Verification of %s (%s) by %s: ended to make room for others",
                request.path,
                request.mode,
                request.host,
            )
        await self._in_thread(
            self._result_threads,
            self._finish_verification,
            request,
            is_confirmed,
            address,
        )

    def _finish_verification(
        self,
        request: PendingVerification,
        is_confirmed: bool | None,
        address: str | None,
    ) -> None:
        """Store the result of a verification, in a thread.

        If that fails, the claim runs out and the callback is asked again.
        """
        subscriptions = self._storage.subscriptions
        failures = request.failures + 1
        if is_confirmed is None and failures < MAX_ATTEMPTS:
            subscriptions.reschedule(request, backoff(request.failures), failures)
        elif not is_confirmed or request.mode == "denied":
            subscriptions.close_request(request)
        # The state of today: categories may have been renamed since the request.
        elif current := self._renderer.get_feed(request.path, 0.0):
            feed = current[0]
            if request.mode == "subscribe":
                subscriptions.subscribe(request, feed, address)
            else:
                subscriptions.close_request(request, feed.path)

    async def _ping_hub(self, ping: HubPing) -> None:
        success = await self._client.ping_hub(ping)
        # Changes in quick succession become one ping.
        delay = DEBOUNCE if success else backoff(ping.failures)
        record = self._storage.hubs.record_result
        await self._in_thread(self._result_threads, record, ping, success, delay)
