"""Tell WebSub hubs which feeds have changed (W3C WebSub, as a publisher)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from http.client import HTTPException

from sqlalchemy.orm import Session

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS
from feedsvc.http_client import post
from feedsvc.models import EPOCH, Site
from feedsvc.storage.database import Database, revision_row
from feedsvc.storage.entries import list_changed_categories
from feedsvc.storage.tables import HubRow

_log = logging.getLogger(__name__)

#: Time after which another worker tells a hub, if one was stopped meanwhile.
_CLAIM = timedelta(seconds=30)

#: Seconds after failures, doubled with each; later changes wait too, so not hours.
_MIN_DELAY = 5
_MAX_DELAY = 300

#: Bytes of a refusal that are logged.
_MAX_LINE = 200


class HubNotifier:
    """Tells one hub which feeds have changed; each worker has one for each hub.

    The database has what the hub was told, so that of several workers one tells it
    each URL. The delay after failures is the process's own: a restart ends it.
    """

    def __init__(self, database: Database, site: Site, hub: str) -> None:
        self._database = database
        self._site = site
        self._hub = hub
        # A hub that is new in the settings is told what changes from now on.
        self._started_at = database.clock()
        self._due_at = EPOCH
        self._failures = 0

    def notify(self) -> None:
        """Tell the hub the URLs that wait, until it fails; then again, but later.

        :raises OperationalError: the database does not respond.
        """
        while self._due_at <= self._database.clock():
            url = self._claim()
            if url is None:
                return
            # No transaction is open now: a hub may be slow.
            is_accepted = self._tell(url)
            with self._database.write() as transaction:
                row = transaction.session.get_one(HubRow, self._hub)
                row.claimed_until = EPOCH
                waiting = [other for other in row.waiting if other != url]
                # A URL that is always refused must not keep the others waiting.
                row.waiting = waiting if is_accepted else [*waiting, url]

    def _claim(self) -> str | None:
        """Return the URL to tell now; None also while another worker tells one."""
        with self._database.read() as session:
            row = session.get(HubRow, self._hub)
            # Usually there is nothing to tell, and no need for the lock.
            if (
                row
                and row.told >= revision_row(session).last
                and not row.waiting
            ):
                return None
        with self._database.write() as transaction:
            session = transaction.session
            row = session.get(HubRow, self._hub)
            if row is None:
                row = HubRow(
                    url=self._hub,
                    told=self._started_at,
                    waiting=[],
                    claimed_until=EPOCH,
                )
                session.add(row)
            if row.claimed_until > transaction.now:
                return None
            changed = _changed_urls(session, self._site, row.told)
            row.waiting = list(dict.fromkeys([*row.waiting, *changed]))
            row.told = transaction.revisions.last
            if not row.waiting:
                return None
            row.claimed_until = transaction.now + _CLAIM
            return row.waiting[0]

    def _tell(self, url: str) -> bool:
        """Return whether the hub accepts that a feed has changed."""
        try:
            _post(self._hub, url)
        except (OSError, HTTPException) as error:
            delay = min(_MIN_DELAY * 2**self._failures, _MAX_DELAY)
            self._due_at = self._database.clock() + timedelta(seconds=delay)
            self._failures += 1
            _log.warning(
                "Hub %s, %s: %s; trying again in %d s",
                self._hub,
                url,
                error,
                delay,
            )
            return False
        self._failures = 0
        return True


def _changed_urls(session: Session, site: Site, since: datetime) -> list[str]:
    """Return the URLs of the sections and categories with entries that changed."""
    return [
        Feed.empty(site, kind, format, category).self_url
        for kind, category in list_changed_categories(session, since)
        for format in FORMATS.values()
        if format.is_syndication
    ]


def _post(hub: str, url: str) -> None:
    """Tell a hub that a feed has changed.

    :raises OSError: the hub cannot be reached, does not answer in time, or refuses.
    :raises HTTPException: its response is not HTTP.
    """
    # Some hubs expect the one name, some the other.
    form = {"hub.mode": "publish", "hub.url": url, "hub.topic": url}
    with post(hub, form) as response:
        if response.status >= 300:
            line = (
                response.readline(_MAX_LINE).decode("utf-8", "replace").strip()
            )
            raise OSError(f"{response.status} {response.reason}: {line!r}")
