"""What can be changed, in one transaction with its steps in the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace

import sqlalchemy as sa

from feedsvc.errors import Conflict, Fault, Forbidden, Gone, Invalid, NotFound
from feedsvc.model import EPOCH, KINDS, Category, Entry
from feedsvc.store.ledger import DIRECTORY, Ledger, Topic, open_topics
from feedsvc.store.reader import Reader
from feedsvc.store.rows import category_from, entry_row, event_row
from feedsvc.store.tables import categories, entries, event_details, placements

_CONTENT = ("summary", "content_html", "content_text", "authors", "source", "image", "attachments", "rights")

Check = Callable[[Entry | None], None]
"""Looks at the stored entry before it is changed, and raises where it must not be."""


def any_version(old: Entry | None) -> None:
    """The check that takes whatever is stored."""


class Writer(Reader):
    """One write transaction; it sees its own changes."""

    def __init__(self, connection: sa.Connection, ledger: Ledger) -> None:
        super().__init__(connection)
        self._ledger = ledger

    def put(
        self, entry: Entry, *, create: bool = False, publish: bool = True, check: Check = any_version
    ) -> tuple[Entry, bool]:
        """Store an entry under its id; returns it as stored, and whether it is new.

        One that is already stored so is left alone. A deleted one is restored under its guid. Of the
        entry's categories only the slugs count.

        :param create: the id must never have been used.
        :param publish: whether what readers see may change.
        :param check: raises where the stored entry is not the one that is meant.
        :raises Conflict: the id is taken: by the other kind, or at all where `create`.
        :raises Forbidden: it is or would be published, without `publish`.
        :raises Invalid: a category does not exist.
        """
        pk, old = self._find(entry.id)
        check(old)
        if not publish and "published" in (entry.status, old and old.status):
            raise Forbidden(
                f"The token may only leave drafts; publishing needs the scope {entry.kind}:publish."
            )
        if old and (create or old.kind != entry.kind):
            raise Conflict(
                f"The id “{entry.id}” is taken{'' if create else ' by an entry of the other kind'}."
            )
        placed = self._placed(entry.categories)
        entry = replace(entry, categories=tuple(placed))
        if old:
            entry = replace(entry, published=entry.published or old.published)
            if entry == replace(old, guid="", updated=EPOCH, version=0):
                return old, False
        entry = replace(
            entry,
            guid=old.guid if old else uuid.uuid4().urn,
            version=old.version + 1 if old else 1,
            updated=self._ledger.tick(),
            published=entry.published or (self._ledger.clock() if entry.status == "published" else None),
        )
        before = self._topics_of(pk) if pk else set()
        pk = self._store(pk, entry, list(placed.values()))
        self._ledger.record("put", entry.kind, entry.id, entry.version, before | self._topics_of(pk))
        return entry, old is None or old.status == "deleted"

    def delete(self, kind: str, id: str, *, publish: bool = True, check: Check = any_version) -> None:
        """Take an entry away; what stays is its tombstone.

        :raises Forbidden: it is published, without `publish`.
        :raises NotFound: there is none of this kind.
        :raises Gone: it was deleted before.
        """
        pk, old = self._find(id)
        if pk is None or old is None or old.kind != kind:
            raise NotFound(f"There is no entry “{id}”.")
        if old.status == "deleted":
            raise Gone(f"The entry “{id}” was deleted.")
        check(old)
        if not publish and old.status == "published":
            raise Forbidden(f"The entry is published; to delete it needs the scope {kind}:publish.")
        before = self._topics_of(pk)
        values = dict.fromkeys(_CONTENT) | {"summary": ""}
        values |= {
            "status": "deleted",
            "shown": False,
            "version": old.version + 1,
            "updated": self._ledger.tick(),
        }
        self._connection.execute(entries.update().where(entries.c.pk == pk).values(values))
        self._connection.execute(placements.update().where(placements.c.entry_pk == pk).values(shown=False))
        self._ledger.record("delete", kind, id, old.version + 1, before)

    def put_category(self, category: Category) -> bool:
        """Store a category under its slug; returns whether it is new."""
        row = self._connection.execute(
            sa.select(categories.c.id).where(categories.c.slug == category.slug)
        ).one_or_none()
        values = asdict(category)
        if row is None:
            key = self._connection.execute(
                categories.insert().returning(categories.c.id), values
            ).scalar_one()
            open_topics(self._connection, key, KINDS)
            touched = {DIRECTORY, *((kind, key) for kind in KINDS)}
        elif self.category(category.slug) == category:
            return False
        else:
            self._connection.execute(categories.update().where(categories.c.id == row.id).values(values))
            touched = {DIRECTORY, *self._topics_beside(row.id)}
        self._ledger.record("put", DIRECTORY[0], category.slug, 1, touched)
        return row is None

    def _find(self, id: str) -> tuple[int | None, Entry | None]:
        found = self._load(entries.c.id == id)
        return found[0] if found else (None, None)

    def _placed(self, wanted: Iterable[Category]) -> dict[Category, int]:
        """The stored categories that have the slugs of `wanted`, in that order, with their keys."""
        slugs = [category.slug for category in wanted]
        if not slugs:
            return {}
        rows = self._connection.execute(sa.select(categories).where(categories.c.slug.in_(slugs)))
        found = {row.slug: (category_from(row), row.id) for row in rows}
        faults = [
            Fault(f"#/categories/{index}", "There is no such category.")
            for index, slug in enumerate(slugs)
            if slug not in found
        ]
        if faults:
            raise Invalid(*faults)
        return dict(found[slug] for slug in slugs)

    def _store(self, pk: int | None, entry: Entry, placed: list[int]) -> int:
        """Write an entry's rows; returns its key."""
        run = self._connection.execute
        row = entry_row(entry)
        if pk is None:
            pk = run(entries.insert().returning(entries.c.pk), row).scalar_one()
        else:
            run(entries.update().where(entries.c.pk == pk).values(row))
            run(placements.delete().where(placements.c.entry_pk == pk))
            run(event_details.delete().where(event_details.c.entry_pk == pk))
        if entry.event:
            run(event_details.insert(), {"entry_pk": pk, **event_row(entry.event)})
        if placed:
            shared = {name: row[name] for name in ("kind", "shown", "published", "guid", "ends")}
            run(
                placements.insert(),
                [
                    {"entry_pk": pk, "category_id": key, "position": position, **shared}
                    for position, key in enumerate(placed)
                ],
            )
        return int(pk)

    def _topics_of(self, pk: int) -> set[Topic]:
        """The topics whose feeds show an entry."""
        shown = self._connection.execute(
            sa.select(entries.c.kind, placements.c.category_id)
            .outerjoin_from(entries, placements)
            .where(entries.c.pk == pk, entries.c.shown)
        ).all()
        return {(row.kind, 0) for row in shown} | {
            (row.kind, row.category_id) for row in shown if row.category_id
        }

    def _topics_beside(self, category_id: int) -> set[Topic]:
        """The topics of a category, and of all feeds that show an entry which names it."""
        other = placements.alias()
        rows = self._connection.execute(
            sa.select(other.c.kind, other.c.category_id)
            .distinct()
            .join_from(placements, other, other.c.entry_pk == placements.c.entry_pk)
            .where(placements.c.category_id == category_id, placements.c.shown)
        ).all()
        return (
            {(kind, category_id) for kind in KINDS}
            | {(r.kind, r.category_id) for r in rows}
            | {(r.kind, 0) for r in rows}
        )
