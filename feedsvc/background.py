"""The threads of a process that serves: what is due, revisions, tasks."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from feedsvc import __version__
from feedsvc.config import Config
from feedsvc.errors import FeedsvcError
from feedsvc.models import KINDS
from feedsvc.storage.changes import read_validity
from feedsvc.storage.database import Database, installation_row
from feedsvc.storage.entries import MAX_DUE, apply_due_changes
from feedsvc.storage.migrations.runner import check_schema
from feedsvc.storage.search import has_older_words, renew_words

_TICK_SECONDS = 1.0
_POLL_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Background:
    """The threads, which `start` starts once.

    Extensions append to `tasks`. Each has a thread that repeats it every second.
    """

    def __init__(self, database: Database, config: Config) -> None:
        self._database = database
        self._site = config.site
        self._settings = f"{__version__} {config.site} {config.pages}"
        self.tasks: list[Callable[[], None]] = []
        self._start_once = threading.Lock()
        self._has_ticked = False

    def start(self) -> None:
        """Start the threads; a second call does nothing."""
        # It is never released.
        if not self._start_once.acquire(blocking=False):
            return
        self._repeat(self.tick, _TICK_SECONDS)
        self._repeat(self._database.poll, _POLL_SECONDS)
        for task in self.tasks:
            # In a thread of its own, so that a slow hub delays no other.
            self._repeat(task, _TICK_SECONDS)

    def tick(self) -> None:
        """Publish, expire and advance what is due.

        :raises Unavailable: the database needs an upgrade.
        :raises OperationalError: the database does not respond.
        """
        if not self._has_ticked:
            check_schema(self._database)
            self._note_settings()
            self._has_ticked = True
        with self._database.read() as session:
            _, due_at, day = read_validity(session, *KINDS)
            must_renew_words = has_older_words(session)
        if day != self._site.day_of(self._database.clock()):
            self._note_day()
        is_due = due_at is not None and due_at <= self._database.clock()
        while is_due:
            # Each batch has a transaction, so that writers need not wait for long.
            with self._database.write() as transaction:
                is_due = apply_due_changes(transaction) == MAX_DUE
        # Some of them a tick, since other writers wait meanwhile.
        if must_renew_words:
            with self._database.write() as transaction:
                renew_words(transaction)

    def _note_day(self) -> None:
        """Store the site's day, and raise the revision of events with `period`."""
        with self._database.write() as transaction:
            # Another worker may have stored it, also one whose clock is ahead.
            day = self._site.day_of(transaction.now)
            if transaction.revisions.day != day:
                transaction.revisions.day = day
                transaction.next_revision("events")

    def _note_settings(self) -> None:
        """Raise the revisions if the version or the settings have changed.

        Responses depend on them, and clients must not get 304 for earlier ones.
        """
        fingerprint = hashlib.sha256(self._settings.encode()).hexdigest()
        with self._database.read() as session:
            if installation_row(session).fingerprint == fingerprint:
                return
        with self._database.write() as transaction:
            installation_row(transaction.session).fingerprint = fingerprint
            transaction.next_revision(*KINDS)

    def _repeat(self, action: Callable[[], None], seconds: float) -> None:
        """Run an action again and again in a thread, whatever errors it raises."""

        def run() -> None:
            has_failed = False
            while True:
                try:
                    action()
                    if has_failed:
                        self._database.forget_failures()
                        _log.warning("Database: usable again")
                    has_failed = False
                except (SQLAlchemyError, FeedsvcError) as error:
                    self._database.log_failure(error)
                    has_failed = True
                except Exception:
                    # The thread must outlive every error: without it, nothing is
                    # published.
                    _log.exception("Failed, retrying")
                time.sleep(seconds)

        # A daemon thread may end at any time: what is due then is still due at the
        # start.
        threading.Thread(target=run, daemon=True).start()
