"""Finds what is to be sent, asked and told, has it done side by side, and puts down what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol

from feedsvc.errors import FeedsvcError, Gone, Malformed, NotFound, Renamed
from feedsvc.push.post import Answer, Post, retry
from feedsvc.subscription import Delivery, Notice, Outcome, PushedFeed, SubscriptionRequest

SLOTS, A_HOST, ASKED = 200, 20, 50
"""Deliveries under way at once, and to one host; and callbacks that are asked at once."""

PAUSE = timedelta(seconds=0.7)
"""How long after a look at a feed it is looked at again: what changes in between is one change."""

TICK, TIDY_EVERY, LAST_MOMENT = 0.1, 30.0, 3.0
"""Seconds."""

_A_MOMENT = 0.02
_LOOKED_AT_ONCE = 8
Job = Coroutine[None, None, None]
_log = logging.getLogger(__name__)


class Queue(Protocol):
    """The work, and who has claimed it; `store.Deliveries` is one."""

    def claim_feeds(self, after: int, pause: timedelta, limit: int) -> tuple[list[str], int]: ...
    def note(self, feed: PushedFeed) -> None: ...
    def claim_deliveries(self, limit: int, busy: Counter[str], a_host: int) -> list[Delivery]: ...
    def report(self, outcomes: Collection[Outcome]) -> None: ...


class Subscriptions(Protocol):
    """Those who are sent it; `store.Subscriptions` is one."""

    def claim_requests(self, limit: int) -> list[SubscriptionRequest]: ...
    def subscribe(self, done: SubscriptionRequest, feed: PushedFeed) -> None: ...
    def unsubscribe(self, done: SubscriptionRequest) -> None: ...
    def close(self, done: SubscriptionRequest) -> None: ...
    def end(self, path: str, reason: str) -> None: ...
    def tidy(self) -> None: ...


class Hubs(Protocol):
    """Other hubs; `store.Hubs` is one."""

    def claim(self) -> list[Notice]: ...
    def report(self, notice: Notice, told: bool, pause: timedelta) -> None: ...


class Courier:
    """One process's share of the work. The database hands it out, and has it again where this one dies."""

    def __init__(
        self,
        queue: Queue,
        subscriptions: Subscriptions,
        hubs: Hubs,
        answer: Callable[[str], Answer],
        settle: Callable[[], object],
        post: Post,
    ) -> None:
        """:param answer: a feed's answer, by its canonical path; raises where there is no such feed.
        :param settle: lets appear and leave what is due."""
        self._queue, self._subscriptions, self._hubs = queue, subscriptions, hubs
        self._answer, self._settle, self._post = answer, settle, post
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        self._asking = 0
        self._outcomes: deque[Outcome] = deque()
        self._seen = 0

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Work until it is time to stop; what is under way then has a moment to come to its end."""
        # Names are looked up in these threads; a slow server of names must hold up no other look-up.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(SLOTS + ASKED))
        async with self._post:
            loops = [
                self._repeat(self._look, TICK, stopping),
                self._repeat(self._hand_out, TICK, stopping),
                self._repeat(self._subscriptions.tidy, TIDY_EVERY, stopping),
            ]
            await asyncio.gather(*loops)
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
                    except Exception:
                        _log.exception("push stumbles")
                await asyncio.sleep(_A_MOMENT)

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # In threads: the database, and feeds.

    def _look(self) -> None:
        """See which feeds have changed, and for whom."""
        self._settle()
        paths, self._seen = self._queue.claim_feeds(self._seen, PAUSE, _LOOKED_AT_ONCE)
        for path in paths:
            answer = self._current(path)
            if answer:
                self._queue.note(_pushed(path, answer))

    def _hand_out(self) -> list[Job]:
        """Put down what has become of deliveries, and take up what is due."""
        self._report()
        jobs: list[Job] = [self._tell(notice) for notice in self._hubs.claim()]
        jobs += [self._ask(request) for request in self._subscriptions.claim_requests(ASKED - self._asking)]
        free = SLOTS - self._busy.total()
        answers: dict[str, Answer | None] = {}
        for delivery in self._queue.claim_deliveries(free, self._busy, A_HOST) if free else ():
            if delivery.path not in answers:
                answers[delivery.path] = self._current(delivery.path)
            if answer := answers[delivery.path]:
                jobs.append(self._deliver(delivery, answer))
        return jobs

    def _report(self) -> None:
        outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        try:
            if outcomes:
                self._queue.report(outcomes)
        except BaseException:
            self._outcomes += outcomes
            raise

    def _close(self, request: SubscriptionRequest, confirmed: bool) -> None:
        """Do as a callback has said; where the database is away, it is asked again later."""
        try:
            if confirmed and request.mode == "unsubscribe":
                self._subscriptions.unsubscribe(request)
            elif confirmed and (answer := self._current(request.path)):
                self._subscriptions.subscribe(request, _pushed(request.path, answer))
            else:
                self._subscriptions.close(request)
        except FeedsvcError as error:
            _log.warning("push waits: %s", error)

    def _current(self, path: str) -> Answer | None:
        """A feed as it is; the subscriptions of one that is no more are ended."""
        try:
            return self._answer(path)
        except (NotFound, Gone, Renamed, Malformed) as error:
            self._subscriptions.end(path, str(error))
            return None

    # In the event loop.

    async def _deliver(self, delivery: Delivery, answer: Answer) -> None:
        self._busy[delivery.host] += 1
        try:
            self._outcomes.append(await self._post.deliver(delivery, answer))
        finally:
            self._busy[delivery.host] -= 1
            if not self._busy[delivery.host]:
                del self._busy[delivery.host]

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
        await asyncio.to_thread(self._hubs.report, notice, told, pause)


def _pushed(path: str, answer: Answer) -> PushedFeed:
    return PushedFeed(path, answer.etag, answer.seq, answer.topics, answer.due)
