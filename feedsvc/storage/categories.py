"""Read and write categories.

An entry is in the categories that it names, and in the wider ones. Only the former are
stored: the descendants of a category are few, and `Categories` knows them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from feedsvc.errors import (
    CategoryRenamed,
    Conflict,
    FeedsvcError,
    FieldError,
    Gone,
    NotFound,
    PreconditionFailed,
    ValidationFailed,
)
from feedsvc.models import KINDS, Category
from feedsvc.storage.database import Transaction
from feedsvc.storage.tables import CategoryRow, EntryCategoryRow, FormerSlugRow

#: Categories among which one is that a slug may mean.
_MAX_COMPARED = 100

#: Levels of categories, each of which takes a statement under the lock of writes.
MAX_LEVELS = 20

# Made once, since making a statement takes longer than SQLite takes to run it.
_SELECT_BY_SLUG = (
    sa.select(CategoryRow)
    .where(CategoryRow.slug == sa.bindparam("slug"))
    .options(joinedload(CategoryRow.parent))
)
_SELECT_CHILDREN = sa.select(CategoryRow.parent_id, CategoryRow.id).where(
    CategoryRow.parent_id.is_not(None)
)


class Categories:
    """The categories of one snapshot, deleted ones too; read when they are needed."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @cached_property
    def _children(self) -> dict[int | None, list[int]]:
        """The keys of the categories right below a category, by its key."""
        children = defaultdict(list)
        for parent_id, id in self.session.connection().execute(_SELECT_CHILDREN):
            children[parent_id].append(id)
        return children

    @cached_property
    def rows(self) -> list[CategoryRow]:
        """The categories that are not deleted, by slug."""
        statement = sa.select(CategoryRow).where(CategoryRow.deleted_at.is_(None))
        return list(self.session.scalars(statement.order_by(CategoryRow.slug)))

    def all(self) -> list[Category]:
        """Return the categories that are not deleted, by slug."""
        return [row.category for row in self.rows]

    def find(self, slug: str) -> CategoryRow | None:
        """Return the category of a slug, a deleted one too; None if there is none."""
        return self.session.scalar(_SELECT_BY_SLUG, {"slug": slug})

    def get(self, slug: str) -> CategoryRow:
        """Return the category of a slug.

        :raises NotFound: there is none.
        :raises CategoryRenamed: it has another slug now.
        :raises Gone: it was deleted.
        """
        # PostgreSQL refuses NUL in texts.
        slug = slug.replace("\0", "\ufffd")
        row = self.find(slug)
        if row is None:
            former = self.session.get(FormerSlugRow, slug)
            if former:
                raise CategoryRenamed(former.category.slug)
            # A comparison takes long, and others may wait for the lock.
            slugs = (
                sa.select(CategoryRow.slug)
                .where(
                    CategoryRow.slug.startswith(slug[:1], autoescape=True),
                    CategoryRow.deleted_at.is_(None),
                )
                .limit(_MAX_COMPARED)
            )
            nearest = get_close_matches(slug, self.session.scalars(slugs), n=1)
            hint = f" Did you mean “{nearest[0]}”?" if nearest else ""
            raise NotFound(
                f"There is no category “{slug}”.{hint} GET /api/v1/categories lists "
                "all."
            )
        if row.deleted_at is not None:
            raise Gone(f"The category “{slug}” was deleted.")
        return row

    def get_current(self, slug: str) -> CategoryRow:
        """Return the category of a slug or a former slug; else raises as `get`."""
        try:
            return self.get(slug)
        except CategoryRenamed as error:
            return self.get(error.current_slug)

    def with_descendants(self, row: CategoryRow) -> list[int]:
        """Return the keys of a category and of all categories below it."""
        return [key for level in self.levels(row) for key in level]

    def levels(self, row: CategoryRow) -> Iterator[list[int]]:
        """Yield the key of a category, then those of each level below it."""
        keys = [row.id]
        while keys:
            yield keys
            keys = [child for key in keys for child in self._children.get(key, ())]


def resolve_categories(
    session: Session, named: Iterable[Category]
) -> list[CategoryRow]:
    """Return the categories with the slugs of `named`, in their order, once each.

    A former slug stands for the current one.

    :raises ValidationFailed: with a pointer to each one that does not exist.
    """
    slugs = [category.slug for category in named]
    if not slugs:
        return []
    statement = sa.select(CategoryRow).where(
        CategoryRow.slug.in_(slugs), CategoryRow.deleted_at.is_(None)
    )
    by_slug = {row.slug: row for row in session.scalars(statement)}
    categories = Categories(session)
    rows = []
    errors = []
    for index, slug in enumerate(slugs):
        try:
            rows.append(by_slug.get(slug) or categories.get_current(slug))
        except FeedsvcError as error:
            errors.append(FieldError(f"#/categories/{index}", str(error)))
    if errors:
        raise ValidationFailed(*errors)
    return list(dict.fromkeys(rows))


