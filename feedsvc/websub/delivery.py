"""What is said to subscribers and to other hubs (WebSub §5, §7)."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from feedsvc.query import WEBSUB_PING_FORMATS, CategoryFilter, FeedQuery
from feedsvc.subscription import Delivery, DeliveryResult, HubPing, PendingVerification
from feedsvc.websub.http_client import Crowded, RequestFailed, SafeHttpClient

if TYPE_CHECKING:
    from feedsvc.http.conditional import CachedResponse

FIRST_RETRY, LAST_RETRY = 10.0, 3600.0
"""Seconds until a delivery that has failed is tried again, at first and at last."""

PUT_OFF = timedelta(seconds=2)
"""When a call is made that was not, since its address had enough calls."""

Admit = Callable[[str], bool]
"""Whether a call may go to a network address."""

FORM = "application/x-www-form-urlencoded"
_URLS_AT_ONCE = 100
_random = secrets.SystemRandom()
_log = logging.getLogger(__name__)


class WebSubClient:
    """Speaks for the hub at a public URL."""

    def __init__(self, outward: SafeHttpClient, public_url: str) -> None:
        self.outward, self._public_url = outward, public_url

    async def deliver(
        self,
        delivery: Delivery,
        answer: CachedResponse,
        admit: Admit = lambda network: True,
    ) -> DeliveryResult:
        """Send a feed to a subscriber (WebSub §7), signed where it has given a secret (§7.1).

        :param admit: whether it may be sent to a network address.
        """
        headers = [("Content-Type", f"{answer.media_type}; charset=utf-8")]
        headers.append(
            (
                "Link",
                ", ".join(value for name, value in answer.headers if name == "Link"),
            )
        )
        if delivery.secret:
            digest = hmac.new(
                delivery.secret.encode(), answer.body, hashlib.sha256
            ).hexdigest()
            headers.append(("X-Hub-Signature", f"sha256={digest}"))
        begun, status = time.monotonic(), 0
        try:
            reply = await self.outward.request(
                "POST", delivery.callback, headers, answer.body, admit
            )
            status = reply.status
            said = f"answered {status}"
        except Crowded as error:
            _log.info("%s to %s put off: %s", delivery.path, delivery.host, error)
            return DeliveryResult(delivery, retry=PUT_OFF, put_off=True)
        except RequestFailed as error:
            said = str(error)
        spent = (time.monotonic() - begun) * 1000
        _log.info("%s to %s: %s, %.0f ms", delivery.path, delivery.host, said, spent)
        if 200 <= status < 300:
            return DeliveryResult(delivery, etag=answer.etag, seconds=spent / 1000)
        return DeliveryResult(
            delivery, retry=None if status == 410 else backoff(delivery.failures)
        )

    async def verify_intent(
        self, request: PendingVerification, admit: Admit = lambda network: True
    ) -> bool | None:
        """Whether a callback confirms what was asked (WebSub §5.3); what was denied, it is told (§5.2).

        None where it did not say: it cannot be reached, or answers 5xx.

        :param admit: as in `deliver`.
        :raises Crowded: it was not called, since its address has enough calls.
        """
        challenge = secrets.token_urlsafe(32)
        said = {
            "hub.mode": request.mode,
            "hub.topic": self._public_url + (request.topic or request.path),
        }
        said |= (
            {"hub.reason": request.reason}
            if request.mode == "denied"
            else {"hub.challenge": challenge}
        )
        said |= (
            {"hub.lease_seconds": str(request.lease)}
            if request.mode == "subscribe"
            else {}
        )
        sign = "&" if "?" in request.callback else "?"
        confirmed: bool | None = None
        try:
            url = f"{request.callback}{sign}{urlencode(said)}"
            reply = await self.outward.request("GET", url, admit=admit)
            if reply.status < 500:
                confirmed = (
                    200 <= reply.status < 300 and reply.body == challenge.encode()
                )
            found = (
                "confirmed"
                if confirmed
                else f"answered {reply.status}, without the challenge alone"
            )
        except Crowded:
            raise
        except RequestFailed as error:
            found = str(error)
        _log.info("%s of %s by %s: %s", request.mode, request.path, request.host, found)
        return confirmed

    async def ping_hub(self, notice: HubPing) -> bool:
        """Whether another hub takes note of which of its feeds have changed."""
        host = urlsplit(
            notice.hub
        ).hostname  # alone in the log: the rest of the URL may be a secret
        urls = [
            self._public_url
            + FeedQuery(
                kind, format, CategoryFilter.create([slug] if slug else [])
            ).path
            for kind, slug in notice.moved
            for format in WEBSUB_PING_FORMATS
        ]
        try:
            for first in range(0, len(urls), _URLS_AT_ONCE):
                said = [("hub.mode", "publish")]
                said += [
                    ("hub.url", url) for url in urls[first : first + _URLS_AT_ONCE]
                ]
                form = urlencode(said).encode()
                reply = await self.outward.request(
                    "POST", notice.hub, [("Content-Type", FORM)], form
                )
                _log.info(
                    "%s changed feeds to %s: answered %s",
                    len(said) - 1,
                    host,
                    reply.status,
                )
                if not 200 <= reply.status < 300:
                    return False
        except RequestFailed as error:
            _log.info("changed feeds to %s: %s", host, error)
            return False
        return True


def backoff(failures: int) -> timedelta:
    """After how long another try is made: twice as long each time, up to an hour, and never all at once."""
    seconds = min(FIRST_RETRY * 2 ** min(failures, 20), LAST_RETRY)
    return timedelta(seconds=seconds * _random.uniform(0.5, 1.5))
