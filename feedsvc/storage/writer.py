"""What can be changed of entries, in one transaction with its steps in the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.errors import Conflict, Forbidden, Gone, NotFound
from feedsvc.models import Category, Entry
from feedsvc.stamps import FeedKey
from feedsvc.storage.categories import Filing
from feedsvc.storage.change_log import ChangeLog
from feedsvc.storage.erasure import erase
from feedsvc.storage.idempotency import IdempotencyStore
from feedsvc.storage.mappers import (
    category_from,
    event_row,
    fetch_entries,
    load_damaged,
)
from feedsvc.storage.publication import Publication
from feedsvc.storage.reader import resolve_categories
from feedsvc.storage.revision import (
    schedule,
    stored_values,
    updated_at,
    with_previous_start,
)
from feedsvc.storage.scheduler import next_start, visibility
from feedsvc.storage.sizes import stored_row
from feedsvc.storage.tables import (
    INHERITED,
    categories,
    entries,
    entry_categories,
    event_details,
)
from feedsvc.storage.timezone_refresh import refresh
from feedsvc.storage.tombstones import Tombstones

_BATCH_SIZE = 200
_PLACED = ("kind", "is_visible", "published", "guid", "lang", "starts", "ends")
"""The columns of `entries` that `entry_categories` repeats."""

_REPLACE = (
    entries.update()
    .where(entries.c.pk == sa.bindparam("key"))
    .values(
        was_visible=sa.or_(
            entries.c.was_visible, sa.bindparam("seen", type_=sa.Boolean)
        )
    )
)

Precondition = Callable[[Entry | None], None]
"""Looks at the stored entry before it is changed, and raises where it must not be."""


def no_precondition(old: Entry | None) -> None:
    """The check that takes whatever is stored."""


class Writer(Filing):
    """One write transaction; it sees its own changes."""

    def __init__(
        self,
        connection: sa.Connection,
        ledger: ChangeLog,
        zone: ZoneInfo,
        publication: Publication,
    ) -> None:
        super().__init__(connection, ledger, zone)
        self._publication = publication
        self.idempotency_keys = IdempotencyStore(connection, ledger.clock)
        self._tombstones = Tombstones(connection, ledger)
        self._expected: dict[str, tuple[int | None, Entry | None]] = {}

    def prefetch(self, ids: Iterable[str]) -> None:
        """Read in one statement what is stored under ids that are to be written."""
        wanted = set(ids)
        found = {
            entry.id: (row.pk, entry)
            for row, entry in fetch_entries(self._connection, entries.c.id.in_(wanted))
        }
        missing = entries.c.id.in_(wanted - found.keys())
        damaged = set(self._connection.scalars(sa.select(entries.c.id).where(missing)))
        self._expected = {id: found.get(id, (None, None)) for id in wanted - damaged}

    def put_entry(
        self,
        entry: Entry,
        *,
        create: bool = False,
        publish: bool = True,
        updated: datetime | None = None,
        check: Precondition = no_precondition,
    ) -> tuple[Entry, bool]:
        """Store an entry under its id; returns it as stored, and whether it is new.

        One that is already stored so is left alone. A deleted one is restored under its guid. Of the
        entry's categories only the slugs count. A new one keeps the guid that it came with, or is given one.

        :param create: the id must never have been used.
        :param publish: whether what readers see may change.
        :param updated: of an imported entry, when its source last changed it; else it is updated now.
        :param check: raises where the stored entry is not the one that is meant.
        :raises Conflict: the id is taken: by the other kind, or at all where `create`.
        :raises Forbidden: it would be or has ever been public, without `publish`.
        :raises Invalid: a category does not exist.
        """
        pk, old = self._find(entry.id)
        check(old)
        if old and (create or old.kind != entry.kind):
            raise Conflict(
                f"The id “{entry.id}” is taken{'' if create else ' by an entry of the other kind'}."
            )
        if not publish:
            self._check_draft(entry.kind, pk, entry, old)
        placed = self._resolve_categories(entry.categories)
        entry = replace(entry, categories=tuple(placed))
        if old:
            since = old.withdrawn if entry.status == "withdrawn" else None
            event = with_previous_start(entry.event, old.event)
            entry = replace(
                entry,
                published=entry.published or old.published,
                withdrawn=since,
                event=event,
            )
            if stored_values(entry) == stored_values(old):
                return old, False
        now, changed = self._ledger.clock(), self._ledger.next_timestamp()
        entry = replace(
            entry,
            sequence=old.sequence + (schedule(entry) != schedule(old)) if old else 0,
            starts=next_start(entry, now),
            guid=old.guid if old else entry.guid or uuid.uuid4().urn,
            version=old.version + 1 if old else 1,
            updated=updated_at(updated, entry, changed),
            changed=changed,
            published=entry.published or (None if entry.status == "draft" else now),
            withdrawn=entry.withdrawn or (now if entry.status == "withdrawn" else None),
        )
        self._store(pk, entry, list(placed.values()))
        return entry, old is None or old.status == "deleted"

    def delete_entry(
        self,
        kind: str,
        id: str,
        *,
        publish: bool = True,
        check: Precondition = no_precondition,
    ) -> None:
        """Take an entry away; what stays is its tombstone.

        :raises Forbidden: it has ever been public, without `publish`.
        :raises NotFound: there is none of this kind.
        :raises Gone: it was deleted before.
        """
        pk, old = self._find(id)
        if pk is None or old is None or old.kind != kind:
            raise NotFound(f"There is no entry “{id}”.")
        if old.status == "deleted":
            raise Gone(f"The entry “{id}” was deleted.")
        check(old)
        if not publish:
            self._check_draft(kind, pk, old)
        before, version, sequence = (
            self._topics_of(pk),
            old.version + 1,
            old.sequence + 1,
        )
        if before:
            self._tombstones.add(pk, before, deleted_as=sequence)
        touched = before or self._tombstones.mark_deleted(pk, sequence)
        seq = self._ledger.record("delete", kind, id, version, touched)
        now = self._ledger.next_timestamp()
        values: dict[str, object] = {"version": version, "sequence": sequence}
        values |= {"updated": now, "changed_at": now}
        if before:  # followers of the changes know that a hidden entry is away
            values["seq"] = seq
        erase(self._connection, pk, kind, values)
        self.idempotency_keys.erase(id)

    def apply_scheduled_changes(self) -> int:
        """Let appear and leave what is due, and series go on, a group at most; returns how many did."""
        now = self._ledger.clock()
        order = entries.c.next_change_at, entries.c.pk
        wanted = (
            sa.select(entries.c.pk)
            .where(entries.c.next_change_at <= now)
            .order_by(*order)
            .limit(_BATCH_SIZE)
        )
        keys = list(self._connection.scalars(wanted))
        found = fetch_entries(self._connection, entries.c.pk.in_(keys), order=order)
        if damaged := set(keys) - {
            row.pk for row, _ in found
        }:  # they would be due for ever
            self._connection.execute(
                entries.update()
                .where(entries.c.pk.in_(damaged))
                .values(next_change_at=None)
            )
        for row, entry in found:
            before = self._topics_of(row.pk)
            shown, due = visibility(entry, now)
            if not shown:
                self._tombstones.add(row.pk, before)
            elif not row.is_visible:
                before |= self._tombstones.remove(row.pk)
                self._publication.note(entry)
            values = {"is_visible": shown, "starts": next_start(entry, now)}
            self._connection.execute(
                entry_categories.update()
                .where(entry_categories.c.entry_pk == row.pk)
                .values(values)
            )
            changed, mine = self._ledger.next_timestamp(), entries.c.pk == row.pk
            own = {
                **values,
                "next_change_at": due,
                "was_visible": row.was_visible or shown,
                "changed_at": changed,
            }
            self._connection.execute(entries.update().where(mine).values(own))
            action = (
                "advance"
                if shown == row.is_visible
                else "publish"
                if shown
                else "expire"
            )
            touched = before | self._topics_of(row.pk)
            seq = self._ledger.record(action, row.kind, row.id, row.version, touched)
            if (
                action != "advance"
            ):  # the entry itself stays as it is while its occurrences pass
                step = {"seq": seq, "updated": changed}
                self._connection.execute(entries.update().where(mine).values(step))
        return len(found)

    def refresh_timezones(self) -> None:
        """Recompute the instants of a batch of events with this process's tzdata."""
        refresh(self._connection, self._ledger, self._topics_of)

    def _find(self, id: str) -> tuple[int | None, Entry | None]:
        if id in self._expected:
            return self._expected.pop(id)  # once: it is another one then
        found = fetch_entries(self._connection, entries.c.id == id)
        if found:
            return found[0][0].pk, found[0][1]
        return load_damaged(self._connection, entries.c.id == id) or (None, None)

    def _resolve_categories(self, wanted: Collection[Category]) -> dict[Category, int]:
        """The stored categories that have the slugs of `wanted`, in that order, with their keys."""
        missing = [
            category.slug for category in wanted if category.slug not in self._filed
        ]
        if missing:
            living = (categories.c.slug.in_(missing), categories.c.retired.is_(None))
            for row in self._connection.execute(sa.select(categories).where(*living)):
                self._filed[row.slug] = category_from(row), row.id
        return dict(resolve_categories(wanted, self._filed))

    def _store(self, pk: int | None, entry: Entry, placed: list[int]) -> None:
        """Write an entry's rows and its step."""
        run = self._connection.execute
        wider = (
            self._ancestors(placed)
            if any(category.parent for category in entry.categories)
            else set()
        )
        shown, due = visibility(entry, self._ledger.clock())
        touched = self._topics_of(pk) if pk else set()
        if due:
            self._ledger.invalidate_caches(
                (entry.kind, key) for key in (0, *placed, *wider)
            )
        entered: set[FeedKey] = {
            (entry.kind, key) for key in (0, *placed, *wider) if shown
        }
        is_change = shown or bool(touched)  # of what readers see
        if pk and touched and not shown:
            self._tombstones.add(pk, touched)
        elif pk and shown and not touched:
            touched = self._tombstones.remove(pk)
        seq = self._ledger.record(
            "put", entry.kind, entry.id, entry.version, touched | entered
        )
        row = {
            **stored_row(entry),
            **self._ledger.origin(),
            "changed_at": entry.changed,
        }
        row |= {"is_visible": shown, "next_change_at": due}
        if pk is None or is_change:
            row["seq"] = seq
        if pk is None:
            pk = run(
                entries.insert().returning(entries.c.pk), {**row, "was_visible": shown}
            ).scalar_one()
        else:
            run(_REPLACE, {**row, "key": pk, "seen": shown})
            run(entry_categories.delete().where(entry_categories.c.entry_pk == pk))
        if entry.event:
            run(event_details.delete().where(event_details.c.entry_pk == pk))
            run(event_details.insert(), {"entry_pk": pk, **event_row(entry.event)})
        shared = {
            name: row[name]
            for name in (
                "kind",
                "is_visible",
                "published",
                "guid",
                "lang",
                "starts",
                "ends",
            )
        }
        places = [
            {"entry_pk": pk, "category_id": key, "position": position, **shared}
            for position, key in [
                *enumerate(placed),
                *((INHERITED, key) for key in sorted(wider)),
            ]
        ]
        if places:
            run(entry_categories.insert(), places)
        if shown:
            self._publication.note(entry)

    def _check_draft(self, kind: str, pk: int | None, *states: Entry | None) -> None:
        """Check that neither readers see an entry nor have ever seen it.

        :param states: the entry as it is stored, and as it is to be stored.
        :raises Forbidden: they do, would, or have.
        """
        is_draft = all(
            entry is None or entry.status in ("draft", "deleted") for entry in states
        )
        appeared = sa.select(entries.c.was_visible).where(entries.c.pk == pk)
        if not is_draft or (pk is not None and self._connection.scalar(appeared)):
            raise Forbidden(
                "Publishing an entry, and changing or deleting one that has been public, "
                f"needs the scope {kind}:publish."
            )
