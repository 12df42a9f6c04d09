"""Pings of external hubs."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import pytest

from feedsvc.storage import Storage
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.waiting import wait_until
from tests.websub.conftest import PUBLIC, run_pings
from tests.websub.fake_hub import FakeHub, run_hub

FEEDS = [
    f"{PUBLIC}/feeds/{feed}.{format}"
    for feed in ("news", "news/van-hoa")
    for format in ("rss", "atom", "json")
]
"""The feeds of an article in the category van-hoa."""

SEVERAL_POLLS = 1.0
"""Seconds in which a ping would come that must not come."""


def put(editor: ApiClient, id: str = "a", **fields: str) -> None:
    article = {"title": "Một", "categories": ["van-hoa"], **fields}
    editor.put(f"/articles/{id}", article)


@pytest.mark.both_databases
def test_hub_is_pinged_with_canonical_urls(
    make_app: MakeApp, editor: ApiClient, hub: FakeHub
) -> None:
    with run_pings(make_app(hubs=(hub.url,))):
        time.sleep(SEVERAL_POLLS)
        assert hub.pings == []
        for number in range(5):
            put(editor, f"x{number}")
        for ping in hub.wait_for(1):
            assert ping.form == {"hub.mode": ["publish"], "hub.url": FEEDS}


def test_hub_is_pinged_when_scheduled_entry_appears(
    make_app: MakeApp, editor: ApiClient, hub: FakeHub, clock: Clock, storage: Storage
) -> None:
    put(editor, date_published=(clock() + timedelta(hours=1)).isoformat())
    with run_pings(make_app(hubs=(hub.url,))):
        clock.forward(hours=2)
        assert storage.apply_scheduled_changes() == 1
        (ping,) = hub.wait_for(1)
        assert ping.form["hub.url"] == FEEDS


def test_many_urls_are_sent_in_several_requests(
    make_app: MakeApp, editor: ApiClient, hub: FakeHub
) -> None:
    slugs = [f"muc-{number}" for number in range(40)]
    for slug in slugs:
        editor.put(f"/categories/{slug}", {"title": slug})
    app = make_app(hubs=(hub.url,))
    with run_pings(app):
        editor.put("/articles/a", {"title": "Một", "categories": slugs[:20]})
        editor.put("/articles/b", {"title": "Hai", "categories": slugs[20:]})
        hub.wait_for(2)
        urls = {url for ping in hub.pings for url in ping.form["hub.url"]}
        assert urls >= {f"{PUBLIC}/feeds/news/{slug}.rss" for slug in slugs}
        assert all(len(ping.form["hub.url"]) <= 100 for ping in hub.pings)


def test_failed_ping_is_retried(
    make_app: MakeApp, editor: ApiClient, hub: FakeHub, clock: Clock
) -> None:
    hub.status = 503
    with run_pings(make_app(hubs=(hub.url,))):
        put(editor)
        hub.wait_for(1)
        time.sleep(SEVERAL_POLLS)
        assert len(hub.pings) == 1
        hub.status = 204
        clock.forward(seconds=15)
        first, second = hub.wait_for(2)
        assert first.form == second.form


def test_hanging_hub_delays_no_other(
    make_app: MakeApp, editor: ApiClient, hub: FakeHub
) -> None:
    with (
        run_hub() as hanging,
        run_pings(make_app(hubs=(hanging.url, hub.url))),
    ):
        hanging.is_hanging = True
        put(editor, "a")
        hanging.wait_for(1)
        hub.wait_for(1)
        put(editor, "b")
        hub.wait_for(2)
        assert len(hanging.pings) == 1
        hanging.ended.set()


@pytest.mark.parametrize("is_running", [True, False], ids=["answers", "is down"])
def test_log_has_only_the_host_of_a_hub(
    make_app: MakeApp,
    editor: ApiClient,
    hub: FakeHub,
    caplog: pytest.LogCaptureFixture,
    is_running: bool,
) -> None:
    caplog.set_level(logging.INFO, "feedsvc")
    url = hub.url if is_running else "http://127.0.0.1:1/secret-path"
    with run_pings(make_app(hubs=(url,))):
        put(editor)
        wait_until(lambda: "Ping of 127.0.0.1" in caplog.text)
    outcome = "status 204" if is_running else "ClientConnectorError"
    assert f"Ping of 127.0.0.1 about 6 feeds: {outcome}" in caplog.text
    assert "secret" not in caplog.text