def put_category(
    transaction: Transaction, category: Category, *, create: bool = False
) -> bool:
    """Store a category under its slug; return whether it is new, or was deleted.

    :param create: it must not exist.
    :raises PreconditionFailed: with `create`, it exists.
    :raises Conflict: the slug is a former one of another category.
    :raises ValidationFailed: its parent does not exist, is within the category, or is
        too deep.
    """
    session = transaction.session
    categories = Categories(session)
    row = categories.find(category.slug)
    is_new = row is None or row.deleted_at is not None
    if create and not is_new:
        raise PreconditionFailed(f"The category “{category.slug}” exists.")
    parent = _find_parent(categories, category, row)
    if row is None:
        # Links to the former slug must lead on to the category that had it.
        if session.get(FormerSlugRow, category.slug):
            raise Conflict(f"“{category.slug}” is the former slug of another category.")
        row = CategoryRow(slug=category.slug)
        session.add(row)
    elif not is_new:
        # The parent may be named by a former slug.
        parent_slug = parent.slug if parent else None
        if row.category == replace(category, parent=parent_slug):
            return False
    row.title = category.title
    row.description = category.description
    row.language = category.language
    row.url = category.url
    row.titles = dict(category.titles)
    row.parent = parent
    row.deleted_at = None
    transaction.next_revision(*KINDS)
    transaction.log_lines.append(f"put categories/{row.slug}")
    return is_new


def rename_category(transaction: Transaction, slug: str, new_slug: str) -> None:
    """Give a category another slug; the old one redirects to it from now on.

    :raises NotFound: there is no such category.
    :raises CategoryRenamed: it has another slug now.
    :raises Gone: it was deleted.
    :raises Conflict: another category has or had the new slug.
    """
    session = transaction.session
    categories = Categories(session)
    row = categories.get(slug)
    former = session.get(FormerSlugRow, new_slug)
    # A category can be given back its own former slug.
    if categories.find(new_slug) or (former and former.category_id != row.id):
        raise Conflict(f"The slug “{new_slug}” is taken.")
    if former:
        session.delete(former)
    session.add(FormerSlugRow(slug=slug, category=row))
    row.slug = new_slug
    transaction.next_revision(*KINDS)
    transaction.log_lines.append(f"rename categories/{slug} to {new_slug}")


def delete_category(transaction: Transaction, slug: str) -> None:
    """Delete a category: its entries leave it, and its feeds are gone.

    Categories below it move to its parent.

    :raises NotFound: there is no such category.
    :raises CategoryRenamed: it has another slug now.
    :raises Gone: it was deleted before.
    """
    session = transaction.session
    row = Categories(session).get(slug)
    session.execute(sa.delete(EntryCategoryRow).filter_by(category_id=row.id))
    session.execute(
        sa.update(CategoryRow)
        .filter_by(parent_id=row.id)
        .values(parent_id=row.parent_id)
    )
    row.parent = None
    row.deleted_at = transaction.next_revision(*KINDS)
    transaction.log_lines.append(f"delete categories/{slug}")


def _find_parent(
    categories: Categories, category: Category, row: CategoryRow | None
) -> CategoryRow | None:
    """Return the parent of a category.

    :param row: the stored category. Its present parent is accepted at any level.
    :raises ValidationFailed: it does not exist, is within the category, or is too deep.
    """
    if category.parent is None:
        return None
    try:
        parent = categories.get_current(category.parent)
    except FeedsvcError as error:
        raise ValidationFailed(FieldError("#/parent", str(error))) from None
    if row and row.parent is parent:
        return parent
    ancestors = list(islice(parent.iter_upwards(), MAX_LEVELS))
    levels = len(list(categories.levels(row))) if row else 1
    if category.slug in (ancestor.slug for ancestor in ancestors):
        detail = "Must not be within the category itself."
    elif len(ancestors) + levels > MAX_LEVELS:
        detail = f"Must not lead to more than {MAX_LEVELS} levels."
    else:
        return parent
    raise ValidationFailed(FieldError("#/parent", detail))
