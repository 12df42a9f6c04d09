"""The conditions that entries must meet to be in a feed.

No index serves those of EntryFilters, so they are checked on a bounded number of
entries. The archives of a feed have them too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from feedsvc.feed_query import FeedQuery
from feedsvc.storage.archives import Conditions
from feedsvc.storage.tables import KEY, UTCDateTime, entries, entry_categories

PARAMETER_CONDITIONS: Mapping[str, Callable[[Any], sa.ColumnElement[bool]]] = {
    "cancelled": lambda entry: entry.event_status != "cancelled",
}
"""The condition of each parameter that has one, on the columns of `entries`.

The parameter's value is a bound parameter of its name: `sa.bindparam("cancelled")`. A
member without a column is read from the document, in both databases by

    sa.cast(entry.document, sa.JSON().with_variant(sa.String(), "sqlite"))[
        "source", "name"
    ].as_string()

which fails, and the feed with it, if a damaged document is no JSON. Compare texts as
they are, since SQLite's lower() knows ASCII alone.

A withdrawn entry is selected by the members that it hides, so that readers get its
notice. Tombstones are listed without these conditions: a deletion erases what they are
about, and an edit of a hidden entry may change it, but must not change a feed.
"""


@dataclass(frozen=True, slots=True)
class EntryFilters:
    """The conditions of one feed, without their values."""

    required: int = 0
    """Further categories that each entry must be in."""

    has_excluded: bool = False
    """True if there are categories in which no entry may be."""

    parameters: tuple[str, ...] = ()
    """Names in PARAMETER_CONDITIONS."""

    def __bool__(self) -> bool:
        """Return whether there is any condition."""
        return self != EntryFilters()


def condition_values(query: FeedQuery) -> dict[str, Any]:
    """Return the parameters of a feed that have a condition, by name."""
    given = query.given_parameters
    return {name: given[name] for name in PARAMETER_CONDITIONS if name in given}


def filter_conditions(filters: EntryFilters, pk: sa.ColumnElement[int]) -> Conditions:
    """Return the conditions on entries.

    :param pk: the column with the keys of the entries.
    """
    conditions = category_conditions(filters, pk, entry_categories)
    if filters.parameters:
        entry = entries.alias()
        is_selected = [
            PARAMETER_CONDITIONS[name](entry.c) for name in filters.parameters
        ]
        conditions.append(sa.exists().where(entry.c.pk == pk, *is_selected))
    return conditions


def category_conditions(
    filters: EntryFilters, pk: sa.ColumnElement[int], memberships: sa.Table
) -> Conditions:
    """Return the conditions on categories.

    :param memberships: the table with the categories: `entry_categories` or
        `tombstones`.
    """
    member = memberships.alias()
    is_member = member.c.entry_pk == pk
    conditions: Conditions = []
    for index in range(filters.required):
        required_id = sa.bindparam(f"required_{index}", type_=sa.Integer)
        conditions.append(
            sa.exists().where(is_member, member.c.category_id == required_id)
        )
    if filters.has_excluded:
        excluded_ids = sa.bindparam("excluded_ids", type_=sa.Integer, expanding=True)
        conditions.append(
            ~sa.exists().where(is_member, member.c.category_id.in_(excluded_ids))
        )
    return conditions


def period_conditions(period: str, table: Any) -> Conditions:
    """Return the conditions on the ends of events: upcoming ones are not over.

    The end of an event is no change in the change log. A feed is rendered without the
    event since `FeedSelection.version` states this time as the feed's next change.

    :param period: `FeedQuery.effective_period`.
    :param table: `entries`, or another one with its columns.
    """
    ends = table.c.ends
    now = sa.bindparam("now", type_=UTCDateTime)
    if period == "upcoming":
        return [ends > now]
    if period == "recent":
        return [ends > sa.bindparam("recent_since", type_=UTCDateTime)]
    if period == "past":
        # Not by the index on ends, since most events are over: the expression keeps
        # the databases from using it.
        return [sa.func.coalesce(ends, ends) <= now]
    return []


def language_condition(table: Any) -> sa.ColumnElement[bool]:
    """Return the condition that entries have one of the feed's languages."""
    # The expression keeps the databases from using an index on the language.
    tags = sa.bindparam("languages", type_=KEY, expanding=True)
    condition: sa.ColumnElement[bool] = table.c.lang.concat("").in_(tags)
    return condition
