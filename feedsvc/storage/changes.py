"""The changes of entries, and how long what was read of them is valid."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.storage.entries import WHOLE_ENTRY
from feedsvc.storage.tables import EntryRow, RevisionRow

#: Entries that are read together for followers of the changes.
_STEP = 100


class Validity(NamedTuple):
    """The last revision of some kinds, and when an entry changes without a write.

    `day` is the day of the site, from which `period` counts.
    """

    revision: datetime
    due_at: datetime | None
    day: date


def list_changes(
    session: Session, after: datetime, kind: str | None, limit: int
) -> Iterator[EntryRow]:
    """Yield the entries that are or were public and changed later, in that order.

    Revisions rise in the order of commits, and no two are equal, so a client that
    continues after the last one misses no change.
    """
    statement = (
        sa.select(EntryRow)
        .where(EntryRow.was_public.is_(True))
        .order_by(EntryRow.changed_at)
        .options(*WHOLE_ENTRY)
    )
    if kind:
        statement = statement.where(EntryRow.kind == kind)
    # A page also has a maximum size, so the caller may need only the first ones.
    while limit > 0:
        step = statement.where(EntryRow.changed_at > after).limit(min(limit, _STEP))
        rows = session.scalars(step).all()
        yield from rows
        if len(rows) < _STEP:
            return
        limit -= _STEP
        after = rows[-1].changed_at
        session.expunge_all()


def read_validity(session: Session, *kinds: str) -> Validity:
    """Return how long what is read of some kinds in this snapshot is valid."""
    row = session.execute(_select_validity(kinds)).one()
    revisions: list[datetime] = [getattr(row, kind) for kind in kinds]
    due_times = [getattr(row, f"{kind}_due_at") for kind in kinds]
    due_at = min((moment for moment in due_times if moment), default=None)
    return Validity(max(revisions), due_at, row.day)


@cache
def _select_validity(kinds: tuple[str, ...]) -> sa.Select[Any]:
    """Return the statement for the day, and of each kind its revision and due time."""
    statement: sa.Select[Any] = sa.select(RevisionRow.day)
    for kind in kinds:
        due_at = sa.select(sa.func.min(EntryRow.due_at)).where(EntryRow.kind == kind)
        statement = statement.add_columns(
            getattr(RevisionRow, kind), due_at.label(f"{kind}_due_at")
        )
    return statement
