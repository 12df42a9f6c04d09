"""What answers rest on: topics of the ledger, and when they last moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

Topic = tuple[str, int]
"""What a feed depends on: a kind and a category's key, 0 for the whole kind."""

Step = tuple[int, datetime]
"""A step of the ledger and its time."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The topics that an answer rests on: when one of them last moved, and by which step of the ledger."""

    time: datetime
    seq: int = 0
    topics: frozenset[Topic] = frozenset()
