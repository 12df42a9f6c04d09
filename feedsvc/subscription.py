"""The values of push that cross from one stage to another (WebSub). A path is a feed's canonical one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from feedsvc.model import EPOCH
from feedsvc.stamps import Topic


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    """What a callback is to be asked, in the mode `subscribe` or `unsubscribe`, or told: `denied`.

    `lease` is in seconds. `failures`, so often in vain until now, and `due` are the store's to give.
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


@dataclass(frozen=True, slots=True)
class PushedFeed:
    """A feed as it is: the tag of its bytes, its topics and their last step, when it changes by itself."""

    path: str
    etag: str
    seq: int
    topics: frozenset[Topic]
    due: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The newest of a feed for one subscriber. `wanted` is the tag for which it was made due, `failures`
    are those in a row."""

    id: str
    path: str
    callback: str
    host: str
    secret: str | None
    wanted: str
    failures: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery: `etag` arrived; or another try is made in a while; or, with neither, the
    subscriber has ended it."""

    delivery: Delivery
    etag: str | None = None
    retry: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What another hub is to be told: which topics moved up to a step, or have lost an event by its end
    up to a time, each a kind and a category's slug."""

    hub: str
    seq: int
    looked: datetime
    failures: int
    moved: tuple[tuple[str, str | None], ...]
