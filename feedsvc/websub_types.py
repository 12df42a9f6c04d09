"""Dataclasses of WebSub that storage and the delivery worker share.

A `path` is the canonical path of a feed, with its query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from feedsvc.models import EPOCH, FeedKey


@dataclass(frozen=True, slots=True)
class PendingVerification:
    """A request to verify with its callback, or a denial to send to it."""

    path: str
    topic: str
    """The path that the subscriber knows; differs after a category was renamed."""
    callback: str
    host: str
    domain: str
    """Registrable domain of the host."""
    mode: str
    """`subscribe`, `unsubscribe` or `denied`."""
    secret: str | None = None
    lease: int = 0
    """Seconds."""
    reason: str = ""
    """The reason of a denial."""
    failures: int = 0
    """Attempts so far; set by storage."""
    next_attempt_at: datetime = EPOCH
    """Set by storage, which recognizes by it whether a newer request took the place."""


@dataclass(frozen=True, slots=True)
class SubscribedFeed:
    """The state of a feed that has subscribers."""

    path: str
    etag: str
    seq: int
    """Sequence number of the last change of its feed keys."""
    feed_keys: frozenset[FeedKey]
    next_change_at: datetime | None
    """The time of its next change without a write: the end of an event."""
    is_canonical: bool = True
    """It is the feed of a section or of one category, without parameters."""
    render_seconds: float = 0.0
    """Duration of the last rendering."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claim to send a feed to one subscriber."""

    id: str
    path: str
    callback: str
    host: str
    domain: str
    """Registrable domain of the host."""
    secret: str | None
    target_etag: str
    """ETag of the newest version when the delivery was claimed."""
    failures: int
    """Failures in a row."""
    address: str | None = None
    """Network that the host resolved to at the last call; None before the first."""
    latency: float | None = None
    """Seconds that recent deliveries took; None before the first."""

    @property
    def limit_keys(self) -> frozenset[str]:
        """Return the keys by which the limits count concurrent calls."""
        if self.address is None:
            return frozenset([self.domain])
        return frozenset([self.domain, self.address])


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a delivery.

    With `etag` it succeeded, with `retry_after` it failed or was deferred; with neither
    the subscriber answered 410, which ends the subscription.
    """

    delivery: Delivery
    etag: str | None = None
    """ETag of the version that was delivered."""
    retry_after: timedelta | None = None
    address: str | None = None
    """Network that was called, if any."""
    seconds: float = 0.0
    """Duration of the call."""
    is_deferred: bool = False
    """Not tried, because the address had enough calls; does not count as a failure."""

    @property
    def latency(self) -> float | None:
        """Return the subscription's latency after this delivery.

        A slow delivery counts at once and a fast one by half, so that a slow callback
        must be fast several times before it counts as fast.
        """
        previous = self.delivery.latency
        if not self.etag:
            return previous
        if previous is None or self.seconds > previous:
            return self.seconds
        return (previous + self.seconds) / 2


@dataclass(frozen=True, slots=True)
class HubPing:
    """A claim to tell an external hub which feeds changed."""

    hub: str
    seq: int
    """The ping covers the change log up to this sequence number…"""
    checked_at: datetime
    """…and events that ended up to this time."""
    failures: int
    changed_topics: tuple[tuple[str, str | None], ...]
    """Kind and category slug of each; None for the whole section."""
