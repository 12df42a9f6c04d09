"""What can be changed of categories, in one transaction with its steps in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import Conflict, FieldError, ValidationFailed
from feedsvc.models import EPOCH, Category
from feedsvc.query import KINDS
from feedsvc.stamps import FeedKey
from feedsvc.storage.change_log import CATEGORY_LIST, ChangeLog
from feedsvc.storage.mappers import category_from
from feedsvc.storage.reader import Reader
from feedsvc.storage.tables import (
    INHERITED,
    categories,
    category_slug_history,
    entries,
    entry_categories,
    feed_versions,
)

MAX_LEVELS = 8

_LABELS = entry_categories.c.position > INHERITED
"""That an entry names a category, and shows its title; it only inherits a wider one."""

_OTHER = entry_categories.alias()
_RELATED_FEEDS = (
    sa.select(_OTHER.c.kind, _OTHER.c.category_id)
    .distinct()
    .join_from(
        entry_categories, _OTHER, _OTHER.c.entry_pk == entry_categories.c.entry_pk
    )
    .where(entry_categories.c.is_visible)
)
"""Where the entries of a category stand, that one too; but for which it is."""


class Filing(Reader):
    """The categories' part of a write transaction; it sees its own changes."""

    def __init__(
        self, connection: sa.Connection, ledger: ChangeLog, zone: ZoneInfo
    ) -> None:
        super().__init__(connection, zone)
        self._ledger = ledger
        # What a batch's entries ask for again and again; a step of a category makes it void.
        self._filed: dict[str, tuple[Category, int]] = {}
        self._widened: dict[frozenset[int], set[int]] = {}

    def put_category(self, category: Category) -> bool:
        """Store a category under its slug; returns whether it is new. A retired one comes back.

        :raises Conflict: the slug is an old one of another category.
        :raises Invalid: its parent does not exist, is within it, or would make more than 8 levels.
        """
        if category.parent is not None:
            self._check_parent(category)
        found = categories.c.slug == category.slug
        row = self._connection.execute(sa.select(categories).where(found)).one_or_none()
        now = self._ledger.next_timestamp()
        values = {**asdict(category), "retired": None, "changed_at": now}
        if row is None:
            values["titled_at"] = now
            if self._renamed(category.slug):
                raise Conflict(
                    f"“{category.slug}” is the former slug of another category."
                )
            key = self._connection.execute(
                categories.insert().returning(categories.c.id), values
            ).scalar_one()
            fresh = [
                {"kind": kind, "category_id": key, "seq": 0, "time": EPOCH}
                for kind in KINDS
            ]
            self._connection.execute(
                feed_versions.insert(), fresh
            )  # the ledger stamps them
            self._step("put", category.slug, self._related_feeds(key))
            return True
        if row.retired is None and category_from(row) == category:
            return False
        moved = row.retired is None and row.parent != category.parent
        touched = _own_topics(row.id)
        if row.title != category.title:
            values["titled_at"] = now
            touched |= self._related_feeds(row.id, _LABELS)
        if moved:
            touched |= self._related_feeds(row.id)
        self._connection.execute(categories.update().where(found).values(values))
        self._widened.clear()
        if moved:
            self._rebuild_inherited(self._touch_entries(row.id))
            touched |= self._related_feeds(row.id)
        self._step("put", category.slug, touched)
        return row.retired is not None

    def rename_category(self, slug: str, new: str) -> None:
        """Give a category another slug; the old one leads to it from now on.

        :raises NotFound: there is no such category.
        :raises Gone: it is retired.
        :raises Conflict: the new slug is another's, or was.
        """
        key = self._category_row(slug).id
        taken = self._connection.scalar(
            sa.select(categories.c.id).where(categories.c.slug == new)
        )
        former = self._renamed(new)
        if taken is not None or former not in (None, slug):
            raise Conflict(f"The slug “{new}” is taken.")
        now = self._ledger.next_timestamp()
        renamed = {"slug": new, "changed_at": now, "titled_at": now}
        self._connection.execute(
            category_slug_history.delete().where(category_slug_history.c.slug == new)
        )
        self._connection.execute(
            category_slug_history.insert(), {"slug": slug, "category_id": key}
        )
        self._connection.execute(
            categories.update().where(categories.c.id == key).values(renamed)
        )
        self._connection.execute(
            categories.update().where(categories.c.parent == slug).values(parent=new)
        )
        self._step("put", new, self._related_feeds(key))
        self._touch_entries(key)

    def retire_category(self, slug: str) -> None:
        """Take a category away; it leaves its entries, and its feeds are gone.

        :raises NotFound: there is no such category.
        :raises Gone: it is retired already.
        """
        retired = self._category_row(slug)
        key = retired.id
        touched = self._related_feeds(key)
        below = self._touch_entries(key)
        own = (
            entry_categories.c.category_id == key,
            entry_categories.c.position > INHERITED,
        )
        self._connection.execute(entry_categories.delete().where(*own))
        children = categories.update().where(categories.c.parent == slug)
        self._connection.execute(children.values(parent=retired.parent))
        values = {"retired": self._ledger.next_timestamp(), "parent": None}
        self._connection.execute(
            categories.update().where(categories.c.id == key).values(values)
        )
        self._widened.clear()
        self._rebuild_inherited(below)
        self._step("delete", slug, touched)

    def _step(self, action: str, slug: str, touched: Iterable[FeedKey]) -> None:
        self._ledger.record(
            action, CATEGORY_LIST[0], slug, 1, {CATEGORY_LIST, *touched}
        )
        self._filed.clear()
        self._widened.clear()

    def _check_parent(self, category: Category) -> None:
        """Refuse a parent that cannot be one."""
        parents = {known.slug: known.parent for known in self.list_categories()}
        if category.parent not in parents:
            raise ValidationFailed(FieldError("#/parent", "There is no such category."))
        parents[category.slug] = category.parent
        for slug in (
            parents
        ):  # the category's own way up, and those of all that may stand below it
            way: list[str] = []
            step: str | None = slug
            while step is not None:
                if step in way:
                    raise ValidationFailed(
                        FieldError("#/parent", "Stands within the category itself.")
                    )
                way.append(step)
                step = parents.get(step)
            if len(way) > MAX_LEVELS:
                raise ValidationFailed(
                    FieldError("#/parent", f"Makes more than {MAX_LEVELS} levels.")
                )

    def _ancestors(self, keys: Iterable[int]) -> set[int]:
        """The categories that some categories stand within, but for themselves."""
        own = frozenset(keys)
        if not own or own in self._widened:
            return self._widened.get(own, set())
        start = sa.select(categories.c.id, categories.c.parent).where(
            categories.c.id.in_(own)
        )
        up = start.cte("up", recursive=True)
        step = sa.select(categories.c.id, categories.c.parent).join(
            up, categories.c.slug == up.c.parent
        )
        found = self._connection.scalars(sa.select(up.union(step).c.id))
        self._widened[own] = set(found) - own
        return self._widened[own]

    def _rebuild_inherited(self, pks: Iterable[int]) -> None:
        """Make the inherited entry_categories of some entries from their own ones."""
        for pk in pks:
            mine = entry_categories.c.entry_pk == pk
            self._connection.execute(
                entry_categories.delete().where(
                    mine, entry_categories.c.position == INHERITED
                )
            )
            own = (
                self._connection.execute(sa.select(entry_categories).where(mine))
                .mappings()
                .all()
            )
            rows = [
                {**own[0], "category_id": key, "position": INHERITED}
                for key in sorted(self._ancestors(row["category_id"] for row in own))
            ]
            if rows:
                self._connection.execute(entry_categories.insert(), rows)

    def _touch_entries(self, category_id: int) -> list[int]:
        """A step, but no new version, for each entry of a category: its document or place changes with it."""
        rows = self._connection.execute(
            sa.select(
                entries.c.pk,
                entries.c.kind,
                entries.c.id,
                entries.c.version,
                entries.c.is_visible,
            )
            .join_from(entry_categories, entries)
            .where(entry_categories.c.category_id == category_id)
            .order_by(entries.c.pk)
        ).all()
        for row in rows:
            seq = self._ledger.record("recategorize", row.kind, row.id, row.version, ())
            if row.is_visible:  # else nothing that readers see has changed
                step = {"seq": seq, "changed_at": self._ledger.next_timestamp()}
                self._connection.execute(
                    entries.update().where(entries.c.pk == row.pk).values(step)
                )
        return [row.pk for row in rows]

    def _related_feeds(
        self, category_id: int, *where: sa.ColumnElement[bool]
    ) -> set[FeedKey]:
        """Return the topics of a category, and of all feeds that show an entry of it.

        :param where: conditions on the entry_categories of the entries in the category.
        """
        rows = self._connection.execute(
            _RELATED_FEEDS.where(entry_categories.c.category_id == category_id, *where)
        )
        beside: set[FeedKey] = {
            (row.kind, key) for row in rows for key in (0, row.category_id)
        }
        return _own_topics(category_id) | beside

    def _topics_of(self, pk: int) -> set[FeedKey]:
        """The topics whose feeds show an entry."""
        shown = self._connection.execute(
            sa.select(entries.c.kind, entry_categories.c.category_id)
            .outerjoin_from(entries, entry_categories)
            .where(entries.c.pk == pk, entries.c.is_visible)
        ).all()
        return {(row.kind, key) for row in shown for key in (0, row.category_id or 0)}


def _own_topics(category_id: int) -> set[FeedKey]:
    """Return the topics of a category: of the feeds whose selectors name it."""
    return {(kind, category_id) for kind in KINDS}
