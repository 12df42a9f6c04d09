"""The SELECT of a feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedsvc.feeds.query import FeedQuery
from feedsvc.storage.entries import in_categories
from feedsvc.storage.search import has_words
from feedsvc.storage.tables import EntryCategoryRow, EntryRow


@dataclass(frozen=True)
class Window:
    """A period in which events take place, and the series that do."""

    begin: datetime
    end: datetime
    series_pks: Sequence[int]


def select_entries(
    query: FeedQuery,
    included: Sequence[Sequence[int]] = (),
    excluded: Sequence[int] = (),
    window: Window | None = None,
) -> sa.Select[EntryRow]:
    """Return the statement for the entries of a feed's page, and for one more.

    :param included: the keys of each included category and of those below it.
    :param excluded: the keys of all excluded categories and of those below them.
    :param window: the period of `from` and `to`, if they are given.
    """
    statement = sa.select(EntryRow).where(
        EntryRow.kind == query.kind, EntryRow.is_public
    )
    published_at: Any = EntryRow.published_at
    if len(included) == 1 and len(included[0]) == 1:
        # The entries of one category are one range of its index.
        statement = statement.join(
            EntryCategoryRow, EntryCategoryRow.entry_pk == EntryRow.pk
        ).where(
            EntryCategoryRow.category_id == included[0][0],
            EntryCategoryRow.kind == query.kind,
            EntryCategoryRow.is_public,
        )
        published_at = EntryCategoryRow.published_at
    elif query.category_filter.match_all:
        statement = statement.where(*(in_categories(keys) for keys in included))
    elif included:
        any_of = [key for keys in included for key in keys]
        statement = statement.where(in_categories(any_of))
    if excluded:
        statement = statement.where(~in_categories(excluded))
    statement = statement.where(*_parameter_conditions(query))
    if window:
        statement = statement.where(_is_in_window(window))
    return (
        statement.order_by(*_order(query, published_at))
        .offset((query["page"] - 1) * query["limit"])
        .limit(query["limit"] + 1)
    )


def select_series(begin: datetime, end: datetime) -> sa.Select[EntryRow]:
    """Return the statement for the series that may take place in a period."""
    return sa.select(EntryRow).where(
        EntryRow.kind == "events",
        EntryRow.is_public,
        EntryRow.series_starts_at < end,
        EntryRow.ends_at >= begin,
    )


def _parameter_conditions(query: FeedQuery) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the parameters, except for those of `from` and `to`."""
    conditions: list[sa.ColumnElement[bool]] = []
    lang = query["lang"]
    if lang:
        # A range such as “en” includes “en-GB” (RFC 4647 §3.3.1).
        is_longer = EntryRow.language.startswith(f"{lang}-", autoescape=True)
        conditions.append(sa.or_(EntryRow.language == lang, is_longer))
    if query["q"]:
        conditions.append(has_words(query["q"]))
    if query.kind == "events" and query["when"] == "upcoming":
        conditions.append(~EntryRow.is_over)
    if query["when"] == "past":
        conditions.append(EntryRow.is_over.is_(True))
    if query["cancelled"] == "hide":
        conditions.append(EntryRow.event_status != "cancelled")
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
    return sa.or_(is_single_event_inside, EntryRow.pk.in_(window.series_pks))


def _order(query: FeedQuery, published_at: Any) -> tuple[sa.ColumnElement[Any], ...]:
    if query.format.is_calendar and query["when"] == "past":
        return EntryRow.ends_at.desc(), EntryRow.guid.desc()
    if query.format.is_calendar:
        # The nearest events come first, so that the limit cuts the farthest.
        return EntryRow.starts_at.asc(), EntryRow.guid.asc()
    if query["order"] == "published":
        return published_at.desc(), EntryRow.guid.desc()
    if query["when"] == "past":
        return EntryRow.starts_at.desc(), EntryRow.guid.desc()
    order = EntryRow.starts_at.asc(), EntryRow.guid.asc()
    return (EntryRow.listed_at.asc(), *order) if query.format.is_page else order
