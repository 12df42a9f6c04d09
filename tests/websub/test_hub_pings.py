"""Pings of external hubs."""

from __future__ import annotations

import time
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.websub.conftest import PUBLIC, SEVERAL_POLLS, put, run_worker
from tests.websub.subscriber import Subscriber, status


@pytest.mark.both_databases
def test_external_hub_is_pinged_with_canonical_urls(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber
) -> None:
    app = make_app(hubs=(subscriber.url("/other"),))
    subscriber.behave("/other", status(204))
    with run_worker(app):
        for number in range(5):
            put(editor, f"Tin {number}", f"x{number}")
        pings = subscriber.got("/other")
    wanted = {
        f"{PUBLIC}/feeds/{feed}.{format}"
        for feed in ("news", "news/van-hoa")
        for format in ("rss", "atom", "json")
    }
    for ping in pings:
        assert ping.parameters["hub.mode"] == "publish"
        assert set(parse_qs(ping.body.decode())["hub.url"]) == wanted


def test_external_hub_is_pinged_when_event_ends(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber, clock: Clock
) -> None:
    start = clock().replace(microsecond=0) + timedelta(hours=1)
    event = {"title": "Hội", "start": start.isoformat(), "categories": ["van-hoa"]}
    editor.put("/events/a", event)
    later = (start + timedelta(hours=1)).isoformat()
    editor.put("/events/later", {**event, "start": later})
    with run_worker(make_app(hubs=(subscriber.url("/other"),))):
        time.sleep(SEVERAL_POLLS)
        assert subscriber.count("/other") == 0
        clock.forward(hours=1)
        (ping,) = subscriber.got("/other")
        time.sleep(SEVERAL_POLLS)
        assert subscriber.count("/other") == 1
    wanted = [
        f"{PUBLIC}/feeds/{feed}.{format}"
        for feed in ("events", "events/van-hoa")
        for format in ("rss", "atom", "json")
    ]
    assert parse_qs(ping.body.decode())["hub.url"] == wanted


def test_failed_ping_is_retried(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber, clock: Clock
) -> None:
    app = make_app(hubs=(subscriber.url("/other"),))
    subscriber.behave("/other", status(503))
    with run_worker(app):
        put(editor)
        subscriber.got("/other")
        time.sleep(SEVERAL_POLLS)
        subscriber.behave("/other", status(204))
        clock.forward(seconds=15)
        first, second = subscriber.got("/other", count=2)
        assert first.body == second.body
