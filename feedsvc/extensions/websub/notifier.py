"""Tell WebSub hubs which feeds have changed (W3C WebSub, as a publisher)."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from http.client import HTTPException

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from feedsvc.extensions.websub.changes import list_changed_categories
from feedsvc.extensions.websub.http_client import Refused, post
from feedsvc.extensions.websub.outbox import Outbox
from feedsvc.feeds.feed import FeedHead
from feedsvc.feeds.query import FORMATS
from feedsvc.models import EPOCH, Site
from feedsvc.storage.database import MAX_CLOCK_SKEW, Database, revision_row
from feedsvc.storage.tables import HubRow
from feedsvc.text.languages import match_tag

_log = logging.getLogger(__name__)

#: Time after which another worker tells a hub, if one was stopped meanwhile.
_CLAIM = timedelta(seconds=30)


class HubNotifier:
    """Tells one hub which feeds have changed; each worker has one for each hub.

    The row of the hub says what it was told, and which worker tells it the next URL, so
    that of several workers one tells it each URL. The outbox decides which one is next:
    it is the process's own, so that a restart ends the delay after failures.

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
        self._outbox = Outbox(monotonic)
        self._started_at = database.clock()
        # The last revision whose changes are in the outbox.
        self._seen = EPOCH

    def notify(self) -> None:
        """Tell the hub the URLs that are due, until it fails; then again, but later.

        While the database does not respond, they stay due.
        """
        # The tick, which comes as often, logs the error.
        with suppress(SQLAlchemyError):
            while self._outbox.is_due():
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
                _, _, url = self._outbox.merge(row.told, row.waiting)
                if url is None:
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
            row.told, row.waiting, url = self._outbox.merge(row.told, row.waiting)
            if url:
                row.claimed_until = transaction.now + _CLAIM
            return url

    def _note_changes(self, session: Session, told: datetime) -> None:
        """Note the changes since the last call, but for those that the hub was told."""
        last = revision_row(session).last
        if last > self._seen:
            since = max(self._seen, told)
            self._outbox.note(_changed_urls(session, self._site, since))
            self._seen = last

    def _tell(self, url: str) -> bool:
        """Return whether the hub accepts that a feed has changed."""
        # Some hubs expect the one name, some the other.
        form = {"hub.mode": "publish", "hub.url": url, "hub.topic": url}
        try:
            post(self._hub, form)
        except (OSError, HTTPException, ValueError, OverflowError) as error:
            is_refused = isinstance(error, Refused)
            delay = self._outbox.fail(url if is_refused else None)
            _log.warning(
                "Hub %s, %s: %.500s; trying again in %d s",
                self._hub,
                url,
                error,
                delay,
            )
            return False
        self._outbox.succeed(url)
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
    changes = list_changed_categories(session, since)
    return [
        (FeedHead.of(site, kind, format, category, lang).self_url, revision)
        for (kind, category, language), revision in changes.items()
        for lang in dict.fromkeys((None, match_tag(site.languages, language)))
        for format in FORMATS.values()
        if format.is_syndication
    ]
