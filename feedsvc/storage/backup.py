"""Backup and restore of SQLite's file: a copy of one moment, looked through before it gets its name."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from pysqlite3 import dbapi2 as sqlite

from feedsvc.errors import Conflict, FeedsvcError, SchemaTooNew, Unavailable
from feedsvc.storage.database import create_private
from feedsvc.storage.tables import REVISION

_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
"""The time as UTCDateTime stores it."""


_VERSIONS = 1_000_000
"""More than an entry has had since any backup; the column has room for two thousand restores."""


def backup(url: str, file: Path) -> None:
    """Copy the database of a URL, which may be in use, into a new file.

    :raises FeedsvcError: it is on PostgreSQL, cannot be read or is damaged; or the file is there already.
    """
    _copy(_path(url), file)


def restore(url: str, file: Path) -> None:
    """Make the database of a URL from a backup; all that it holds counts as modified now.

    :raises FeedsvcError: as `backup`; or a database is there already, or the backup is newer than we are.
    """
    target = _path(url)
    for rest in (
        target.with_name(target.name + end) for end in ("-wal", "-shm", "-journal")
    ):
        if rest.exists():
            raise Conflict(
                f"{rest} belongs to another database; move it away with that."
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(file, target, restoring=True)


def _path(url: str) -> Path:
    target = sa.make_url(url)
    if target.get_backend_name() != "sqlite":
        raise FeedsvcError(
            "PostgreSQL has its own pg_dump and pg_restore; docs/operating.md has the lines."
        )
    return Path(target.database or "")


def _copy(source: Path, target: Path, *, restoring: bool = False) -> None:
    if target.exists():
        raise Conflict(f"{target} is there already, and is not overwritten.")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        create_private(unfinished)
        with closing(_opened(source, "rw")) as connection:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        with closing(_opened(unfinished, "ro")) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            (revision,) = connection.execute(
                "SELECT max(version_num) FROM alembic_version"
            ).fetchone()
        if found != "ok":
            raise Unavailable(f"{source} is damaged: {found}.")
        if restoring:
            if revision > REVISION:
                raise SchemaTooNew(
                    f"{source} has schema {revision}, but this version knows {REVISION} at most."
                )
            _stamp(unfinished)
            _raise_versions(unfinished)
        _sync(unfinished)
        os.link(unfinished, target)  # unlike a rename it replaces nothing
        _sync(target.parent)
    except (sqlite.Error, OSError) as error:
        raise Unavailable(f"{source} cannot be copied to {target}: {error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _stamp(path: Path) -> None:
    """Let no Last-Modified go back: it would call copies right of what was written after the backup."""
    with closing(_opened(path, "rw")) as connection:
        connection.execute(f"UPDATE feed_versions SET time = max(time, {_NOW})")  # noqa: S608 — our words


def _raise_versions(path: Path) -> None:
    """Let no version come again, or an `If-Match` of a version that was lost would match another one."""
    with closing(_opened(path, "rw")) as connection:
        if connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'entries'"
        ).fetchone():
            connection.execute("UPDATE entries SET version = version + ?", (_VERSIONS,))


def _opened(path: Path, mode: str) -> sqlite.Connection:
    return sqlite.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=5,
        isolation_level=None,
    )


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
