"""The ledger: one sequence of all changes, and the last stamp of every topic.

A topic is a kind, or a kind and a category. Last-Modified, caches, replication and push all read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from feedsvc.models import NEVER_MODIFIED, Clock, FeedKey, FeedVersion
from feedsvc.storage.tables import change_sequence, changes, feed_versions

CATEGORY_LIST: FeedKey = ("categories", 0)
"""Moves with every change of a category."""

_TICK = timedelta(microseconds=1)

IMPORT = "import"
"""The name in the change log for steps of an import."""

SANITIZE = "sanitize"
"""The name in the change log for steps that sanitize stored HTML again."""

SCHEDULER = "scheduler"
"""The name in the change log for scheduled changes."""

TIMEZONES = "timezones"
"""The name in the change log for steps that follow changed rules of time zones."""

MAINTENANCE = frozenset({SANITIZE, SCHEDULER, TIMEZONES})
"""The names of steps that are nobody's edits."""

_LAST = sa.select(
    change_sequence.c.seq, change_sequence.c.time, change_sequence.c.clock
).with_for_update()
_TOPIC = sa.tuple_(feed_versions.c.kind, feed_versions.c.category_id)


class ChangeLog:
    """The steps of one write transaction.

    Opening it takes the sequence's row lock, so whoever has seen step N has seen all steps before it.
    """

    def __init__(self, connection: sa.Connection, clock: Clock, token: str) -> None:
        self._connection, self.clock, self._token = connection, clock, token
        row = connection.execute(_LAST).one()
        self._seq: int = row.seq
        self._time: datetime = row.time
        self._reading: datetime = row.clock
        self._changes: list[dict[str, object]] = []
        self._topics: set[FeedKey] = set()
        self._hinted: set[FeedKey] = set()

    def next_timestamp(self) -> datetime:
        """Return the time now, later than any that the change log has given before.

        The clock may be behind the log: it was set back, or another instance's clock is ahead of this one.
        Last-Modified has whole seconds, and a cache may have stated the second of the log's last time, so
        the first write behind the log begins the next second. The writes after it stay in that second, else
        the log would run ahead of every clock. Nobody states that second while a writer is behind it: the
        log keeps the lowest reading of the clocks since, and caches count by it (`ResponseCache._ahead`). A
        clock that is even behind the lowest reading was set back once more, and begins another second.
        """
        now = self.clock()
        if now > self._time:
            self._time = self._reading = now
        elif now >= self._reading:
            self._time += _TICK
        else:
            self._time = self._time.replace(microsecond=0) + timedelta(seconds=1)
            self._reading = now
        return self._time

    def record(
        self, action: str, kind: str, id: str, version: int, touched: Iterable[FeedKey]
    ) -> int:
        """Note one change and the topics whose feeds it moves; returns its step."""
        self._seq += 1
        change = {
            "seq": self._seq,
            "action": action,
            "kind": kind,
            "id": id,
            "version": version,
        }
        self._changes.append({**change, "token": self._token})
        self._topics.update(touched)
        return self._seq

    def origin(self) -> dict[str, bool]:
        """Return the columns of an entry that say who wrote it; maintenance leaves them as they are."""
        return {} if self._token in MAINTENANCE else {"imported": self._token == IMPORT}

    def invalidate_caches(self, touched: Iterable[FeedKey]) -> None:
        """Let topics move for those who keep answers, but not change: what they hold will, at a moment."""
        self._hinted.update(touched)

    def flush(self) -> None:
        """Write the steps; the last act before COMMIT, so that their time is as late as can be."""
        if not self._changes:
            return
        stamp = {"seq": self._seq, "time": self.next_timestamp()}
        self._connection.execute(
            changes.insert(),
            [{**change, "time": self._time} for change in self._changes],
        )
        if self._topics:
            moved = feed_versions.update().where(_TOPIC.in_(sorted(self._topics)))
            self._connection.execute(moved.values(stamp))
        if self._hinted:
            seq = {"seq": self._seq}
            self._connection.execute(
                feed_versions.update()
                .where(_TOPIC.in_(sorted(self._hinted)))
                .values(seq)
            )
        self._connection.execute(
            change_sequence.update().values(**stamp, clock=self._reading)
        )


def feed_version(connection: sa.Connection, among: Iterable[FeedKey]) -> FeedVersion:
    """When the last of some topics moved."""
    keys = sorted(set(among))
    wanted = sa.select(
        sa.func.max(feed_versions.c.time), sa.func.max(feed_versions.c.seq)
    ).where(_TOPIC.in_(keys))
    time, seq = connection.execute(wanted).one()
    return FeedVersion(max(time, NEVER_MODIFIED), seq, frozenset(keys))
