"""Read and write entries: put, delete, and the changes that come with the time."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, selectinload

from feedsvc.errors import Gone, NotFound
from feedsvc.models import KINDS, Category, Entry, Stamp, Translation
from feedsvc.storage.categories import Categories, resolve_categories
from feedsvc.storage.database import Transaction
from feedsvc.storage.documents import decode_document, encode_document
from feedsvc.storage.search import has_words, store_words
from feedsvc.storage.sets import in_all, in_categories
from feedsvc.storage.tables import (
    CategoryRow,
    EntryCategoryRow,
    EntryContentRow,
    EntryRow,
    stored_column,
    whole_entry,
)
from feedsvc.storage.visibility import state_at
from feedsvc.storage.write_rules import (
    check_id,
    check_others,
    check_permission,
    decide_put,
)

#: Entries that one tick changes, so that its transaction is short.
MAX_DUE = 100


#: Checks the stored entry before it is changed, and raises if it must not be.
Precondition = Callable[[Entry | None], None]


@dataclass(frozen=True, kw_only=True)
class PutOptions:
    """How a writer stores an entry.

    :param create: the id must never have been used.
    :param check: raises if the stored entry must not be replaced.
    :param unchanged: the stored entry, from which the new one was made.
    :param is_import: a later import may overwrite it.
    :param updated: when the source of an imported entry changed it; now if None.
    """

    create: bool = False
    check: Precondition | None = None
    unchanged: Entry | None = None
    is_import: bool = False
    updated: datetime | None = None


class EntryChanged(Exception):
    """Another write came between reading an entry and storing what was made of it."""


#: Loads all that `EntryRow.entry` needs, in two statements.
WHOLE_ENTRY = (
    selectinload(EntryRow.content),
    selectinload(EntryRow.memberships)
    .joinedload(EntryCategoryRow.category)
    .joinedload(CategoryRow.parent),
)

# Made once, since making a statement takes longer than SQLite takes to run it.
_SELECT_BY_ID = (
    sa.select(EntryRow).where(EntryRow.id == sa.bindparam("id")).options(*WHOLE_ENTRY)
)

_INSTANTS = (
    EntryRow.changed_at,
    EntryRow.updated_at,
    EntryRow.starts_at,
    EntryRow.listed_at,
    EntryRow.ends_at,
)
#: The members of stamps that are columns of the same names.
_STAMP_COLUMNS = [each for each in Stamp._fields if each in EntryRow.__table__.columns]
#: These members, and the columns by which `read_stamps` finds translations.
SELECT_STAMPS: Any = sa.select(
    *map(stored_column, _STAMP_COLUMNS), EntryRow.kind, EntryRow.translation_key
)
_PKS: sa.BindParameter[int] = sa.bindparam("pks", expanding=True)
_SELECT_MEMBERSHIPS = (
    sa.select(EntryCategoryRow.entry_pk, EntryCategoryRow.category_id)
    .where(EntryCategoryRow.entry_pk.in_(_PKS))
    .order_by(EntryCategoryRow.position)
)
_Parent = aliased(CategoryRow)
#: The key of a category, and the members of `Category`, of which one is another slug.
_SELECT_CATEGORIES = (
    sa.select(
        CategoryRow.id,
        *(
            _Parent.slug if each.name == "parent" else getattr(CategoryRow, each.name)
            for each in fields(Category)
        ),
    )
    .outerjoin(_Parent, _Parent.id == CategoryRow.parent_id)
    .where(CategoryRow.id.in_(_PKS))
)
_SELECT_TRANSLATIONS = (
    sa.select(
        EntryRow.kind,
        EntryRow.translation_key,
        EntryRow.pk,
        stored_column("changed_at"),
    )
    .where(
        EntryRow.translation_key.in_(sa.bindparam("keys", expanding=True)),
        EntryRow.is_public,
        EntryRow.status == "published",
    )
    .order_by(EntryRow.language)
)
#: The key, and all that `whole_entry` needs.
_SELECT_SOURCES = (
    sa.select(
        EntryRow.pk,
        EntryRow.guid,
        EntryRow.version,
        EntryRow.sequence,
        *_INSTANTS,
        EntryRow.is_over,
        EntryContentRow.document,
    )
    .join(EntryRow.content)
    .where(EntryRow.pk.in_(_PKS))
)


def find_entry(session: Session, id: str) -> EntryRow | None:
    """Return the entry of an id, whatever its status; None if there is none."""
    if "\0" in id:
        return None  # PostgreSQL refuses it in texts
    return session.scalar(_SELECT_BY_ID, {"id": id})


def get_entry(session: Session, kind: str, id: str) -> EntryRow:
    """Return the entry of a kind and an id, drafts too.

    :raises NotFound: there is none, or it is of the other kind.
    :raises Gone: it was deleted.
    """
    row = find_entry(session, id)
    if row is None:
        raise NotFound(f"There is no entry “{id}”.")
    if row.kind != kind:
        raise NotFound(f"“{id}” is the id of an entry of the other kind, {row.kind}.")
    if row.status == "deleted":
        raise Gone(f"The entry “{id}” was deleted.")
    return row


def list_entries(  # noqa: PLR0913 — the parameters of the list
    session: Session,
    kind: str,
    *,
    limit: int,
    page: int = 1,
    status: str | None = None,
    category: str | None = None,
    words: str = "",
) -> list[EntryRow]:
    """Return a page of entries, those that changed last first, and one more.

    The one more tells that another page follows.

    :param words: which entries must have.
    :raises NotFound: there is no such category.
    :raises Gone: it was deleted.
    """
    sets = []
    if category:
        categories = Categories(session)
        keys = categories.with_descendants(categories.get_current(category))
        sets.append(in_categories(kind, keys))
    conditions = [*in_all(session, kind, sets), EntryRow.status != "deleted"]
    if status:
        conditions.append(EntryRow.status == status)
    if words:
        conditions.append(has_words(words))
    statement = (
        sa.select(EntryRow)
        .where(*conditions)
        .order_by(EntryRow.changed_at.desc())
        .limit(limit + 1)
        .offset((page - 1) * limit)
        .options(*WHOLE_ENTRY)
    )
    return list(session.scalars(statement))


def read_stamps(
    session: Session, statement: sa.Select[Any], **parameters: Any
) -> dict[int, Stamp]:
    """Return the stamps of the entries of a statement, in order, by their keys.

    :param statement: made of `SELECT_STAMPS`.
    """
    # Nobody changes them, and objects of the ORM would take twice the time.
    connection = session.connection()
    rows = connection.execute(statement, parameters).all()
    categories = _read_categories(connection, [row.pk for row in rows])
    groups = {row.translation_key for row in rows if row.translation_key}
    translations = defaultdict(list)
    if groups:
        others = connection.execute(_SELECT_TRANSLATIONS, {"keys": groups})
        for other in others:
            key = other.kind, other.translation_key
            translations[key].append((other.pk, other.changed_at))
    stamps = {}
    for row in rows:
        *values, kind, group = row
        columns = dict(zip(_STAMP_COLUMNS, values, strict=True))
        pk = columns["pk"]
        stamps[pk] = Stamp(
            **columns,
            categories=tuple(categories[pk]),
            translations=tuple(
                each for each in translations[kind, group] if each[0] != pk
            ),
        )
    return stamps


def _read_categories(
    connection: sa.Connection, pks: Sequence[int]
) -> Mapping[int, list[Category]]:
    """Return the categories of some entries, by the keys of the entries."""
    memberships = connection.execute(_SELECT_MEMBERSHIPS, {"pks": pks}).all()
    ids = {row.category_id for row in memberships}
    rows = connection.execute(_SELECT_CATEGORIES, {"pks": ids})
    categories = {id: Category(*members) for id, *members in rows}
    by_entry = defaultdict(list)
    for row in memberships:
        by_entry[row.entry_pk].append(categories[row.category_id])
    return by_entry


def read_entries(session: Session, stamps: Collection[Stamp]) -> list[Entry]:
    """Return the entries of stamps of the same snapshot, as readers see them."""
    if not stamps:
        return []
    keys = {stamp.pk for stamp in stamps}
    keys |= {pk for stamp in stamps for pk, _ in stamp.translations}
    result = session.connection().execute(_SELECT_SOURCES, {"pks": keys})
    sources = {row.pk: row for row in result}

    def translation(pk: int) -> Translation:
        other = decode_document(sources[pk].document)
        return Translation(other.id, other.language, other.title, other.url)

    entries = []
    for stamp in stamps:
        row = sources[stamp.pk]
        entry = whole_entry(row.document, row, stamp.categories).public_view()
        if stamp.translations and entry.status != "withdrawn":
            translations = tuple(translation(pk) for pk, _ in stamp.translations)
            entry = replace(entry, translations=translations)
        if stamp.occurrence:
            entry = replace(
                entry, starts=stamp.occurrence, is_ongoing=False, is_next=False
            )
        entries.append(entry)
    return entries


def put_entry(
    transaction: Transaction, entry: Entry, options: PutOptions = PutOptions()
) -> tuple[EntryRow, bool]:
    """Store an entry under its id; return it as stored, and whether it is new.

    An entry that equals the stored one is not changed. A deleted one is restored under
    its guid. A new one keeps the guid that it has, or is given one. Only the slugs of
    its categories count.

    :raises EntryChanged: the stored one is not `options.unchanged` any more.
    :raises Conflict: the id belongs to an entry of the other kind; with `create`, to
        any entry, deleted ones too. Or the guid belongs to another entry.
    :raises Forbidden: the stored or the new one is not in the writer's categories.
    :raises ValidationFailed: a category does not exist, the guid is not the stored one,
        the translation is not the only one into its language, or the entry would expire
        before its publication.
    """
    session = transaction.session
    row = find_entry(session, entry.id)
    old = row.entry if row else None
    # All checks are made under the lock, so no other write comes between them and the
    # commit.
    if options.unchanged and old != options.unchanged:
        # The versions may be equal: a renamed category changes an entry without one.
        raise EntryChanged
    if options.check:
        options.check(old)
    check_id(old, entry, create=options.create)

    # A limited writer needs permission for the categories of both the new entry and the
    # one that it replaces. The id of a deleted one is free for everybody.
    categories = resolve_categories(session, entry.categories)
    _check_permission(transaction, categories)
    is_new = row is None or row.status == "deleted"
    if row and not is_new:
        _check_permission(transaction, row.categories)
    check_others(
        old,
        entry,
        guid_owner=None if old else _find_guid_owner(session, entry.guid),
        translations=_find_translations(transaction, old, entry),
    )

    is_patch = options.unchanged is not None
    entry = decide_put(old, entry, transaction.now, is_patch=is_patch)
    # A repeated PUT must not look like a change to readers. The stored document may
    # have a member of an earlier version.
    document = encode_document(entry)
    is_same = old and document == encode_document(old)
    if row and is_same and categories == row.categories:
        return row, False

    if row is None:
        row = EntryRow(id=entry.id, kind=entry.kind, guid=entry.guid)
        session.add(row)
    row.is_imported = options.is_import
    _set_content(transaction, row, entry, document, categories)
    if options.updated:
        # An archive that is imported must not look new. But dates of sources may be
        # wrong: neither before the publication nor in the future.
        earliest = entry.published or options.updated
        row.updated_at = min(max(options.updated, earliest), row.updated_at)

    # The words need the key that the database gives the row.
    session.flush()
    store_words(session, row.pk, entry)
    transaction.log_lines.append(f"put {row.kind}/{row.id} version {row.version}")
    return row, is_new


def delete_entry(
    transaction: Transaction,
    kind: str,
    id: str,
    check: Precondition | None = None,
) -> None:
    """Erase an entry but for `DELETED_MEMBERS`.

    :raises NotFound: there is none of this kind.
    :raises Gone: it was deleted before.
    :raises Forbidden: it is not in the writer's categories.
    """
    row = get_entry(transaction.session, kind, id)
    old = row.entry
    if check:
        check(old)
    _check_permission(transaction, row.categories)
    deleted = old.erased()
    _set_content(transaction, row, deleted, encode_document(deleted), [])
    store_words(transaction.session, row.pk, deleted)
    transaction.erases = True
    transaction.log_lines.append(f"delete {kind}/{id} version {row.version}")


def apply_due_changes(transaction: Transaction) -> int:
    """Publish, expire and advance the entries that are due; return how many.

    At most `MAX_DUE`, those that are due first.
    """
    statement = (
        sa.select(EntryRow)
        # All kinds are named because the index on due_at begins with the kind.
        .where(EntryRow.kind.in_(KINDS), EntryRow.due_at <= transaction.now)
        .order_by(EntryRow.due_at)
        .limit(MAX_DUE)
        .options(*WHOLE_ENTRY)
    )
    rows = transaction.session.scalars(statement).all()
    for row in rows:
        was_public_before = row.is_public
        entry = decode_document(row.content.document)
        row.set_state(state_at(entry, transaction.now, was_public=row.was_public))
        revision = transaction.next_revision(row.kind)
        # The end of an event, or its next occurrence, is no change of the entry.
        if row.is_public != was_public_before:
            row.changed_at = revision
            action = "publish" if row.is_public else "expire"
            transaction.log_lines.append(f"{action} {row.kind}/{row.id}")
        if row.is_public and not was_public_before:
            row.updated_at = transaction.updated_at(revision)
    return len(rows)


def _check_permission(transaction: Transaction, categories: list[CategoryRow]) -> None:
    """Check that the writer may write an entry that names some categories.

    :raises Forbidden: the writer is limited to other ones.
    """
    if transaction.category_ids:
        keys = {
            category.slug: [row.id for row in category.iter_upwards()]
            for category in categories
        }
        check_permission(transaction.category_ids, keys)


def _find_guid_owner(session: Session, guid: str) -> str | None:
    """Return the id of the entry that has a guid, if one has it.

    Calendars have guids without `urn:uuid:`, so no other entry may have it with or
    without, in lower or upper case.
    """
    # Without one, the entry gets a new UUID.
    if not guid:
        return None
    bare = re.sub("^urn:uuid:", "", guid, flags=re.IGNORECASE)
    same = [bare, f"urn:uuid:{bare}", f"URN:UUID:{bare}"]
    return session.scalar(sa.select(EntryRow.id).where(EntryRow.guid.in_(same)))


def _find_translations(
    transaction: Transaction, old: Entry | None, entry: Entry
) -> dict[str, str]:
    """Return the ids of the other entries with an entry's key, by language.

    :raises Forbidden: the key is new, and the writer is limited to other categories
        than theirs, whose pages and feeds would link to the entry.
    """
    if entry.translation_key is None:
        return {}
    others = transaction.session.scalars(
        sa.select(EntryRow).where(
            EntryRow.kind == entry.kind,
            EntryRow.translation_key == entry.translation_key,
            EntryRow.id != entry.id,
        )
    ).all()
    # Others may have translated an entry, which its writer can still mend.
    is_new = old is None or old.translation_key != entry.translation_key
    if is_new and transaction.category_ids:
        for other in others:
            _check_permission(transaction, other.categories)
    return {other.language: other.id for other in others}


def _set_content(
    transaction: Transaction,
    row: EntryRow,
    entry: Entry,
    document: str,
    categories: list[CategoryRow],
) -> None:
    """Set the document, the numbers and the categories of an entry, and its state.

    What readers see then has a new revision.
    """
    affected_before = row.affects_feeds
    row.set_document(entry, document)
    row.version = entry.version
    row.sequence = entry.sequence
    memberships = {each.category_id: each for each in row.memberships}
    row.memberships = [
        memberships.get(category.id)
        or EntryCategoryRow(category_id=category.id, category=category)
        for category in categories
    ]
    for position, membership in enumerate(row.memberships):
        membership.position = position
    was_public = bool(row.was_public)
    row.set_state(state_at(entry, transaction.now, was_public=was_public))
    # A change of what readers do not see leaves their feeds as they are.
    is_seen = affected_before or row.affects_feeds
    kinds = [row.kind] if is_seen else []
    row.changed_at = transaction.next_revision(*kinds)
    row.updated_at = transaction.updated_at(row.changed_at)
