"""One page of the changes, whose entries are loaded group by group, as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from feedsvc.models import Change, Entry
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import entries, entry_categories

_GROUP = 100
_GROUP_BYTES = 512 * 1024

_STEPS = sa.select(
    *(
        entries.c[name]
        for name in ("pk", "id", "guid", "kind", "seq", "is_visible", "size")
    )
).order_by(entries.c.seq)


@dataclass(frozen=True, slots=True)
class _Item:
    """One change before its entry is loaded; `size` is 0 for a deletion."""

    pk: int
    seq: int
    id: str
    guid: str
    kind: str
    size: int


class ChangePage:
    """The changes after a step, oldest first.

    `last` is the step to continue from when all of them were read, `size` an upper estimate of their bytes.
    """

    def __init__(
        self,
        connection: sa.Connection,
        last: int,
        *,
        after: int,
        limit: int,
        kind: str | None,
        category_id: int | None,
    ) -> None:
        self._connection = connection
        where = [entries.c.was_visible, entries.c.seq > after]
        if kind:
            where.append(entries.c.kind == kind)
        rows = connection.execute(_STEPS.where(*where).limit(limit)).all()
        visible = {row.pk for row in rows if row.is_visible}
        if category_id:
            visible &= self._placed(category_id, visible)
        self._items = [
            _Item(
                row.pk,
                row.seq,
                row.id,
                row.guid,
                row.kind,
                row.size if row.pk in visible else 0,
            )
            for row in rows
        ]
        self.last = self._items[-1].seq if len(rows) == limit else last
        self.size = sum(item.size for item in self._items)

    def __iter__(self) -> Iterator[Change]:
        """Load the changes; only a group of them is in memory at a time."""
        for group in _groups(self._items):
            pks = [item.pk for item in group if item.size]
            loaded = load_entries(self._connection, pks)
            visible = {pk: stored.entry.public_view() for pk, stored in loaded.items()}
            for item in group:
                entry = visible.get(item.pk) or Entry(
                    item.id, item.kind, "", "", guid=item.guid
                )
                yield Change(item.seq, item.pk in visible, entry)

    def _placed(self, category_id: int, pks: Iterable[int]) -> set[Any]:
        inside = (
            entry_categories.c.category_id == category_id,
            entry_categories.c.entry_pk.in_(list(pks)),
        )
        return set(
            self._connection.scalars(
                sa.select(entry_categories.c.entry_pk).where(*inside)
            )
        )


def _groups(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Yield changes in groups that are few and small enough to be in memory together."""
    group: list[_Item] = []
    size = 0
    for item in items:
        if group and (len(group) == _GROUP or size + item.size > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group
