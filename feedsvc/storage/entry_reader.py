"""Read entries for the API, for pages and for exports; feeds have their own modules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedsvc.errors import Gone
from feedsvc.models import Entry
from feedsvc.storage.categories import CategoryReader
from feedsvc.storage.entry_rows import (
    StoredEntry,
    load_by_guids,
    load_by_id,
    load_by_ids,
    load_entries,
    not_found,
)
from feedsvc.storage.search import MAX_CANDIDATES, SearchIndex
from feedsvc.storage.tables import entries, entry_categories, is_among

MAX_SEARCHED = 30_000
"""Entries that are searched for one page of the API."""

_EXPORT_BATCH_SIZE = 500

_NEXT_CHANGE = sa.select(sa.func.min(entries.c.next_change_at))
_EDITED_GUIDS = sa.select(entries.c.guid).where(
    entries.c.guid.in_(sa.bindparam("guids", expanding=True)), ~entries.c.imported
)


class EntryReader:
    """The entries of one snapshot."""

    def __init__(self, connection: sa.Connection, categories: CategoryReader) -> None:
        self._connection = connection
        self._categories = categories

    def get(self, id: str, kind: str | None = None) -> Entry:
        """Return the entry of an id.

        :param kind: which it must have.
        :raises NotFound: there is none.
        :raises Gone: it was deleted.
        """
        stored = self.find(id)
        if stored is None or (kind and stored.entry.kind != kind):
            raise not_found(id, stored)
        if stored.entry.status == "deleted":
            raise Gone(f"The entry “{id}” was deleted.")
        return stored.entry

    def find(self, id: str) -> StoredEntry | None:
        """Return the entry of an id, whatever its status; None if there is none."""
        return load_by_id(self._connection, id)

    def get_by_guids(self, guids: Iterable[str]) -> dict[str, Entry]:
        """Return the entries that have some guids, deleted ones too."""
        stored = load_by_guids(self._connection, guids)
        return {entry.guid: entry for _, entry in stored}

    def get_by_ids(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Return the entries that have some ids, deleted ones too."""
        return {entry.id: entry for _, entry in load_by_ids(self._connection, ids)}

    def edited_guids(self, guids: Iterable[str]) -> set[str]:
        """Return the guids of entries that an editor wrote last, not an import."""
        parameters = {"guids": list(guids)}
        return set(self._connection.scalars(_EDITED_GUIDS, parameters))

    def page(
        self,
        kind: str,
        *,
        limit: int,
        before: int | None = None,
        status: str | None = None,
        category: str | None = None,
        words: str = "",
    ) -> tuple[list[Entry], int | None]:
        """Return entries, the last created first, and the `before` of the next page.

        They have no bodies, which may be hundreds of megabytes. Pages are stable while
        others write. At most `MAX_SEARCHED` entries are examined for a page, so it may
        be short or empty although more follow.

        :param words: which entries must have, in the form of `parse_search`; only the
            newest entries with them are searched.
        :raises NotFound: there is no such category.
        :raises Gone: it was retired.
        """
        newest_first = entries.c.pk.desc()
        range_conditions = [entries.c.pk < before] if before is not None else []
        parameters: dict[str, Any] = {}
        oldest_examined = None
        if words:
            range_conditions.append(is_among(entries.c.pk, "matches"))
            index = SearchIndex(self._connection)
            parameters["matches"] = index.newest(kind, words, MAX_CANDIDATES).pks
        else:
            # No index has all conditions, so the scan ends at the last entry examined.
            oldest_examined = self._connection.scalar(
                sa.select(entries.c.pk)
                .where(*range_conditions)
                .order_by(newest_first)
                .offset(MAX_SEARCHED - 1)
                .limit(1)
            )
        if oldest_examined is not None:
            range_conditions.append(entries.c.pk >= oldest_examined)
        # An expression, or an index on the kind would be used, and all entries of the
        # kind searched.
        conditions = [entries.c.kind.concat("") == kind, entries.c.status != "deleted"]
        if status is not None:
            conditions.append(entries.c.status == status)
        if category is not None:
            in_category = sa.exists().where(
                entry_categories.c.entry_pk == entries.c.pk,
                entry_categories.c.category_id == self._categories.key(category),
            )
            conditions.append(in_category)
        statement = sa.select(entries.c.pk).where(*range_conditions, *conditions)
        statement = statement.order_by(newest_first).limit(limit + 1)
        pks = list(self._connection.scalars(statement, parameters))
        following = pks[limit - 1] if len(pks) > limit else oldest_examined
        stored = load_entries(self._connection, pks[:limit], bodies=False)
        return [entry for _, entry in stored.values()], following

    def next_change_at(self) -> datetime | None:
        """Return when the next scheduled change of an entry is due."""
        next_change_at: datetime | None = self._connection.scalar(_NEXT_CHANGE)
        return next_change_at
