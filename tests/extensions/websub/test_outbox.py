"""An outbox decides what a hub is told when, by values and a clock."""

from datetime import timedelta

import pytest

from feedsvc.extensions.websub.outbox import DELAY, Outbox
from feedsvc.models import EPOCH
from tests.fake_clock import Clock


@pytest.fixture
def outbox(clock: Clock) -> Outbox:
    return Outbox(lambda: clock().timestamp())


def test_each_change_is_due_some_seconds_after_it_was_seen(
    outbox: Outbox, clock: Clock
) -> None:
    for second in range(DELAY + 3):
        outbox.note([("a", clock())])
        seen = clock() - timedelta(seconds=DELAY)
        due = (seen, ["a"], "a") if second >= DELAY else (EPOCH, [], None)
        assert outbox.merge(EPOCH, []) == due
        clock.forward(seconds=1)


def test_url_waits_once_however_often_it_changed(outbox: Outbox, clock: Clock) -> None:
    outbox.note((url, clock()) for url in "abb")
    clock.forward(seconds=DELAY)
    _, waiting, url = outbox.merge(EPOCH, ["c", "a"])
    assert waiting == ["c", "a", "b"]
    assert url == "c"


def test_change_that_another_worker_told_is_forgotten(
    outbox: Outbox, clock: Clock
) -> None:
    told = clock()
    outbox.note([("a", told), ("b", told + timedelta(seconds=1))])
    clock.forward(seconds=DELAY)
    _, waiting, _ = outbox.merge(told, [])
    assert waiting == ["b"]


@pytest.mark.parametrize("url", [None, "a"])
def test_delay_doubles_with_each_failure_until_a_success(
    outbox: Outbox, clock: Clock, url: str | None
) -> None:
    for delay in (5, 10, 20, 40, 80, 160, 300, 300):
        assert outbox.fail(url) == delay
        clock.forward(seconds=delay - 1)
        assert not outbox.is_due(url)
        clock.forward(seconds=1)
        assert outbox.is_due(url)
    outbox.succeed("b")
    # Another URL tells only that the hub can be reached.
    assert outbox.fail(url) == (300 if url else 5)
    outbox.succeed("a")
    assert outbox.fail(url) == 5
