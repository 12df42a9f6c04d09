"""Limits of concurrent calls."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from feedsvc.websub.hub import registrable_domain
from feedsvc.websub.limits import RECENT, ConcurrencyLimiter


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("partner.example", "partner.example"),
        ("a.b.partner.example", "partner.example"),
        ("a.partner.com.vn", "partner.com.vn"),
        ("x.github.io", "x.github.io"),
        ("github.io", "github.io"),
        ("localhost", "localhost"),
        ("xn--bn-yja.vn", "xn--bn-yja.vn"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
    ],
)
def test_registrable_domain(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain


def test_longest_call_is_ended_above_total_limit() -> None:
    async def run() -> list[str]:
        limiter, ended, begun = ConcurrencyLimiter(10, 2, 20), [], asyncio.Event()

        async def call(name: str) -> None:
            try:
                async with limiter.call([name]):
                    if name == "c":
                        begun.set()
                    await asyncio.sleep(30)
            except TimeoutError:
                ended.append(name)

        tasks = [asyncio.create_task(call(name)) for name in "abc"]
        await begun.wait()
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert sorted(limiter.running().counts) == ["b", "c"]
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert not limiter.running().counts
        return ended

    assert asyncio.run(run()) == ["a"]


def test_long_call_makes_room_for_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    async def run() -> None:
        limiter = ConcurrencyLimiter(2, 10, 20)
        async with limiter.call(["a"]), limiter.call(["b"], is_slow=True):
            assert (limiter.available(), limiter.count_slow()) == (1, 1)
            now[0] += RECENT
            assert (limiter.available(), limiter.count_slow()) == (2, 1)

    with asyncio.Runner() as runner:
        runner.run(run())


def test_address_counts_once_known() -> None:
    async def run() -> None:
        limiter = ConcurrencyLimiter(10, 10, 2)
        async with (
            limiter.call(["a"]) as a,
            limiter.call(["b"]) as b,
            limiter.call(["c"]) as c,
        ):
            assert a.admit("8.8.8.8")
            assert a.admit("8.8.8.8")
            assert b.admit("8.8.8.8")
            assert not c.admit("8.8.8.8")
            assert limiter.running().counts["8.8.8.8"] == 2
        assert not limiter.running().counts

    asyncio.run(run())
