"""Finished answers, kept in the worker until a topic that they rest on moves or their moment comes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from weakref import WeakValueDictionary

from feedsvc.deliver.caching import Answer
from feedsvc.errors import Unavailable
from feedsvc.model import EPOCH, Clock, Topic

Moved = Callable[[int], tuple[int, Mapping[Topic, int]]]
"""The ledger's last step, and of the topics that moved after a step the last one of each."""


class Kept:
    """Answers by key. Bounded in number and in bytes: what was used longest ago goes, the plain ones last.

    An answer is right while none of its topics has moved. `look` asks the ledger; between two looks nothing
    is asked.
    """

    def __init__(self, moved: Moved, clock: Clock, entries: int, size: int, *, always_look: bool) -> None:
        """:param always_look: whether to look before every answer, where nothing else looks in between."""
        self._moved, self._clock, self._always = moved, clock, always_look
        self._entries, self._size = entries, size
        self._lock = threading.Lock()
        self._flights: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._aliases: OrderedDict[str, str] = OrderedDict()
        self._held = 0
        self._seq = 0
        self._last: dict[Topic, int] = {}
        self.looked = EPOCH

    def look(self) -> None:
        """Drop what the ledger has moved since the last look; a database that is away moves nothing."""
        now = self._clock()
        try:
            seq, moved = self._moved(self._seq)
        except Unavailable:
            return
        with self._lock:
            if seq < self._seq:  # the database was restored
                self._last, moved = {}, {}
                for key in list(self._answers):
                    self._drop(key)
            self._seq, self.looked = seq, now
            self._last.update(moved)
            for key, answer in list(self._answers.items()) if moved else ():
                if not moved.keys().isdisjoint(answer.topics):
                    self._drop(key)

    def known(self, address: str) -> Answer | None:
        """The answer to an address that was answered before, if it is still right."""
        if self._always:
            self.look()
        key = self._aliases.get(address)
        return self._right(key) if key else None

    def answer(self, address: str, key: str, make: Callable[[], Answer]) -> Answer:
        """The answer of a key, made where there is none; the address leads to it from now on.

        However many ask at once, it is made once.
        """
        if self._always:
            self.look()
        with self._lock:
            flight = self._flights.setdefault(key, threading.Lock())
        with flight:
            found = self._right(key)
            if found is None:
                found = make()
                self._keep(key, found)
        with self._lock:
            self._aliases[address] = key
            while len(self._aliases) > 4 * self._entries:
                self._aliases.popitem(last=False)
        return found

    def _right(self, key: str) -> Answer | None:
        found = self._answers.get(key)
        if found is None or (found.due and found.looked < found.due <= self._clock()):
            return None
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
        return found

    def _keep(self, key: str, answer: Answer) -> None:
        with self._lock:
            if any(self._last.get(topic, 0) > answer.seq for topic in answer.topics):
                return  # it moved while it was made
            self._drop(key)
            self._answers[key] = answer
            self._held += _weight(answer)
            while self._held > self._size or len(self._answers) > self._entries:
                lesser = (one for one in self._answers if not self._answers[one].plain)
                self._drop(next(lesser, next(iter(self._answers))))

    def _drop(self, key: str) -> None:
        old = self._answers.pop(key, None)
        if old:
            self._held -= _weight(old)


def _weight(answer: Answer) -> int:
    """The bytes that an answer may come to with all its encodings."""
    return 2 * len(answer.body) + 1024
