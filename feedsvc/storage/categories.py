"""Read and write categories.

An entry is in the categories that it names, and inherits the wider ones. Both are rows
of `entry_categories`, so that a feed of any category is a range of one index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

import sqlalchemy as sa

from feedsvc.errors import (
    CategoryRenamed,
    Conflict,
    FieldError,
    Gone,
    NotFound,
    ValidationFailed,
)
from feedsvc.feed_query import KINDS
from feedsvc.models import EPOCH, Category, FeedKey
from feedsvc.storage.change_log import CATEGORY_LIST, ChangeLog
from feedsvc.storage.tables import (
    INHERITED,
    categories,
    category_slug_history,
    entries,
    entry_categories,
    feed_versions,
)
from feedsvc.suggestions import MAX_NAMES, did_you_mean

MAX_LEVELS = 8
"""Levels of categories, the widest one too."""

_T = TypeVar("_T")

_SLUG: sa.BindParameter[str] = sa.bindparam("slug")
_BY_SLUG = sa.select(categories).where(categories.c.slug == _SLUG)
_CURRENT_SLUG = (
    sa.select(categories.c.slug)
    .join_from(category_slug_history, categories)
    .where(category_slug_history.c.slug == _SLUG)
)
_ALL = (
    sa.select(categories)
    .where(categories.c.retired.is_(None))
    .order_by(categories.c.slug)
)
_BY_SLUGS = sa.select(categories).where(
    categories.c.slug.in_(sa.bindparam("slugs", expanding=True)),
    categories.c.retired.is_(None),
)
_ENTRIES = (
    sa.select(*entries.c["pk", "kind", "id", "version", "is_visible"])
    .join_from(entry_categories, entries)
    .where(entry_categories.c.category_id == sa.bindparam("category_id"))
    .order_by(entries.c.pk)
)
_TOUCH_ENTRY = entries.update().where(entries.c.pk == sa.bindparam("key"))

_other = entry_categories.alias()
_RELATED_FEEDS = (
    sa.select(_other.c.kind, _other.c.category_id)
    .distinct()
    .join_from(
        entry_categories, _other, _other.c.entry_pk == entry_categories.c.entry_pk
    )
    .where(entry_categories.c.is_visible)
)
"""The categories of the visible entries of a category, itself too."""

_IS_NAMED = entry_categories.c.position > INHERITED
"""The entry names the category, so it shows its title; it does not only inherit it."""

_FEEDS_OF_ENTRY = (
    sa.select(entries.c.kind, entry_categories.c.category_id)
    .outerjoin_from(entries, entry_categories)
    .where(entries.c.pk == sa.bindparam("key"), entries.c.is_visible)
)

# One more than `did_you_mean` compares: with so many it suggests none. Anyone may ask
# for a category that does not exist, which must not read them all.
_SLUGS = (
    sa.select(categories.c.slug)
    .where(categories.c.retired.is_(None))
    .limit(MAX_NAMES + 1)
)

_MAX_EXPLANATIONS = 10
"""Errors of a transaction that explain an unknown slug: it holds the write lock."""


def category_from(row: Any) -> Category:
    """Return a category from a row of `categories`."""
    return Category(
        **{field.name: getattr(row, field.name) for field in fields(Category)}
    )


def resolve_slugs(
    named: Iterable[Category],
    known: Mapping[str, _T],
    explain: Callable[[str], str],
) -> list[_T]:
    """Return the values of `known` for the slugs of categories, in their order.

    :param explain: returns the error for an unknown slug.
    :raises ValidationFailed: with a pointer to each category that is not known.
    """
    slugs = [category.slug for category in named]
    errors: list[FieldError] = []
    for index, slug in enumerate(slugs):
        if slug not in known:
            # For the first one only: comparing with all categories takes milliseconds.
            detail = no_such_category(slug, ()) if errors else explain(slug)
            errors.append(FieldError(f"#/categories/{index}", detail))
    if errors:
        raise ValidationFailed(*errors)
    return [known[slug] for slug in slugs]


def no_such_category(slug: str, all_slugs: Iterable[str]) -> str:
    """Return the error for an unknown category, with the nearest known slug."""
    return (
        f"There is no category “{slug}”.{did_you_mean(slug, all_slugs)} "
        "GET /api/v1/categories lists all."
    )


def feeds_with_entry(connection: sa.Connection, key: int) -> set[FeedKey]:
    """Return the keys of the feeds that show an entry; none for a hidden one."""
    rows = connection.execute(_FEEDS_OF_ENTRY, {"key": key})
    return {
        (row.kind, category_id)
        for row in rows
        for category_id in (0, row.category_id or 0)
    }


class CategoryReader:
    """The categories of one snapshot."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, slug: str) -> Category:
        """Return the category of a slug.

        :raises NotFound: there is none.
        :raises CategoryRenamed: it has another slug now.
        :raises Gone: it was retired.
        """
        return category_from(self.row(slug))

    def all(self) -> list[Category]:
        """Return all categories in use, by slug."""
        return [category_from(row) for row in self._connection.execute(_ALL)]

    def slugs(self) -> list[str]:
        """Return the slugs of categories in use, as many as are worth comparing."""
        return list(self._connection.scalars(_SLUGS))

    def row(self, slug: str) -> sa.Row[Any]:
        """Return the row of a category; raises as `get`."""
        row = self._connection.execute(_BY_SLUG, {"slug": slug}).one_or_none()
        if row is None:
            current_slug = self.current_slug(slug)
            if current_slug:
                raise CategoryRenamed(current_slug)
            raise NotFound(no_such_category(slug, self.slugs()))
        if row.retired:
            raise Gone(f"The category “{slug}” was retired.")
        return row

    def explain_unknown(self, slug: str) -> str:
        """Return the error for a slug that no category in use has."""
        try:
            self.row(slug)
        except CategoryRenamed as error:
            return f"The category “{slug}” is now “{error.current_slug}”."
        except (NotFound, Gone) as error:
            return str(error)
        # Not reached: the known categories are all that are in use.
        return no_such_category(slug, ())

    def key(self, slug: str) -> int:
        """Return the key of a category, by its current slug or a former one.

        :raises NotFound: there is none.
        :raises Gone: it was retired.
        """
        try:
            return int(self.row(slug).id)
        except CategoryRenamed as error:
            return int(self.row(error.current_slug).id)

    def current_slug(self, former_slug: str) -> str | None:
        """Return the current slug of the category that once had this slug."""
        slug: str | None = self._connection.scalar(_CURRENT_SLUG, {"slug": former_slug})
        return slug


