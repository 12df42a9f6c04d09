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

_RETRY_SECONDS = (5, 10, 20, 40, 80, 160, 300)
"""The delays after failures; all hubs wait for one that fails, so not for hours."""


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
    has_failed = False
    for hub in site.hubs:
        try:
            _tell(hub, urls)
        except (OSError, HTTPException) as error:
            _log.warning("Hub %s: %s; trying again later", hub, error)
            has_failed = True
    with database.write() as transaction:
        row = transaction.revisions
        if has_failed:
            delay = _RETRY_SECONDS[min(row.hubs_failures, len(_RETRY_SECONDS) - 1)]
            row.hubs_due_at = transaction.now + timedelta(seconds=delay)
            row.hubs_failures += 1
        else:
            row.hubs_told = newest
            row.hubs_due_at = EPOCH
            row.hubs_failures = 0


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


def _tell(hub: str, urls: list[str]) -> None:
    """Tell a hub that feeds have changed.

    :raises OSError: the hub cannot be reached, or refuses a URL.
    :raises HTTPException: its response is not HTTP.
    """
    for url in urls:
        form = urlencode({"hub.mode": "publish", "hub.url": url}).encode()
        # The settings accept http and https alone.
        with _opener.open(Request(hub, form), timeout=_TIMEOUT):  # noqa: S310
            pass
