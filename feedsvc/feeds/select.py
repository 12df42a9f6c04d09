"""The SELECT of a feed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.feeds.query import FeedQuery, Format
from feedsvc.models import EPOCH
from feedsvc.storage.entries import SELECT_STAMPS
from feedsvc.storage.search import has_words
from feedsvc.storage.sets import (
    EntrySet,
    has_access,
    in_all,
    in_categories,
    in_language,
    is_in_language,
)
from feedsvc.storage.tables import (
    EntryCategoryRow,
    EntryContentRow,
    EntryRow,
    UTCDateTime,
)


@dataclass(frozen=True)
class Window:
    """A period in which events take place, and the series that do.

    :param begin: EPOCH if it has no first day.
    :param series: the start of the first occurrence in the period, by the series' key.
    """

    begin: datetime
    end: datetime
    series: Mapping[int, datetime]


@dataclass(frozen=True)
class Selection:
    """The values of the database by which a query selects entries.

    :param included: the keys of each included category and of those below it.
    :param excluded: the keys of all excluded categories and of those below them.
    :param languages: those of the portal; empty for entries in all.
    :param window: the days of `period`, or of `from` and `to`, if given.
    """

    included: Sequence[Sequence[int]]
    excluded: Sequence[int]
    languages: Sequence[str]
    window: Window | None = None


def select_entries(
    session: Session, query: FeedQuery, selection: Selection, limit: int
) -> tuple[sa.Select[Any], dict[str, int]]:
    """Return the statement for the stamps from a feed's page on, and its parameters."""
    parameters = {"limit": limit}
    included, languages = selection.included, selection.languages
    in_category = not query["lang"] and len(included) == 1 and len(included[0]) == 1
    if in_category:
        parameters["category_id"] = included[0][0]
    is_plain = query.with_parameters(limit=None).is_plain and not languages
    if is_plain and (in_category or not included):
        return _select_plain(query.kind, query.format, in_category), parameters
    conditions = []
    if not in_category:
        conditions += in_all(session, query.kind, _sets(query, included))
    if selection.excluded:
        conditions.append(~in_categories(query.kind, selection.excluded).condition)
    if languages:
        conditions.append(is_in_language(query["lang"], languages))
    if selection.window:
        conditions.append(_is_in_window(selection.window))
    return _select(query, in_category, conditions, selection.window), parameters


# Making a statement takes longer than SQLite takes to run it.
@cache
def _select_plain(kind: str, format: Format, in_category: bool) -> sa.Select[Any]:
    """Return the statement of a section, or of a category without others below it."""
    conditions = [] if in_category else [EntryRow.kind == kind]
    return _select(FeedQuery(kind, format), in_category, conditions)


def _select(
    query: FeedQuery,
    in_category: bool,
    conditions: Iterable[sa.ColumnElement[bool]],
    window: Window | None = None,
) -> sa.Select[Any]:
    statement: sa.Select[Any] = SELECT_STAMPS.where(
        EntryRow.is_public, *conditions, *_parameter_conditions(query)
    )
    published_at: Any = EntryRow.published_at
    if in_category:
        # The entries of one category are one range of its index.
        statement = statement.join(
            EntryCategoryRow, EntryCategoryRow.entry_pk == EntryRow.pk
        ).where(
            EntryCategoryRow.category_id == sa.bindparam("category_id"),
            EntryCategoryRow.kind == query.kind,
            EntryCategoryRow.is_public,
        )
        published_at = EntryCategoryRow.published_at
    # With a first day, a series is sorted by its first occurrence in the window.
    starts_at: Any = EntryRow.starts_at
    listed_at: Any = EntryRow.listed_at
    if window and window.series and window.begin > EPOCH and query["order"] == "start":
        first = _first_occurrences(window)
        statement = statement.outerjoin(first, first.c.pk == EntryRow.pk)
        starts_at = sa.func.coalesce(first.c.starts_at, starts_at)
        is_own_start = starts_at == EntryRow.starts_at
        listed_at = sa.case((is_own_start, listed_at), else_=starts_at)
    order = _order(query, published_at, starts_at, listed_at)
    offset = (query.page - 1) * query["limit"]
    return statement.order_by(*order).limit(sa.bindparam("limit")).offset(offset)


