"""Backup and restore of an SQLite file, by a consistent copy that is checked first."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite

from feedsvc.errors import Conflict, FeedsvcError, SchemaTooNew, Unavailable
from feedsvc.storage.change_log import RESTORE
from feedsvc.storage.database import create_private, no_database
from feedsvc.storage.tables import REVISION

_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
"""The current time as UTCDateTime stores it."""

_UNIX_MS = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
"""The current Unix time in milliseconds."""

_VERSION_STEP = 1_000_000
"""More versions than an entry has had since any backup; 2,000 restores fit."""


def backup(url: str, file: Path) -> None:
    """Copy a database, which may be in use, into a new file.

    :raises FeedsvcError: it is on PostgreSQL, unreadable or damaged, or the file
        exists.
    """
    source = _sqlite_path(url)
    if not source.exists():
        raise no_database(source)
    _copy(source, file)


def restore(url: str, file: Path) -> None:
    """Create the database of a URL from a backup; all of it counts as modified now.

    :raises FeedsvcError: as `backup`; or a database exists already, or the backup is of
        a newer version.
    """
    target = _sqlite_path(url)
    for suffix in ("-wal", "-shm", "-journal"):
        # SQLite would apply the log of another database to this one.
        leftover = target.with_name(target.name + suffix)
        if leftover.exists():
            raise Conflict(
                f"{leftover} belongs to another database; move it away with that."
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(file, target, restoring=True)


def _sqlite_path(url: str) -> Path:
    target = sa.make_url(url)
    if target.get_backend_name() != "sqlite":
        raise FeedsvcError(
            "PostgreSQL has its own pg_dump and pg_restore; "
            "docs/operating.md has the lines."
        )
    return Path(target.database or "")


def _copy(source: Path, target: Path, *, restoring: bool = False) -> None:
    if target.exists():
        raise Conflict(f"{target} is there already, and is not overwritten.")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        create_private(unfinished)
        with closing(_connect(source, "rw")) as connection:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        revision = _check(unfinished, source)
        if restoring:
            if revision > REVISION:
                raise SchemaTooNew(
                    f"{source} has schema {revision}, "
                    f"but this version knows {REVISION} at most."
                )
            _mark_modified(unfinished)
        _sync(unfinished)
        # A link, since a rename would replace a file that was created meanwhile.
        os.link(unfinished, target)
        _sync(target.parent)
    except (sqlite.Error, OSError) as error:
        raise Unavailable(f"{source} cannot be copied to {target}: {error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _check(copy: Path, source: Path) -> str:
    """Return the schema revision of a copy.

    :raises Unavailable: it is damaged.
    """
    with closing(_connect(copy, "ro")) as connection:
        (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        (revision,) = connection.execute(
            "SELECT max(version_num) FROM alembic_version"
        ).fetchone()
    if result != "ok":
        raise Unavailable(f"{source} is damaged: {result}.")
    return str(revision)


def _mark_modified(path: Path) -> None:
    """Let no Last-Modified, version of an entry or sequence number come again.

    Caches would take what they stored after the backup for current, an `If-Match` of a
    version that was lost would match another one, and followers of `/api/v1/changes`
    would miss the changes that get the numbers of lost ones. `deploy/restored.sql` does
    the same in PostgreSQL.
    """
    with closing(_connect(path, "rw")) as connection:
        connection.execute("BEGIN")
        # `_NOW` is our own, not input.
        connection.execute(
            f"UPDATE feed_versions SET time = max(time, {_NOW})"  # noqa: S608
        )
        connection.execute("UPDATE entries SET version = version + ?", (_VERSION_STEP,))
        # Higher than any number that was lost, since nobody writes 1,000 changes a
        # second for years.
        connection.execute(
            f"""
            UPDATE change_sequence SET
                seq = max(seq + 1, {_UNIX_MS}),
                clock = CASE WHEN time < {_NOW} THEN {_NOW} ELSE clock END,
                time = max(time, {_NOW})
            """  # noqa: S608
        )
        # Caches and followers know the last change by its row, and `log` shows when
        # the database was restored.
        connection.execute(
            """
            INSERT INTO changes (seq, time, action, kind, id, version, token)
            SELECT seq, time, 'restore', 'database', 'backup', 1, ?
            FROM change_sequence
            """,
            (RESTORE,),
        )
        connection.execute("COMMIT")


def _connect(path: Path, mode: str) -> sqlite.Connection:
    return sqlite.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=5,
        isolation_level=None,
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
