"""Claims of pings in the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from feedsvc.storage import Storage
from feedsvc.storage.hubs import CLAIM_TIMEOUT
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

DELAY = timedelta(seconds=1)


def test_hub_is_pinged_once_about_changes(
    storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    editor.put("/articles/before", {"title": "Trước"})
    storage.hubs.configure(["https://hub.example/", "https://second.example/"])
    assert storage.hubs.claim_pings() == []
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa"]})
    editor.put("/articles/a", {"title": "Hai", "categories": ["van-hoa"]})
    first, second = sorted(storage.hubs.claim_pings(), key=lambda ping: ping.hub)
    assert set(first.changed_topics) == {("news", None), ("news", "van-hoa")}
    assert storage.hubs.claim_pings() == []
    storage.hubs.record_result(first, True, DELAY)
    storage.hubs.record_result(second, False, DELAY)
    assert storage.hubs.claim_pings() == []
    clock.now += DELAY
    (again,) = storage.hubs.claim_pings()
    assert again == replace(second, failures=1)
    storage.hubs.configure(["https://hub.example/"])
    clock.forward(seconds=600)
    assert storage.hubs.claim_pings() == []


def test_ping_without_result_is_claimed_again(
    storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    storage.hubs.configure(["https://hub.example/"])
    editor.put("/articles/a", {"title": "Một"})
    (ping,) = storage.hubs.claim_pings()
    clock.now += CLAIM_TIMEOUT
    assert storage.hubs.claim_pings() == [ping]


def test_simultaneous_claims_share_no_hub(storage: Storage, editor: ApiClient) -> None:
    hubs = [f"https://{number}.example/" for number in range(20)]
    storage.hubs.configure(hubs)
    editor.put("/articles/a", {"title": "Một"})
    with ThreadPoolExecutor(4) as threads:
        claims = threads.map(lambda _: storage.hubs.claim_pings(), range(4))
        claimed = [ping.hub for pings in claims for ping in pings]
    assert sorted(claimed) == sorted(hubs)
