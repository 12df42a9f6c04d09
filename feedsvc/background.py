"""The threads of a process that serves: what is due, revisions, WebSub hubs."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from feedsvc import __version__
from feedsvc.errors import FeedsvcError
from feedsvc.feeds.cache import ResponseCache
from feedsvc.hubs import HubNotifier
from feedsvc.models import KINDS, Site
from feedsvc.storage.database import Database
from feedsvc.storage.entries import MAX_DUE, apply_due_changes, read_validity
from feedsvc.storage.migrations.runner import upgrade

_TICK_SECONDS = 1.0
_POLL_SECONDS = 0.5
_START_SECONDS = 20.0

_log = logging.getLogger(__name__)


class Background:
    """The threads, which `start` starts once."""

    def __init__(self, database: Database, cache: ResponseCache, site: Site) -> None:
        self._database = database
        self._cache = cache
        self._site = site
        self._is_started = False
        self._is_prepared = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the threads; a second call does nothing.

        The first tick migrates the database. gunicorn would end a worker that takes
        longer than its timeout to start, so a long migration goes on afterwards.
        """
        with self._lock:
            if self._is_started:
                return
            self._is_started = True
            self._cache.is_polled = True
            _repeat(self.tick, _TICK_SECONDS)
            _repeat(self._cache.poll, _POLL_SECONDS)
            self._is_prepared.wait(_START_SECONDS)
            for hub in self._site.hubs:
                # In a thread of its own, so that a slow hub delays no other.
                notifier = HubNotifier(self._database, self._site, hub)
                _repeat(notifier.notify, _TICK_SECONDS)

    def tick(self) -> None:
        """Publish, expire and advance what is due.

        :raises OperationalError: the database does not respond.
        """
        if not self._is_prepared.is_set():
            self._prepare()
        with self._database.read() as session:
            due_at = read_validity(session, *KINDS).due_at
        is_due = due_at is not None and due_at <= self._database.clock()
        while is_due:
            # Each batch has a transaction, so that writers need not wait for long.
            with self._database.write() as transaction:
                is_due = apply_due_changes(transaction) == MAX_DUE

    def _prepare(self) -> None:
        """Migrate the database; raise the revisions if the settings have changed."""
        upgrade(self._database)
        settings = f"{__version__} {self._site}"
        fingerprint = hashlib.sha256(settings.encode()).hexdigest()
        with self._database.write() as transaction:
            if transaction.revisions.fingerprint != fingerprint:
                transaction.revisions.fingerprint = fingerprint
                transaction.next_revision(*KINDS)
        self._is_prepared.set()


def _repeat(action: Callable[[], None], seconds: float) -> None:
    """Run an action again and again in a thread, whatever errors it raises."""

    def run() -> None:
        while True:
            try:
                action()
            except (SQLAlchemyError, FeedsvcError) as error:
                _log.warning("Database: %s", getattr(error, "orig", error))
            except Exception:
                # The thread must outlive every error: without it, nothing is published.
                _log.exception("Failed, retrying")
            time.sleep(seconds)

    # A daemon thread may end at any time: what is due then is still due at the start.
    threading.Thread(target=run, daemon=True).start()
