"""Tell WebSub hubs which feeds have changed (W3C WebSub, as a publisher)."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from feedsvc.feeds.feed import FeedHead
from feedsvc.feeds.query import FORMATS
from feedsvc.http_client import Refused, post
from feedsvc.models import EPOCH, Site
from feedsvc.storage.database import MAX_CLOCK_SKEW, Database, revision_row
from feedsvc.storage.entries import list_changed_categories
from feedsvc.storage.tables import HubRow

_log = logging.getLogger(__name__)

#: Seconds from when a worker sees a change until it tells the hub.
#:
#: The hub may fetch the feed at once, and until then other workers and the cache of
#: deploy/nginx.conf may have the one from before the change.
DELAY = 4

#: Time after which another worker tells a hub, if one was stopped meanwhile.
_CLAIM = timedelta(seconds=30)

#: Seconds after failures, doubled with each; later changes wait too, so not hours.
_MIN_DELAY = 5
_MAX_DELAY = 300


class _Change(NamedTuple):
    """A change of a feed, and when a worker saw it, by its monotonic clock."""

    url: str
    revision: datetime
    seen_at: float


class HubNotifier:
    """Tells one hub which feeds have changed; each worker has one for each hub.

    The database has what the hub was told, so that of several workers one tells it
    each URL. The delay after failures is the process's own: a restart ends it.

    :param monotonic: measures delays, since the clock of the machine may be set.
    """

    def __init__(
        self,
        database: Database,
        site: Site,
        hub: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._site = site
        self._hub = hub
        self._monotonic = monotonic
        self._started_at = database.clock()
        # The changes up to this revision that the hub was not told yet. They are noted
        # when they are seen: an entry keeps only the revision of its last change.
        self._changes: list[_Change] = []
        self._seen = EPOCH
        # Of the hub, and of each URL that it refuses, which delays no other.
        self._failures: Counter[str] = Counter()
        self._due_at: dict[str, float] = {}

    def notify(self) -> None:
        """Tell the hub the URLs that are due, until it fails; then again, but later.

        While the database does not respond, they stay due.
        """
        # The tick, which comes as often, logs the error.
        with suppress(SQLAlchemyError):
            while self._is_due(self._hub):
                url = self._claim()
                if url is None:
                    return
                # No transaction is open now: a hub may be slow.
                self._release(url, is_accepted=self._tell(url))

    def _claim(self) -> str | None:
        """Return the URL to tell now; None also while another worker tells one."""
        with self._database.read() as session:
            row = session.get(HubRow, self._hub)
            if row:
                self._note_changes(session, row.told)
                # Usually there is nothing to tell, and no need for the lock.
                if not (self._next_url(row) or self._due_changes(row.told)):
                    return None
        with self._database.write() as transaction:
            row = transaction.session.get(HubRow, self._hub)
            if row is None:
                # A hub that is new in the settings is told what changes from the start
                # on. The clock may be ahead of the revisions.
                row = HubRow(
                    url=self._hub,
                    told=min(self._started_at, transaction.revisions.last),
                    waiting=[],
                    claimed_until=EPOCH,
                )
                transaction.session.add(row)
            # A claim that ends later is of a clock that was wrong.
            max_claim = transaction.now + _CLAIM + MAX_CLOCK_SKEW
            if transaction.now < row.claimed_until <= max_claim:
                return None
            changes = self._due_changes(row.told)
            urls = [change.url for change in changes]
            row.waiting = list(dict.fromkeys([*row.waiting, *urls]))
            row.told = max([row.told, *(each.revision for each in changes)])
            url = self._next_url(row)
            if url:
                row.claimed_until = transaction.now + _CLAIM
            return url

    def _next_url(self, row: HubRow) -> str | None:
        """Return the first URL that waits and is due."""
        return next((url for url in row.waiting if self._is_due(url)), None)

    def _is_due(self, key: str) -> bool:
        """Tell if the delay after failures of the hub or a URL is over."""
        return self._due_at.get(key, 0) <= self._monotonic()

    def _note_changes(self, session: Session, told: datetime) -> None:
        """Note the changes since the last call, but for those that the hub was told."""
        last = revision_row(session).last
        if last > self._seen:
            since = max(self._seen, told)
            now = self._monotonic()
            self._changes += [
                _Change(url, revision, now)
                for url, revision in _changed_urls(session, self._site, since)
            ]
            self._seen = last

    def _due_changes(self, told: datetime) -> list[_Change]:
        """Return the changes to tell now, and forget those that the hub was told."""
        latest = self._monotonic() - DELAY
        self._changes = [
            each for each in self._changes if each.revision > told
        ]
        return [each for each in self._changes if each.seen_at <= latest]

    def _tell(self, url: str) -> bool:
        """Return whether the hub accepts that a feed has changed."""
        # Some hubs expect the one name, some the other.
        form = {"hub.mode": "publish", "hub.url": url, "hub.topic": url}
        try:
            post(self._hub, form)
        except (OSError, HTTPException, ValueError, OverflowError) as error:
            key = url if isinstance(error, Refused) else self._hub
            delay = min(_MIN_DELAY * 2 ** self._failures[key], _MAX_DELAY)
            self._failures[key] += 1
            self._due_at[key] = self._monotonic() + delay
            _log.warning(
                "Hub %s, %s: %s; trying again in %d s",
                self._hub,
                url,
                error,
                delay,
            )
            return False
        self._failures.pop(self._hub, None)
        self._failures.pop(url, None)
        return True

    def _release(self, url: str, *, is_accepted: bool) -> None:
        """Let any worker tell the next URL."""
        with self._database.write() as transaction:
            row = transaction.session.get_one(HubRow, self._hub)
            row.claimed_until = EPOCH
            waiting = [other for other in row.waiting if other != url]
            row.waiting = waiting if is_accepted else [*waiting, url]


def _changed_urls(
    session: Session, site: Site, since: datetime
) -> list[tuple[str, datetime]]:
    """Return the URLs of the sections and categories with entries that changed.

    With each comes the revision of its last change.
    """
    return [
        (FeedHead.of(site, kind, format, category, lang).self_url, revision)
        for kind, category, language, revision in list_changed_categories(
            session, since
        )
        for lang in dict.fromkeys((None, site.named_language(language)))
        for format in FORMATS.values()
        if format.is_syndication
    ]
