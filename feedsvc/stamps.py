"""What answers rest on: topics of the ledger, and when they last moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""When what never changed is said to have: readers and validators take 1970 for a mistake."""

FeedKey = tuple[str, int]
"""What a feed depends on: a kind and a category's key, 0 for the whole kind."""

Revision = tuple[int, datetime, datetime]
"""The number and the time of a step of the change log, and the reading of its writer's clock: the time
itself, or an earlier one where that clock was behind the log."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the change log: when it was by this process's clock, and the last step that it saw.

    `ahead` is by how much this clock may be ahead of the clock of a writer.
    """

    time: datetime
    seq: int = 0
    ahead: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class FeedVersion:
    """The topics that an answer rests on: when one of them last moved, and by which step of the ledger."""

    time: datetime
    seq: int = 0
    feed_keys: frozenset[FeedKey] = frozenset()