def select_series(
    session: Session,
    query: FeedQuery,
    selection: Selection,
    begin: datetime,
    end: datetime,
) -> sa.Select[int, datetime | None, str]:
    """Return the statement for the series of a feed that may take place in a period.

    It has their keys, ends and documents, and the conditions of the feed's categories
    and parameters: to expand a series takes longer than to leave it out here.
    """
    conditions = in_all(session, query.kind, _sets(query, selection.included))
    if selection.excluded:
        conditions.append(~in_categories(query.kind, selection.excluded).condition)
    statement = sa.select(EntryRow.pk, EntryRow.ends_at, EntryContentRow.document)
    return statement.join(EntryRow.content).where(
        *conditions,
        *_parameter_conditions(query),
        EntryRow.is_public,
        EntryRow.series_starts_at < end,
        EntryRow.ends_at >= begin,
    )


def _sets(query: FeedQuery, included: Sequence[Sequence[int]]) -> list[EntrySet]:
    """Return the sets of its categories and language in all of which a feed is."""
    if query.category_filter.match_all:
        sets = [in_categories(query.kind, keys) for keys in included]
    elif included:
        any_of = [key for keys in included for key in keys]
        sets = [in_categories(query.kind, any_of)]
    else:
        sets = []
    if query["lang"]:
        sets.append(in_language(query.kind, query["lang"]))
    return sets


def _parameter_conditions(query: FeedQuery) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of all parameters but `lang` and days."""
    conditions: list[sa.ColumnElement[bool]] = []
    if query["q"]:
        conditions.append(has_words(query["q"]))
    if query["when"] == "upcoming":
        conditions.append(~EntryRow.is_over)
    if query["when"] == "past":
        conditions.append(EntryRow.is_over.is_(True))
    if query["cancelled"] == "hide":
        conditions.append(EntryRow.event_status != "cancelled")
    if query.access:
        conditions.append(has_access(query.access))
    return conditions


def _is_in_window(window: Window) -> sa.ColumnElement[bool]:
    # An event without a duration at the begin of the window is in it too.
    is_instant = sa.and_(
        EntryRow.ends_at == window.begin, EntryRow.starts_at == window.begin
    )
    is_single_event_inside = sa.and_(
        EntryRow.series_starts_at.is_(None),
        EntryRow.starts_at < window.end,
        sa.or_(EntryRow.ends_at > window.begin, is_instant),
    )
    return sa.or_(is_single_event_inside, EntryRow.pk.in_(window.series))


def _first_occurrences(window: Window) -> sa.CTE:
    """Return the series of a window as a table."""
    columns = sa.column("pk", sa.Integer), sa.column("starts_at", UTCDateTime)
    # Literals are compiled faster than bound values.
    rows = sa.values(*columns, name="series", literal_binds=True)
    series = rows.data(list(window.series.items())).cte()
    # With a type and distinct rows, SQLite makes an index for the join.
    pk = sa.cast(series.c.pk, sa.Integer).label("pk")
    return sa.select(pk, series.c.starts_at).distinct().cte("first_occurrences")


def _order(
    query: FeedQuery, published_at: Any, starts_at: Any, listed_at: Any
) -> tuple[sa.ColumnElement[Any], ...]:
    if query.format.is_calendar and query["when"] == "past":
        return EntryRow.ends_at.desc(), EntryRow.guid.desc()
    if query.format.is_calendar:
        # The nearest events come first, so that the limit cuts the farthest.
        return EntryRow.starts_at.asc(), EntryRow.guid.asc()
    if query["order"] != "start":
        return published_at.desc(), EntryRow.guid.desc()
    if query["when"] == "past":
        return starts_at.desc(), EntryRow.guid.desc()
    order = starts_at.asc(), EntryRow.guid.asc()
    return (listed_at.asc(), *order) if query.format.is_page else order
