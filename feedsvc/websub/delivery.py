"""Requests to subscribers and to external hubs (WebSub §5, §7)."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from feedsvc.feed_query import FORMATS, CategoryFilter, FeedQuery
from feedsvc.websub.http_client import (
    Admit,
    RequestFailed,
    SafeHttpClient,
    allow_all,
)
from feedsvc.websub_types import (
    Delivery,
    DeliveryResult,
    HubPing,
    PendingVerification,
)

if TYPE_CHECKING:
    from feedsvc.http.conditional import CachedResponse

FIRST_RETRY = 10.0
LAST_RETRY = 3600.0
"""Shortest and longest delay in seconds before a failed call is retried."""

_FORM = "application/x-www-form-urlencoded"
_MAX_URLS_PER_PING = 100
_random = secrets.SystemRandom()
_log = logging.getLogger(__name__)


class WebSubClient:
    """Make the requests of a hub.

    Log lines name only the host: the rest of a callback or hub URL may be a secret.
    """

    def __init__(self, http: SafeHttpClient, public_url: str) -> None:
        self._http = http
        self._public_url = public_url

    async def deliver(
        self,
        delivery: Delivery,
        response: CachedResponse,
        admit: Admit = allow_all,
    ) -> DeliveryResult:
        """Send a feed to a subscriber (WebSub §7), signed if it gave a secret (§7.1).

        :param response: the feed, as readers get it.
        :raises AddressBusy: no address of the callback was admitted.
        """
        # The whole feed, the bytes that readers get. A subscriber that was away needs
        # only the newest version, not one for each change.
        links = [value for name, value in response.headers if name == "Link"]
        headers = [
            ("Content-Type", f"{response.media_type}; charset=utf-8"),
            # WebSub §7 demands the links to the hub and to the topic.
            ("Link", ", ".join(links)),
        ]
        if delivery.secret:
            # §7.1 leaves the method to the hub; SHA-1 is obsolete.
            key = delivery.secret.encode()
            digest = hmac.new(key, response.body, hashlib.sha256).hexdigest()
            headers.append(("X-Hub-Signature", f"sha256={digest}"))
        started = time.monotonic()
        status = 0
        try:
            reply = await self._http.request(
                "POST", delivery.callback, headers, response.body, admit
            )
            status = reply.status
            outcome = f"status {status}"
        except RequestFailed as error:
            outcome = str(error)
        seconds = time.monotonic() - started
        _log.info(
            "Delivery of %s to %s: %s, %.0f ms",
            delivery.path,
            delivery.host,
            outcome,
            seconds * 1000,
        )
        if 200 <= status < 300:
            return DeliveryResult(delivery, etag=response.etag, seconds=seconds)
        if status == 410:  # neither `etag` nor `retry_after`: the subscription ends
            return DeliveryResult(delivery)
        return DeliveryResult(delivery, retry_after=backoff(delivery.failures))

    async def verify_intent(
        self, request: PendingVerification, admit: Admit = allow_all
    ) -> bool | None:
        """Ask a callback to confirm a request (WebSub §5.3), or tell a denial (§5.2).

        :returns: whether it confirmed; None if it is unreachable or responds with 5xx.
        :raises AddressBusy: no address of the callback was admitted.
        """
        challenge = secrets.token_urlsafe(32)
        parameters = {
            "hub.mode": request.mode,
            "hub.topic": self._public_url + request.topic,
        }
        if request.mode == "denied":
            parameters["hub.reason"] = request.reason
        else:
            parameters["hub.challenge"] = challenge
        if request.mode == "subscribe":
            parameters["hub.lease_seconds"] = str(request.lease)
        separator = "&" if "?" in request.callback else "?"
        url = f"{request.callback}{separator}{urlencode(parameters)}"
        is_confirmed = None
        try:
            reply = await self._http.request("GET", url, admit=admit)
            outcome = f"status {reply.status}"
            if request.mode != "denied":
                outcome += ", and the body is not the challenge"
            # A 5xx may come from a proxy while the subscriber restarts; any other
            # response is the subscriber's answer.
            if reply.status < 500:
                is_challenge = reply.body == challenge.encode()
                is_confirmed = 200 <= reply.status < 300 and is_challenge
            if is_confirmed:
                outcome = "confirmed"
        except RequestFailed as error:
            outcome = str(error)
        if request.mode == "denied":
            _log.info(
                "Told %s that its subscription to %s has ended: %s",
                request.host,
                request.path,
                outcome,
            )
        else:
            _log.info(
                "Verification of %s (%s) by %s: %s",
                request.path,
                request.mode,
                request.host,
                outcome,
            )
        return is_confirmed

    async def ping_hub(self, ping: HubPing) -> bool:
        """Tell an external hub which feeds changed; return whether it accepted."""
        host = urlsplit(ping.hub).hostname
        urls = [
            self._public_url + _feed_path(kind, format, slug)
            for kind, slug in ping.changed_topics
            for format, form in FORMATS.items()
            if form.pings_hubs
        ]
        for start in range(0, len(urls), _MAX_URLS_PER_PING):
            part = urls[start : start + _MAX_URLS_PER_PING]
            form = [("hub.mode", "publish"), *(("hub.url", url) for url in part)]
            status = 0
            try:
                reply = await self._http.request(
                    "POST",
                    ping.hub,
                    [("Content-Type", _FORM)],
                    urlencode(form).encode(),
                )
                status = reply.status
                outcome = f"status {status}"
            except RequestFailed as error:
                outcome = str(error)
            _log.info("Ping of %s about %s feeds: %s", host, len(part), outcome)
            if not 200 <= status < 300:
                # All are told again later; to be told twice does a hub no harm.
                return False
        return True


def backoff(failures: int) -> timedelta:
    """Return the delay before the next attempt: doubled each time, up to an hour.

    It is random within half, so that calls that failed together do not return together.
    """
    seconds = min(FIRST_RETRY * 2 ** min(failures, 20), LAST_RETRY)
    return timedelta(seconds=seconds * _random.uniform(0.5, 1.5))


def _feed_path(kind: str, format: str, slug: str | None) -> str:
    category_filter = CategoryFilter.create([slug] if slug else [])
    return FeedQuery(kind, format, category_filter).path
