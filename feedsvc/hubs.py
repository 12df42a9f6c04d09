"""Tell WebSub hubs which feeds have changed (W3C WebSub, as a publisher)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from sqlalchemy.orm import Session

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS
from feedsvc.models import EPOCH, Site
from feedsvc.storage.database import Database, revision_row
from feedsvc.storage.entries import list_changed_categories

_log = logging.getLogger(__name__)

_TIMEOUT = 10.0
"""Seconds for the answer of a hub."""

_CLAIM = timedelta(minutes=5)
"""Time after which another worker tells the hubs, if one was stopped meanwhile."""

_FIRST_RETRY = timedelta(seconds=5)
# All hubs wait for one that fails, so the delay stays short.
_LAST_RETRY = timedelta(minutes=5)


class _NoRedirects(HTTPRedirectHandler):
    """Take a redirect for a failure: the settings should name the hub itself."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = build_opener(_NoRedirects)


def tell_hubs(database: Database, site: Site) -> None:
    """Tell the hubs the URLs of the feeds that changed since they were last told.

    Of several workers one does it. After a failure it is repeated, later and later.

    :raises OperationalError: the database does not respond.
    """
    with database.read() as session:
        state = revision_row(session)
        told, newest = state.hubs_told, state.last
        if state.hubs_due_at > database.clock():
            return
        urls = _changed_urls(session, site, told)
    if not urls or not _claim(database, told):
        return
    # No transaction is open now: a hub may be slow.
    failures = []
    for hub in site.hubs:
        failure = _tell(hub, urls)
        if failure:
            failures.append(failure)
    with database.write() as transaction:
        row = transaction.revisions
        if not failures:
            row.hubs_told = newest
            row.hubs_failures = 0
            row.hubs_due_at = EPOCH
            return
        delay = min(_FIRST_RETRY * 2**row.hubs_failures, _LAST_RETRY)
        row.hubs_failures = min(row.hubs_failures + 1, 20)
        row.hubs_due_at = transaction.now + delay
    _log.warning("%s (trying again in %d s)", failures[0], delay.total_seconds())


def _changed_urls(session: Session, site: Site, since: datetime) -> list[str]:
    """Return the URLs of the sections and categories with entries that changed."""
    return [
        Feed.empty(site, kind, format, category).self_url
        for kind, category in list_changed_categories(session, since)
        for format in FORMATS.values()
        if format.is_syndication
    ]


def _claim(database: Database, told: datetime) -> bool:
    """Return whether this worker is the one to tell the hubs now."""
    with database.write() as transaction:
        row = transaction.revisions
        if row.hubs_told != told or row.hubs_due_at > transaction.now:
            return False
        row.hubs_due_at = transaction.now + _CLAIM
        return True


def _tell(hub: str, urls: list[str]) -> str:
    """Tell a hub the URLs, up to a failure; return its reason, or an empty text."""
    for url in urls:
        failure = _ping(hub, url)
        if failure:
            return failure
    return ""


def _ping(hub: str, url: str) -> str:
    """Tell a hub that a feed has changed; return why that failed, or an empty text."""
    form = urlencode({"hub.mode": "publish", "hub.url": url}).encode()
    # The settings accept http and https alone.
    try:
        with _opener.open(Request(hub, form), timeout=_TIMEOUT):  # noqa: S310
            return ""
    except (OSError, HTTPException) as error:
        return f"Hub {hub}: {error}"
