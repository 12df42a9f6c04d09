"""Translate the errors of drivers if the database cannot be used, and log the reason.

Clients learn no reason, which may name hosts, users and files. Retry-After is in
`errors.py`.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import exc

from feedsvc.errors import Busy, Unavailable

REPEAT_SECONDS = 60.0
"""Seconds after which a reason that persists is logged again."""

_SECRET_WORDS = ("password", "passwd", "secret", "token", "key")
"""Parts of the names of URL parameters whose values are masked."""

_MAX_REASONS = 20
"""Reasons that are told apart. More are only counted, so that the log stays short."""

_CAUSES = tuple(
    (re.compile(pattern), cause)
    for pattern, cause in (
        ("password authentication failed|no password supplied", "wrong password"),
        ('database ".*" does not exist', "no such database"),
        ('role ".*" does not exist', "no such user"),
        ("failed to resolve host|could not translate host name", "unknown host"),
        ("Connection refused", "connection refused"),
        ("certificate", "certificate not accepted"),
        ("SSL", "no encrypted connection"),
        ("timeout expired|timed out", "no response in time"),
        ("too many clients|connection slots", "too many connections"),
    )
)
"""Short names of what libpq says."""

_log = logging.getLogger(__name__)


def translate(error: BaseException, url: sa.URL) -> Unavailable | None:
    """Return the error that a retry or an operator can mend; None for another one.

    A database that is locked, full, read-only or away, for instance.
    """
    if isinstance(error, Unavailable):
        return error
    if isinstance(
        error,
        exc.OperationalError
        | exc.InternalError
        | exc.TimeoutError
        | exc.InterfaceError
        | sqlite.OperationalError,  # by BEGIN, which the driver executes itself
    ):
        return Unavailable(
            "The database cannot be used at the moment.",
            f"The database cannot be used: {_reason(error, url)}",
        )
    # While a database is being restored, its tables are missing or not ours yet.
    if isinstance(error, exc.ProgrammingError):
        if type(error.orig).__name__ in ("UndefinedTable", "InsufficientPrivilege"):
            return Unavailable(
                "The database is not set up.",
                f"The database is not set up: {_reason(error, url)}",
            )
        return None
    # SQLite raises the base class itself for a file that is damaged or no database.
    if type(error) in (exc.DatabaseError, sqlite.DatabaseError):
        return Unavailable(
            "The database is damaged; its operator has a backup to restore.",
            f"The database is damaged: {_reason(error, url)}",
        )
    return None


def _reason(error: BaseException, url: sa.URL) -> str:
    """Return what the driver says, as a line without secrets."""
    cause: Any = getattr(error, "orig", None) or error
    # PostgreSQL's details would have values of rows.
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    text = mask_secrets(" ".join((primary or str(cause)).split()), url)
    if text == "unable to open database file":
        return f"no access to {url.database} ({text})"
    for pattern, name in _CAUSES:
        if pattern.search(text):
            return f"{name} ({text})"
    return text


def mask_secrets(text: str, url: sa.URL) -> str:
    """Mask the URL's secrets in a text."""
    secrets = [url.password or ""]
    for name, value in url.query.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            secrets += [value] if isinstance(value, str) else value
    # SQLAlchemy takes the part after the first @ of a password for the host.
    start, at, _ = (url.host or "").rpartition("@")
    secrets.append(start + at)
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


class OutageLog:
    """Log each reason at once, then once a minute with the number of failures.

    It is silent until `is_enabled`: a command prints its error itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_enabled = False
        self.is_outage = False
        """True if the last read failed."""
        self._clock = clock
        self._lock = threading.Lock()
        self._reasons: dict[str, tuple[float, int]] = {}
        """The time at which each reason was logged, and the failures since then."""
        self._outage_began = 0.0

    def report(self, error: Unavailable, prefix: str = "") -> None:
        """Log a failure, unless its reason was logged within a minute.

        :param prefix: the beginning of the line.
        """
        if not self.is_enabled or isinstance(error, Busy):
            return
        reason = f"{prefix}{error.for_operator()}"
        now = self._clock()
        with self._lock:
            if reason in self._reasons:
                logged_at, failures = self._reasons[reason]
                failures += 1
                if now < logged_at + REPEAT_SECONDS:
                    self._reasons[reason] = logged_at, failures
                    return
                self._reasons[reason] = now, 0
                _log.warning("%s (%d times in %d s)", reason, failures, now - logged_at)
                return
            for old, (logged_at, _) in list(self._reasons.items()):
                if now >= logged_at + REPEAT_SECONDS:
                    del self._reasons[old]
            if len(self._reasons) < _MAX_REASONS:
                self._reasons[reason] = now, 0
                _log.warning("%s", reason)

    def begin_outage(self) -> None:
        """Note that a read has failed."""
        with self._lock:
            if self.is_enabled and not self.is_outage:
                self.is_outage, self._outage_began = True, self._clock()

    def end_outage(self) -> None:
        """Log that reads succeed again, for an outage of more than a second."""
        with self._lock:
            seconds = self._clock() - self._outage_began
            if self.is_outage and seconds > 1:
                _log.warning("The database can be used again after %d s", seconds)
            self.is_outage = False
