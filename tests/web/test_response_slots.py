"""Slots for large responses."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from feedsvc.errors import Busy
from feedsvc.http.response_slots import ResponseSlots
from tests.waiting import wait_until


def test_few_threads_wait_for_a_slot_and_more_are_refused() -> None:
    slots = ResponseSlots(slots=2, max_waiting=1, timeout=10)
    leave = threading.Event()
    inside: list[int] = []

    def hold(number: int) -> None:
        with slots.hold():
            inside.append(number)
            leave.wait(10)

    with ThreadPoolExecutor(4) as pool:
        holding = [pool.submit(hold, number) for number in range(2)]
        wait_until(lambda: len(inside) == 2)
        others = [pool.submit(hold, number) for number in (2, 3)]
        wait_until(lambda: any(job.done() for job in others))
        assert len(inside) == 2
        leave.set()
        outcomes = [job.exception(10) for job in (*holding, *others)]
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "Busy",
        *["NoneType"] * 3,
    ]


def test_slot_can_be_released_twice() -> None:
    slots = ResponseSlots(slots=1)
    release = slots.try_acquire()
    assert release
    release()
    release()
    assert slots.try_acquire()
    assert slots.try_acquire() is None


def test_waiting_for_a_slot_times_out() -> None:
    slots = ResponseSlots(slots=1, max_waiting=1, timeout=0.05)
    with slots.hold(), pytest.raises(Busy), slots.hold():
        pass
    with slots.hold():
        pass
