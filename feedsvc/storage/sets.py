"""Sets of entries, by which lists select: those of categories, or in a language."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.storage.tables import EntryCategoryRow, EntryRow
from feedsvc.text.languages import narrower_tags

#: Entries of a category or a language that are read as a whole, and sorted.
_FEW = 1000


class EntrySet(NamedTuple):
    """Entries of one kind: those of some categories, or in a language.

    :param pks: the statement for their keys, which reads nothing else.
    :param condition: the condition that an entry of the kind is one of them.
    """

    pks: sa.Select[int]
    condition: sa.ColumnElement[bool]


def in_categories(kind: str, category_ids: Sequence[int]) -> EntrySet:
    """Return the entries of a kind in any of some categories."""
    is_membership = EntryCategoryRow.category_id.in_(category_ids)
    return EntrySet(
        sa.select(EntryCategoryRow.entry_pk).where(
            is_membership, EntryCategoryRow.kind == kind
        ),
        # In a join, an entry of several of them would appear several times.
        sa.exists()
        .where(is_membership, EntryCategoryRow.entry_pk == EntryRow.pk)
        # The feed of one category joins the same table, which is not meant here.
        .correlate(EntryRow),
    )


def in_language(kind: str, language: str) -> EntrySet:
    """Return the public entries of a kind in a range of languages.

    A range such as “en” includes “en-GB” (RFC 4647 §3.3.1).
    """
    pks = sa.select(EntryRow.pk).where(
        EntryRow.kind == kind,
        EntryRow.is_public,
        # The hyphen sorts before the full stop, letters and digits after it: these are
        # the tag itself and those that continue with a hyphen.
        EntryRow.language >= language,
        EntryRow.language < f"{language}.",
    )
    return EntrySet(pks.correlate(None), is_in_language(language))


def has_access(names: Iterable[str] = ()) -> sa.ColumnElement[bool]:
    """Return the condition that an entry has all of some names in `access`, or any."""
    return sa.and_(
        # The condition of its index, without a bound value.
        EntryRow.access != sa.literal_column("''"),
        *(EntryRow.access.contains(f" {name} ") for name in names),
    )


def has_entries(session: Session, kinds: Iterable[str], language: str) -> bool:
    """Tell if any of some kinds has a public entry in a range of languages."""
    statements = (in_language(kind, language).pks.limit(1) for kind in kinds)
    return any(session.scalar(statement) for statement in statements)


def is_in_language(
    language: str | None, named: Sequence[str] = ()
) -> sa.ColumnElement[bool]:
    """Return the condition that an entry is in a language of a portal.

    It is in the range of the language, and not of a longer one that the portal names.

    :param language: None is the first of those named, with all that are not named.
    """
    if language is None:
        others = named[1:]
        condition: sa.ColumnElement[bool] = sa.true()
    else:
        others = narrower_tags(named, language)
        is_longer = EntryRow.language.startswith(f"{language}-", autoescape=True)
        condition = sa.or_(EntryRow.language == language, is_longer)
    return sa.and_(condition, *(~is_in_language(each, named) for each in others))


def in_all(
    session: Session, kind: str, sets: Iterable[EntrySet]
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that an entry is of a kind, and in all of some sets of it.

    A set of few entries is read as a whole. Otherwise entries are read in the order of
    the list, which soon has enough of them.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    has_few = False
    for pks, condition in sets:
        # SQLite cannot know it, since nothing runs ANALYZE.
        first = pks.limit(_FEW + 1).subquery()
        count = session.scalar(sa.select(sa.func.count()).select_from(first))
        if count is not None and count <= _FEW:
            has_few = True
            conditions.append(EntryRow.pk.in_(pks))
        else:
            conditions.append(condition)
    # With the kind, SQLite would take an index that begins with it.
    return conditions if has_few else [EntryRow.kind == kind, *conditions]
