"""Finds what is to be sent, asked and told, has it done side by side, and puts down what became of it."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from feedsvc.errors import BadRequest, FeedsvcError, Gone, NotFound
from feedsvc.subscription import (
    Delivery,
    DeliveryResult,
    HubPing,
    PendingVerification,
    SubscribedFeed,
)
from feedsvc.websub.addresses import Addresses
from feedsvc.websub.delivery import PUT_OFF, WebSubClient, backoff
from feedsvc.websub.http_client import Crowded
from feedsvc.websub.renderer import SLOW, Renderer
from feedsvc.websub.slots import Call, Slots

if TYPE_CHECKING:
    from feedsvc.http.conditional import CachedResponse
    from feedsvc.storage import Storage

SLOTS, RESERVED, SLOW_SLOTS, MOST_SLOTS = 120, 40, 60, 400
"""Deliveries at once: that have just begun, of these only to callbacks that were fast lately, to callbacks
that were slow or failed lately, and in all."""

ASKED, MOST_ASKED = 100, 300
"""Callbacks that are asked at once: that have just begun, and in all."""

SLOW_CALLBACK = 1.0
"""The seconds from which on a callback is slow, as the store has it."""

A_KEY = 20
"""Deliveries at once, and callbacks that are asked, of one site or address."""

MAX_ATTEMPTS = 6
"""How often a callback is asked at most, in some five minutes, while it does not answer or answers 5xx."""

DEBOUNCE = timedelta(seconds=0.7)
"""How long after a look at a feed it is looked at again: what changes in between is one change."""

TICK, TIDY_EVERY, LAST_MOMENT = 0.1, 30.0, 3.0
"""Seconds."""

_A_MOMENT = 0.02
_RENDERED_AT_ONCE = 8
Job = Coroutine[None, None, None]
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class Feeds(Protocol):
    """Where the courier has the feeds from."""

    def pushed(self, path: str) -> tuple[str, CachedResponse]:
        """Return the canonical path that a topic has now, and its answer; raises where there is none."""

    def known(self, path: str) -> CachedResponse | None:
        """Return the answer of a path where it need not be rendered."""


class DeliveryWorker:
    """One process's share of the work. The database hands it out, and has it again where this one dies."""

    def __init__(
        self,
        store: Storage,
        feeds: Feeds,
        post: WebSubClient,
        count: Callable[[DeliveryResult, datetime], None],
    ) -> None:
        """:param count: told what became of each delivery, and when what it holds last changed."""
        self._store, self._feeds, self._post, self._count = store, feeds, post, count
        self._tasks: set[asyncio.Task[None]] = set()
        self._deliveries = Slots(SLOTS, MOST_SLOTS, A_KEY)
        self._asked = Slots(ASKED, MOST_ASKED, A_KEY)
        self._addresses = Addresses()
        self._renderer = Renderer()
        # Answers are rendered, and callbacks' confirmations stored, in few threads: both need the processor.
        self._closing = ThreadPoolExecutor(2)
        self._pending: defaultdict[str, list[Delivery]] = defaultdict(list)
        self._rendered: deque[tuple[str, CachedResponse | None]] = deque()
        self._outcomes: deque[DeliveryResult] = deque()
        self._seen = 0

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Work until it is time to stop; what is under way then has a moment to come to its end."""
        # Names are looked up in these threads; a slow server of names must hold up no other look-up.
        threads = MOST_SLOTS + MOST_ASKED
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
        async with self._post.outward:
            await asyncio.gather(
                self._run_periodically(self._detect_changes, TICK, stopping),
                self._run_periodically(self._claim_work, TICK, stopping),
                self._run_periodically(self._tidy, TIDY_EVERY, stopping),
            )
            self._renderer.close()
            self._release()
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=LAST_MOMENT)
                for task in late:
                    task.cancel()
            self._closing.shutdown(wait=False, cancel_futures=True)
            self._record_results()

    async def _run_periodically(
        self,
        work: Callable[[], list[Job] | None],
        pause: float,
        stopping: Callable[[], bool],
    ) -> None:
        """Do a piece of work over and over, in a thread of its own; what it hands out is begun."""
        loop, begun = asyncio.get_running_loop(), 0.0
        with ThreadPoolExecutor(1) as thread:
            while not stopping():
                if loop.time() - begun >= pause:
                    begun = loop.time()
                    for job in await loop.run_in_executor(thread, _guarded, work) or ():
                        self._spawn(job)
                await asyncio.sleep(_A_MOMENT)

    def _spawn(self, job: Job) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # In threads: the database, and feeds.

    def _detect_changes(self) -> None:
        """See which feeds have changed, and have them rendered, so that what is due is known."""
        self._store.apply_scheduled_changes()
        fast, slow = self._renderer.room(_RENDERED_AT_ONCE)
        if fast <= 0:
            return
        changed, self._seen = self._store.deliveries.claim_feeds(
            self._seen, DEBOUNCE, fast, SLOW, slow
        )
        for feed in changed:
            self._renderer.start(
                feed.path, feed.seconds, partial(_guarded, self._note, feed)
            )

    def _note(self, feed: SubscribedFeed) -> None:
        """Render a feed that may have changed, and store what it is now."""
        if current := self._render(feed.path, feed.seconds):
            self._store.deliveries.update_feed(current)

    def _render(self, path: str, seconds: float) -> SubscribedFeed | None:
        """Render a feed for the deliveries that wait for it."""
        answer = None
        try:
            current = self._get_feed(path, seconds)
            if current is None or current[0].path != path:
                return None
            answer = current[1]
            return current[0]
        finally:
            self._rendered.append((path, answer))

    def _claim_work(self) -> list[Job]:
        """Put down what has become of deliveries, and take up what is due."""
        self._record_results()
        jobs: list[Job] = []
        while self._rendered:
            path, answer = self._rendered.popleft()
            for delivery in self._pending.pop(path, ()):
                jobs += [self._deliver(delivery, answer)] if answer else []
        requests = self._store.subscriptions.claim_requests(
            self._asked.room(), dict(self._asked.busy), A_KEY
        )
        jobs += [self._verify(request) for request in requests]
        jobs += [self._ping_hub(notice) for notice in self._store.hubs.claim()]
        return jobs + self._claimed()

    def _claimed(self) -> list[Job]:
        """Take up deliveries: at once where the feed is known, else when it was rendered."""
        due: defaultdict[str, list[Delivery]] = defaultdict(list)
        busy, room = dict(self._deliveries.busy), self._deliveries.room()
        rooms = {
            "fast": room,
            "new": room - RESERVED,
            "slow": SLOW_SLOTS - self._deliveries.slow(),
        }
        waiting = {*self._renderer.waiting, *self._pending}
        for speed, limit in rooms.items():
            if limit > 0:
                for delivery in self._store.deliveries.claim_deliveries(
                    limit, busy, A_KEY, speed=speed, waiting=waiting
                ):
                    due[delivery.path].append(delivery)
        jobs: list[Job] = []
        for path, deliveries in due.items():
            if answer := self._feeds.known(path):
                jobs += [self._deliver(delivery, answer) for delivery in deliveries]
            else:
                self._pending[path] = deliveries
                seconds = self._store.deliveries.seconds(path)
                self._renderer.start(
                    path, seconds, partial(_guarded, self._render, path, seconds)
                )
        return jobs

    def _record_results(self) -> None:
        outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        try:
            if outcomes:
                self._store.deliveries.record_results(outcomes)
        except BaseException:
            self._outcomes += outcomes
            raise

    def _release(self) -> None:
        """Give back the deliveries that wait for a feed to be rendered."""
        waiting = [
            delivery for deliveries in self._pending.values() for delivery in deliveries
        ]
        if waiting:
            self._store.deliveries.release(waiting)

    def _tidy(self) -> None:
        self._store.subscriptions.purge_expired()
        self._addresses.learn(self._store.deliveries.crowded())

    def _finish_verification(
        self, request: PendingVerification, confirmed: bool | None, address: str | None
    ) -> None:
        """Do as a callback has said; where the database is away, it is asked again later."""
        known = self._store.subscriptions
        if confirmed is None and request.failures + 1 < MAX_ATTEMPTS:
            known.reschedule(request, backoff(request.failures))
        elif not confirmed or request.mode == "denied":
            known.close(request)
        elif current := self._get_feed(request.path, 0.0):
            if request.mode == "subscribe":
                known.subscribe(request, current[0], address)
            else:
                known.close(request, current[0].path)

    def _get_feed(
        self, path: str, seconds: float
    ) -> tuple[SubscribedFeed, CachedResponse] | None:
        """Return a feed as it is; of one that is no more, end the subscriptions.

        Where a category was renamed or retired since, it is another feed, to which they are moved.

        :param seconds: how long rendering took before, which is what it takes where nothing is rendered.
        """
        try:
            begun, is_known = time.monotonic(), self._feeds.known(path) is not None
            now, answer = self._feeds.pushed(path)
            seconds = seconds if is_known else time.monotonic() - begun
        except (NotFound, Gone, BadRequest) as error:
            self._store.subscriptions.end(path, str(error))
            return None
        feed = SubscribedFeed(
            now,
            answer.etag,
            answer.version.seq,
            answer.version.feed_keys,
            answer.expires_at,
            answer.is_pinned,
            seconds,
        )
        if now != path:
            self._store.subscriptions.move(path, feed)
        return feed, answer

    # In the event loop.

    async def _deliver(self, delivery: Delivery, answer: CachedResponse) -> None:
        slow = delivery.failures > 0 or (delivery.latency or 0) > SLOW_CALLBACK
        outcome = DeliveryResult(delivery, retry=backoff(delivery.failures))
        try:
            async with self._deliveries.hold(delivery.keys, slow=slow) as call:
                outcome = await self._post.deliver(
                    delivery, answer, partial(self._admit, delivery, call)
                )
                if not outcome.put_off:
                    outcome = replace(outcome, address=call.address or delivery.address)
                elif call.address and not self._addresses.admit(delivery, call.address):
                    outcome = replace(
                        outcome, put_off=False, retry=backoff(delivery.failures)
                    )
        except TimeoutError:
            _log.info(
                "%s to %s gave way to others after %.1f s",
                delivery.path,
                delivery.host,
                call.seconds,
            )
        self._outcomes.append(outcome)
        if not outcome.put_off:
            self._count(outcome, answer.version.time)

    def _admit(self, delivery: Delivery, call: Call, address: str) -> bool:
        return call.admit(address) and self._addresses.admit(delivery, address)

    async def _verify(self, request: PendingVerification) -> None:
        confirmed, address = None, None
        try:
            async with self._asked.hold(request.keys) as call:
                confirmed = await self._post.verify_intent(request, call.admit)
                address = call.address
        except Crowded:
            await self._in_thread(self._store.subscriptions.put_off, request, PUT_OFF)
            return
        except TimeoutError:
            _log.info(
                "%s of %s by %s gave way to others",
                request.mode,
                request.path,
                request.host,
            )
        await self._in_thread(self._finish_verification, request, confirmed, address)

    async def _ping_hub(self, notice: HubPing) -> None:
        told = await self._post.ping_hub(notice)
        pause = DEBOUNCE if told else backoff(notice.failures)
        await self._in_thread(self._store.hubs.record_result, notice, told, pause)

    async def _in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(
            self._closing, _guarded, work, *arguments
        )


def _guarded(work: Callable[..., _Result], *arguments: object) -> _Result | None:
    """Do a piece of work; what it fails by is logged, and it is done again in its time."""
    try:
        return work(*arguments)
    except FeedsvcError as error:
        _log.warning("Delivery: %s Retrying.", error)
    except Exception as error:
        # Without the message: a database's repeats the values, such as callbacks and secrets.
        stack = "".join(traceback.format_tb(error.__traceback__))
        _log.error("Delivery failed, retrying: %s\n%s", type(error).__name__, stack)
    return None
