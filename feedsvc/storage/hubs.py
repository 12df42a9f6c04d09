"""The external WebSub hubs, and which changes each was told.

Any number of processes can ping them. A process claims a hub for a time; a claim whose
result is not recorded by then expires, so that another process pings the hub.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from feedsvc.feed_query import KINDS
from feedsvc.models import Clock
from feedsvc.storage.database import Database
from feedsvc.storage.tables import categories, change_sequence, feed_versions, hubs

CLAIM_TIMEOUT = timedelta(seconds=60)
"""Validity of a claim of a hub, which may get several requests of 10 s at most."""


@dataclass(frozen=True, slots=True)
class HubPing:
    """A claim to tell a hub which feeds changed."""

    hub: str
    seq: int
    """The ping covers the change log up to this sequence number."""
    failures: int
    """Failed pings in a row."""
    changed_topics: tuple[tuple[str, str | None], ...]
    """Kind and category slug of each; None for the whole section."""


class Hubs:
    """The external hubs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def configure(self, urls: Iterable[str]) -> None:
        """Ping these hubs, and no others, about changes from now on."""
        urls = set(urls)
        now = self._clock()
        with self._database.write() as connection:
            # Locked, since only one of workers that start together may insert a hub.
            seq = connection.scalar(sa.select(change_sequence.c.seq).with_for_update())
            connection.execute(hubs.delete().where(hubs.c.url.not_in(urls)))
            known = set(connection.scalars(sa.select(hubs.c.url)))
            for url in urls - known:
                row = {"url": url, "seq": seq, "next_attempt_at": now, "failures": 0}
                connection.execute(hubs.insert(), row)

    def claim_pings(self) -> list[HubPing]:
        """Claim the hubs that do not know the latest changes."""
        now = self._clock()
        latest_seq = (
            sa.select(sa.func.max(feed_versions.c.seq))
            .where(feed_versions.c.kind.in_(KINDS))
            .scalar_subquery()
        )
        is_due = sa.and_(hubs.c.next_attempt_at <= now, hubs.c.seq < latest_seq)
        # Nearly every call ends here, without the lock of writers.
        with self._database.read() as connection:
            if connection.execute(sa.select(hubs.c.url).where(is_due)).first() is None:
                return []
        claim = (
            hubs.update()
            .where(is_due)
            .values(next_attempt_at=now + CLAIM_TIMEOUT)
            .returning(hubs.c.url, hubs.c.seq, hubs.c.failures)
        )
        with self._database.write() as connection:
            seq = connection.scalar(sa.select(change_sequence.c.seq)) or 0
            return [
                HubPing(
                    row.url, seq, row.failures, _changed_topics(connection, row.seq)
                )
                for row in connection.execute(claim).all()
            ]

    def record_result(self, ping: HubPing, success: bool, delay: timedelta) -> None:
        """Store the result of a ping; the next one waits for the delay."""
        values: dict[str, object] = {"next_attempt_at": self._clock() + delay}
        if success:
            values |= {"seq": ping.seq, "failures": 0}
        else:
            values["failures"] = ping.failures + 1
        with self._database.write() as connection:
            connection.execute(
                hubs.update().where(hubs.c.url == ping.hub).values(values)
            )


def _changed_topics(
    connection: sa.Connection, seq: int
) -> tuple[tuple[str, str | None], ...]:
    """Return kind and category slug of the feeds that changed after a number."""
    # Category 0 is the whole section, and has no row in `categories`.
    query = (
        sa.select(feed_versions.c.kind, categories.c.slug)
        .join_from(
            feed_versions,
            categories,
            feed_versions.c.category_id == categories.c.id,
            isouter=True,
        )
        .where(
            feed_versions.c.seq > seq,
            feed_versions.c.kind.in_(KINDS),
            # The feeds of a retired category answer 410.
            categories.c.retired.is_(None),
        )
        .order_by(feed_versions.c.kind, feed_versions.c.category_id)
    )
    return tuple((row.kind, row.slug) for row in connection.execute(query))
