"""Deletion: which columns of an entry stay, and what the others are set to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from feedsvc.storage.tables import entries, entry_categories, event_details

KEPT_ENTRY = frozenset(
    "pk id guid kind published version sequence was_visible seq updated changed_at".split()
)
"""Columns of `entries` that a deletion keeps.

`was_visible`, `seq`, `updated` and `changed_at` are the store's own records.
"""

KEPT_EVENT = frozenset({"entry_pk", "start", "timezone"})
"""Columns of `event_details` that a deletion keeps."""

KEPT_PLACEMENT = frozenset(
    {"entry_pk", "category_id", "position", "kind", "published", "guid"}
)
"""Columns of `entry_categories` that a deletion keeps."""


def _erased(table: sa.Table, kept: frozenset[str], **values: Any) -> dict[str, Any]:
    """Return the values that erase all columns but the kept ones, a new column too.

    :param values: of columns that hold neither NULL nor text afterwards.
    """
    empty = {column.name: None if column.nullable else "" for column in table.columns}
    return {name: value for name, value in empty.items() if name not in kept} | values


ERASED_ENTRY = _erased(
    entries,
    KEPT_ENTRY,
    status="deleted",
    is_visible=False,
    imported=False,
    size=0,
    content_size=0,
)
ERASED_EVENT = _erased(event_details, KEPT_EVENT)
ERASED_PLACEMENT = _erased(entry_categories, KEPT_PLACEMENT, is_visible=False)


def erase(
    connection: sa.Connection, pk: int, kind: str, values: Mapping[str, object]
) -> None:
    """Erase the content of an entry; `values` are those of the kept columns in `entries` that change."""
    run = connection.execute
    run(entries.update().where(entries.c.pk == pk).values({**ERASED_ENTRY, **values}))
    if kind == "events":
        run(
            event_details.update()
            .where(event_details.c.entry_pk == pk)
            .values(ERASED_EVENT)
        )
    run(
        entry_categories.update()
        .where(entry_categories.c.entry_pk == pk)
        .values(ERASED_PLACEMENT)
    )