class CategoryWriter:
    """Changes to categories, in one write transaction."""

    def __init__(self, connection: sa.Connection, change_log: ChangeLog) -> None:
        self._connection = connection
        self._change_log = change_log
        self._reader = CategoryReader(connection)
        # The entries of a batch name the same categories again and again. Any change of
        # a category clears both.
        self._resolved: dict[str, tuple[Category, int]] = {}
        self._ancestors: dict[frozenset[int], set[int]] = {}
        self._explanations_left = _MAX_EXPLANATIONS

    def put(self, category: Category) -> bool:
        """Store a category under its slug; return whether it is new.

        A retired category comes back.

        :raises Conflict: the slug is a former one of another category.
        :raises ValidationFailed: its parent does not exist, is within the category, or
            makes too many levels.
        """
        if category.parent is not None:
            self._check_parent(category)
        row = self._connection.execute(_BY_SLUG, {"slug": category.slug}).one_or_none()
        if row is None:
            self._insert(category)
            return True
        if row.retired is None and category_from(row) == category:
            return False
        self._update(row, category)
        return row.retired is not None

    def _insert(self, category: Category) -> None:
        # Links to the former slug must lead on to the category that had it.
        if self._reader.current_slug(category.slug):
            raise Conflict(f"“{category.slug}” is the former slug of another category.")
        now = self._change_log.next_timestamp()
        values = {**asdict(category), "changed_at": now, "titled_at": now}
        key = self._connection.execute(
            categories.insert().returning(categories.c.id), values
        ).scalar_one()
        # The change log sets the time of existing rows.
        versions = [
            {"kind": kind, "category_id": key, "seq": 0, "time": EPOCH}
            for kind in KINDS
        ]
        self._connection.execute(feed_versions.insert(), versions)
        self._record("put", category.slug, self._related_feeds(key))

    def _update(self, row: sa.Row[Any], category: Category) -> None:
        now = self._change_log.next_timestamp()
        values = {**asdict(category), "retired": None, "changed_at": now}
        # A retired category has no entries that could inherit another parent.
        is_moved = row.retired is None and row.parent != category.parent
        affected = _own_feeds(row.id)
        if row.title != category.title:
            values["titled_at"] = now
            affected |= self._related_feeds(row.id, _IS_NAMED)
        if is_moved:
            affected |= self._related_feeds(row.id)
        self._connection.execute(
            categories.update().where(categories.c.id == row.id).values(values)
        )
        self._ancestors.clear()
        if is_moved:
            self._rebuild_inherited(self._touch_entries(row.id))
            # Again, since entries are in other feeds now.
            affected |= self._related_feeds(row.id)
        self._record("put", category.slug, affected)

    def rename(self, slug: str, new_slug: str) -> None:
        """Give a category another slug; the old one redirects to it from now on.

        :raises NotFound: there is no such category.
        :raises CategoryRenamed: it has another slug now.
        :raises Gone: it is retired.
        :raises Conflict: another category has or had the new slug.
        """
        key = self._reader.row(slug).id
        holder = self._connection.execute(_BY_SLUG, {"slug": new_slug}).first()
        # A category can be given back its own former slug.
        former_holder = self._reader.current_slug(new_slug)
        if holder is not None or former_holder not in (None, slug):
            raise Conflict(f"The slug “{new_slug}” is taken.")
        now = self._change_log.next_timestamp()
        history = category_slug_history
        self._connection.execute(history.delete().where(history.c.slug == new_slug))
        self._connection.execute(history.insert(), {"slug": slug, "category_id": key})
        self._connection.execute(
            categories.update()
            .where(categories.c.id == key)
            .values(slug=new_slug, changed_at=now, titled_at=now)
        )
        self._connection.execute(
            categories.update()
            .where(categories.c.parent == slug)
            .values(parent=new_slug)
        )
        self._record("put", new_slug, self._related_feeds(key))
        self._touch_entries(key)

    def retire(self, slug: str) -> None:
        """Retire a category: its entries leave it, and its feeds are gone.

        :raises NotFound: there is no such category.
        :raises CategoryRenamed: it has another slug now.
        :raises Gone: it is retired already.
        """
        row = self._reader.row(slug)
        # While its entries are still in it.
        affected = self._related_feeds(row.id)
        touched = self._touch_entries(row.id)
        self._connection.execute(
            entry_categories.delete().where(
                entry_categories.c.category_id == row.id, _IS_NAMED
            )
        )
        self._connection.execute(
            categories.update()
            .where(categories.c.parent == slug)
            .values(parent=row.parent)
        )
        self._connection.execute(
            categories.update()
            .where(categories.c.id == row.id)
            .values(retired=self._change_log.next_timestamp(), parent=None)
        )
        self._ancestors.clear()
        self._rebuild_inherited(touched)
        self._record("delete", slug, affected)

    def resolve(self, named: Iterable[Category]) -> dict[Category, int]:
        """Return the stored categories with the slugs of `named`, and their keys.

        :raises ValidationFailed: a category does not exist.
        """
        slugs = {category.slug for category in named}
        unknown = slugs - self._resolved.keys()
        if unknown:
            parameters = {"slugs": sorted(unknown)}
            for row in self._connection.execute(_BY_SLUGS, parameters):
                self._resolved[row.slug] = category_from(row), row.id
        return dict(resolve_slugs(named, self._resolved, self._explain_unknown))

    def _explain_unknown(self, slug: str) -> str:
        """Return the error for an unknown slug, explained for the first ones."""
        self._explanations_left -= 1
        if self._explanations_left < 0:
            return no_such_category(slug, ())
        return self._reader.explain_unknown(slug)

    def ancestors(self, keys: Iterable[int]) -> set[int]:
        """Return the categories that some categories are within, without themselves."""
        own = frozenset(keys)
        # An empty IN would still run the recursion.
        if not own:
            return set()
        if own not in self._ancestors:
            columns = sa.select(categories.c.id, categories.c.parent)
            path = columns.where(categories.c.id.in_(own)).cte("path", recursive=True)
            step = columns.join(path, categories.c.slug == path.c.parent)
            rows = self._connection.scalars(sa.select(path.union(step).c.id))
            self._ancestors[own] = set(rows) - own
        return self._ancestors[own]

    def _record(self, action: str, slug: str, affected: Iterable[FeedKey]) -> None:
        feed_keys = {CATEGORY_LIST, *affected}
        self._change_log.record(action, CATEGORY_LIST[0], slug, 1, feed_keys)
        self._resolved.clear()
        self._ancestors.clear()

    def _check_parent(self, category: Category) -> None:
        parents = {known.slug: known.parent for known in self._reader.all()}
        if category.parent not in parents:
            error = no_such_category(category.parent or "", parents)
            raise ValidationFailed(FieldError("#/parent", error))
        parents[category.slug] = category.parent
        # Of all categories, since the category may have others below it.
        for slug in parents:
            path: list[str] = []
            current: str | None = slug
            while current is not None:
                if current in path:
                    error = "Must not be within the category itself."
                    raise ValidationFailed(FieldError("#/parent", error))
                path.append(current)
                current = parents.get(current)
            if len(path) > MAX_LEVELS:
                error = f"Must not make more than {MAX_LEVELS} levels."
                raise ValidationFailed(FieldError("#/parent", error))

    def _rebuild_inherited(self, entry_keys: Iterable[int]) -> None:
        """Store anew which categories some entries inherit."""
        for entry_key in entry_keys:
            of_entry = entry_categories.c.entry_pk == entry_key
            self._connection.execute(
                entry_categories.delete().where(
                    of_entry, entry_categories.c.position == INHERITED
                )
            )
            statement = sa.select(entry_categories).where(of_entry)
            named = self._connection.execute(statement).mappings().all()
            inherited = self.ancestors(row["category_id"] for row in named)
            rows = [
                {**named[0], "category_id": key, "position": INHERITED}
                for key in sorted(inherited)
            ]
            if rows:
                self._connection.execute(entry_categories.insert(), rows)

    def _touch_entries(self, category_id: int) -> list[int]:
        """Record a change, but no new version, of all entries of a category.

        Their documents or their places in feeds change with the category.
        """
        rows = self._connection.execute(_ENTRIES, {"category_id": category_id}).all()
        for row in rows:
            seq = self._change_log.record(
                "recategorize", row.kind, row.id, row.version, ()
            )
            # Readers do not see a change of a hidden entry.
            if row.is_visible:
                now = self._change_log.next_timestamp()
                self._connection.execute(
                    _TOUCH_ENTRY, {"key": row.pk, "seq": seq, "changed_at": now}
                )
        return [row.pk for row in rows]

    def _related_feeds(
        self, category_id: int, *where: sa.ColumnElement[bool]
    ) -> set[FeedKey]:
        """Return the feeds of a category, and all feeds that show an entry of it.

        :param where: conditions on the rows of `entry_categories` with the category.
        """
        of_category = entry_categories.c.category_id == category_id
        rows = self._connection.execute(_RELATED_FEEDS.where(of_category, *where))
        related: set[FeedKey] = {
            (row.kind, key) for row in rows for key in (0, row.category_id)
        }
        return _own_feeds(category_id) | related


def _own_feeds(category_id: int) -> set[FeedKey]:
    return {(kind, category_id) for kind in KINDS}
