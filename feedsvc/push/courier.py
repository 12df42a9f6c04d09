"""Finds what is to be sent, asked and told, has it done side by side, and puts down what became of it."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from feedsvc.errors import FeedsvcError, Gone, Malformed, NotFound, Renamed
from feedsvc.push.post import Post, retry
from feedsvc.subscription import Delivery, Notice, Outcome, PushedFeed, SubscriptionRequest

if TYPE_CHECKING:
    from feedsvc.deliver.caching import Answer
    from feedsvc.store import Store

SLOTS, A_HOST, ASKED = 200, 20, 50
"""Deliveries under way at once, and to one host; and callbacks that are asked at once."""

TRIES = 6
"""How often a callback is asked at most, in some five minutes, while it does not answer or answers 5xx."""

PAUSE = timedelta(seconds=0.7)
"""How long after a look at a feed it is looked at again: what changes in between is one change."""

TICK, TIDY_EVERY, LAST_MOMENT = 0.1, 30.0, 3.0
"""Seconds."""

_A_MOMENT = 0.02
_LOOKED_AT_ONCE = 8
Job = Coroutine[None, None, None]
_log = logging.getLogger(__name__)


class Courier:
    """One process's share of the work. The database hands it out, and has it again where this one dies."""

    def __init__(
        self,
        store: Store,
        answer: Callable[[str], Answer],
        post: Post,
        count: Callable[[Outcome, datetime], None],
    ) -> None:
        """:param answer: a feed's answer, by its canonical path; raises where there is no such feed.
        :param count: told what became of each delivery, and when what it holds last changed."""
        self._store, self._answer, self._post, self._count = store, answer, post, count
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        self._asking = 0
        self._outcomes: deque[Outcome] = deque()
        self._seen = 0

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Work until it is time to stop; what is under way then has a moment to come to its end."""
        # Names are looked up in these threads; a slow server of names must hold up no other look-up.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(SLOTS + ASKED))
        async with self._post.outward:
            await asyncio.gather(
                self._repeat(self._look, TICK, stopping),
                self._repeat(self._hand_out, TICK, stopping),
                self._repeat(self._store.subscriptions.tidy, TIDY_EVERY, stopping),
            )
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=LAST_MOMENT)
                for task in late:
                    task.cancel()
            self._report()

    async def _repeat(
        self, work: Callable[[], list[Job] | None], pause: float, stopping: Callable[[], bool]
    ) -> None:
        """Do a piece of work over and over, in a thread of its own; what it hands out is begun."""
        loop, begun = asyncio.get_running_loop(), 0.0
        with ThreadPoolExecutor(1) as thread:
            while not stopping():
                if loop.time() - begun >= pause:
                    begun = loop.time()
                    try:
                        for job in await loop.run_in_executor(thread, work) or ():
                            self._begin(job)
                    except FeedsvcError as error:
                        _log.warning("push waits: %s", error)
                    except Exception as error:
                        # Without the message: a database's repeats the values, such as callbacks and secrets.
                        stack = "".join(traceback.format_tb(error.__traceback__))
                        _log.error("Delivery loop failed, restarting: %s\n%s", type(error).__name__, stack)
                await asyncio.sleep(_A_MOMENT)

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # In threads: the database, and feeds.

    def _look(self) -> None:
        """See which feeds have changed, and for whom."""
        self._store.settle()
        paths, self._seen = self._store.deliveries.claim_feeds(self._seen, PAUSE, _LOOKED_AT_ONCE)
        for path in paths:
            answer = self._current(path)
            if answer:
                self._store.deliveries.note(_pushed(path, answer))

    def _hand_out(self) -> list[Job]:
        """Put down what has become of deliveries, and take up what is due."""
        self._report()
        requests = self._store.subscriptions.claim_requests(ASKED - self._asking)
        jobs: list[Job] = [self._ask(request) for request in requests]
        jobs += [self._tell(notice) for notice in self._store.hubs.claim()]
        busy = Counter(self._busy)  # at once: the event loop goes on counting
        free = SLOTS - busy.total()
        answers: dict[str, Answer | None] = {}
        for delivery in self._store.deliveries.claim_deliveries(free, busy, A_HOST) if free else ():
            if delivery.path not in answers:
                answers[delivery.path] = self._current(delivery.path)
            if answer := answers[delivery.path]:
                jobs.append(self._deliver(delivery, answer))
        return jobs

    def _report(self) -> None:
        outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        try:
            if outcomes:
                self._store.deliveries.report(outcomes)
        except BaseException:
            self._outcomes += outcomes
            raise

    def _close(self, request: SubscriptionRequest, confirmed: bool | None) -> None:
        """Do as a callback has said; where the database is away, it is asked again later."""
        known = self._store.subscriptions
        try:
            if confirmed is None and request.failures + 1 < TRIES:
                known.postpone(request, retry(request.failures))
            elif confirmed and request.mode == "subscribe" and (answer := self._current(request.path)):
                known.subscribe(request, _pushed(request.path, answer))
            else:
                known.close(request, bool(confirmed))
        except FeedsvcError as error:
            _log.warning("push waits: %s", error)

    def _current(self, path: str) -> Answer | None:
        """A feed as it is; the subscriptions of one that is no more are ended."""
        try:
            return self._answer(path)
        except (NotFound, Gone, Renamed, Malformed) as error:
            self._store.subscriptions.end(path, str(error))
            return None

    # In the event loop.

    async def _deliver(self, delivery: Delivery, answer: Answer) -> None:
        self._busy[delivery.host] += 1
        try:
            outcome = await self._post.deliver(delivery, answer)
            self._outcomes.append(outcome)
            self._count(outcome, answer.stamp.time)
        finally:
            self._busy -= Counter([delivery.host])

    async def _ask(self, request: SubscriptionRequest) -> None:
        self._asking += 1
        try:
            confirmed = await self._post.ask(request)
        finally:
            self._asking -= 1
        await asyncio.to_thread(self._close, request, confirmed)

    async def _tell(self, notice: Notice) -> None:
        told = await self._post.tell(notice)
        pause = PAUSE if told else retry(notice.failures)
        await asyncio.to_thread(self._store.hubs.report, notice, told, pause)


def _pushed(path: str, answer: Answer) -> PushedFeed:
    return PushedFeed(path, answer.etag, answer.stamp.seq, answer.stamp.topics, answer.due)
