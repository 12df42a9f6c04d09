"""The values of push that cross from one stage to another (WebSub). A path is a feed's canonical one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from feedsvc.models import EPOCH
from feedsvc.stamps import FeedKey


@dataclass(frozen=True, slots=True)
class PendingVerification:
    """What a callback is to be asked, in the mode `subscribe` or `unsubscribe`, or told: `denied`.

    `lease` is in seconds. `topic` is the path by which the subscriber knows the feed, where a category was
    renamed since; `site` the host's registrable domain; a `plain` feed is a section's or one category's.
    `failures`, so often in vain until now, and `due` are the store's to give.
    """

    path: str
    callback: str
    host: str
    mode: str
    secret: str | None = None
    lease: int = 0
    reason: str = ""
    failures: int = 0
    due: datetime = EPOCH
    topic: str = ""
    site: str = ""
    plain: bool = True

    @property
    def keys(self) -> frozenset[str]:
        """What limits of concurrent calls count by."""
        return frozenset([self.site])


@dataclass(frozen=True, slots=True)
class SubscribedFeed:
    """A feed as it is: the tag of its bytes, its topics and their last step, when it changes by itself.

    `plain` is as in `SubscriptionRequest`; `seconds` is how long rendering took.
    """

    path: str
    etag: str
    seq: int
    topics: frozenset[FeedKey]
    due: datetime | None
    plain: bool = True
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The newest of a feed for one subscriber. `target_etag` is the tag for which it was made due, `failures`
    are those in a row.

    `address` is what the host resolved to last, None before the first call; `latency` the seconds that
    recent deliveries took, None before the first.
    """

    id: str
    path: str
    callback: str
    host: str
    secret: str | None
    target_etag: str
    failures: int
    site: str = ""
    address: str | None = None
    latency: float | None = None

    @property
    def keys(self) -> frozenset[str]:
        """What limits of concurrent deliveries count by: the registrable domain, and the address."""
        return frozenset(filter(None, (self.site, self.address)))


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What became of a delivery: `etag` arrived; or another try is made in a while; or, with neither, the
    subscriber has ended it.

    `address` is what was called, if anything, and `seconds` how long it took. A delivery that was `put_off`,
    because its address had enough at that moment, has not failed.
    """

    delivery: Delivery
    etag: str | None = None
    retry: timedelta | None = None
    address: str | None = None
    seconds: float = 0.0
    put_off: bool = False

    @property
    def latency(self) -> float | None:
        """How long recent deliveries took, after this one: one that is slow counts at once, one that is fast
        by half, so that a slow callback must be fast several times to be taken for fast."""
        before = self.delivery.latency
        if not self.etag:
            return before
        return (
            self.seconds
            if before is None or self.seconds > before
            else (before + self.seconds) / 2
        )


@dataclass(frozen=True, slots=True)
class HubPing:
    """What another hub is to be told: which topics moved up to a step, or have lost an event by its end
    up to a time, each a kind and a category's slug."""

    hub: str
    seq: int
    checked_at: datetime
    failures: int
    moved: tuple[tuple[str, str | None], ...]
