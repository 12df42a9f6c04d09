"""Pings of WebSub hubs, which `python -m feedsvc deliver` sends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from feedsvc.errors import Unavailable
from feedsvc.feed_query import FORMATS, CategoryFilter, FeedQuery
from feedsvc.storage.hubs import HubPing, Hubs

POLL_INTERVAL = 0.2
"""Seconds between two checks for changes."""

MIN_INTERVAL = timedelta(seconds=0.7)
"""Shortest time between two pings of a hub; changes in between become one ping."""

FIRST_RETRY = timedelta(seconds=10)
"""Delay before a failed ping is retried. It doubles each time."""

LAST_RETRY = timedelta(hours=1)

_TIMEOUT = ClientTimeout(total=10)
_MAX_URLS_PER_REQUEST = 100
_log = logging.getLogger(__name__)


async def ping_hubs(
    hubs: Hubs, public_url: str, should_stop: Callable[[], bool]
) -> None:
    """Tell the hubs about changes until it should stop."""
    headers = {"User-Agent": f"feedsvc (+{public_url}/)"}
    async with (
        ClientSession(headers=headers, timeout=_TIMEOUT) as session,
        # One task for each hub, so that a slow hub delays no other.
        asyncio.TaskGroup() as tasks,
    ):
        while not should_stop():
            with suppress(Unavailable):  # the OutageLog has logged it
                for ping in await asyncio.to_thread(hubs.claim_pings):
                    tasks.create_task(_ping_hub(session, hubs, public_url, ping))
            await asyncio.sleep(POLL_INTERVAL)


async def _ping_hub(
    session: ClientSession, hubs: Hubs, public_url: str, ping: HubPing
) -> None:
    """Tell a hub which feeds changed, and store whether it accepted."""
    urls = [
        public_url + _feed_path(kind, format, slug)
        for kind, slug in ping.changed_topics
        for format, form in FORMATS.items()
        if form.pings_hubs
    ]
    is_accepted = True
    for start in range(0, len(urls), _MAX_URLS_PER_REQUEST):
        part = urls[start : start + _MAX_URLS_PER_REQUEST]
        # After a failure all URLs are sent again; that does a hub no harm.
        is_accepted = is_accepted and await _publish(session, ping.hub, part)
    delay = MIN_INTERVAL
    if not is_accepted:
        delay = min(FIRST_RETRY * 2 ** min(ping.failures, 20), LAST_RETRY)
    # Without a stored result the claim expires, and the hub is pinged again.
    with suppress(Unavailable):
        await asyncio.to_thread(hubs.record_result, ping, is_accepted, delay)


async def _publish(session: ClientSession, hub: str, urls: list[str]) -> bool:
    """Send URLs of feeds to a hub, and return whether it answered 2xx."""
    form = [("hub.mode", "publish"), *(("hub.url", url) for url in urls)]
    status = 0
    try:
        async with session.post(hub, data=form, allow_redirects=False) as response:
            status = response.status
        outcome = f"status {status}"
    except (ClientError, OSError) as error:
        # Without the message, which may contain the hub's URL.
        outcome = type(error).__name__
    # Only the host: the rest of the URL may be a secret.
    host = urlsplit(hub).hostname
    _log.info("Ping of %s about %s feeds: %s", host, len(urls), outcome)
    return 200 <= status < 300


def _feed_path(kind: str, format: str, slug: str | None) -> str:
    category_filter = CategoryFilter.create([slug] if slug else [])
    return FeedQuery(kind, format, category_filter).path
