"""Search entries by words, without regard to case and diacritics.

The words of an entry are one text with a space before and after each, so an entry has a
word if the text has ` word `, and a longer one that begins with it if the text has
` word`. Han, kana and Hangul have no spaces between words: all between other characters
is one word, of which any part is found.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.models import KINDS, Entry
from feedsvc.storage.database import Transaction
from feedsvc.storage.documents import decode_document
from feedsvc.storage.sets import is_in_language
from feedsvc.storage.tables import (
    EntryContentRow,
    EntryRow,
    EntryWordsRow,
    access_of,
)
from feedsvc.text.folding import MIN_BEGINNING, is_cjk, split_search, split_words
from feedsvc.text.html_text import separate_blocks, strip_tags

#: The form of words that this version stores; that of versions before 3.2 is 1, and
#: that of 3.2, which does not know the column `access` of entries, is 2.
_FORM = 3

#: Entries whose words are renewed in one transaction, so that it is short.
_MAX_RENEWED = 200


def words_of(entry: Entry) -> str:
    """Return the words by which readers find an entry.

    A withdrawn one is not found by what readers no longer see.
    """
    shown = entry.public_view()
    place = shown.event and shown.event.location
    organizer = shown.event and shown.event.organizer
    people = [*shown.authors, shown.source, organizer]
    words = split_words(
        shown.title,
        shown.summary,
        strip_tags(separate_blocks(shown.content_html or "")),
        shown.content_text or "",
        *(person.name for person in people if person),
        *([place.name, place.address or ""] if place else []),
    )
    return f" {' '.join(sorted(words))} "


def store_words(session: Session, entry_pk: int, entry: Entry) -> None:
    """Store the words of an entry in place of the former ones; a deleted one has none.

    :param entry_pk: the key of its row, which is stored.
    """
    # Not as objects, which would be read only to be replaced. A first version has no
    # former words.
    if entry.version > 1:
        session.execute(sa.delete(EntryWordsRow).filter_by(entry_pk=entry_pk))
    if entry.status != "deleted":
        words = {"entry_pk": entry_pk, "words": words_of(entry), "form": _FORM}
        session.execute(sa.insert(EntryWordsRow), words)


def has_older_words(session: Session) -> bool:
    """Tell if there are words that an earlier version has stored."""
    older = sa.exists().where(EntryWordsRow.form < _FORM)
    return bool(session.scalar(sa.select(older)))


def renew_words(transaction: Transaction) -> None:
    """Store words and `access` anew where an earlier version has stored the entry.

    After an upgrade from one before 3.2 these are all, and then those that an instance
    writes which still runs beside this one.
    """
    session = transaction.session
    older = session.execute(
        sa.select(
            EntryRow.pk, EntryWordsRow.words, EntryRow.access, EntryContentRow.document
        )
        .join(EntryWordsRow, EntryWordsRow.entry_pk == EntryRow.pk)
        .join(EntryRow.content)
        .where(EntryWordsRow.form < _FORM)
        .limit(_MAX_RENEWED)
    ).all()
    has_changed = False
    rows, columns = [], []
    for pk, *former, document in older:
        entry = decode_document(document)
        words, access = words_of(entry), access_of(entry.event)
        has_changed |= [words, access] != former
        rows.append({"entry_pk": pk, "words": words, "form": _FORM})
        columns.append({"pk": pk, "access": access})
    # Another worker may have been first.
    if rows:
        session.execute(sa.update(EntryWordsRow), rows)
        session.execute(sa.update(EntryRow), columns)
    # Cached feeds lack what is found now.
    if has_changed:
        transaction.next_revision(*KINDS)


def has_words(search: str) -> sa.ColumnElement[bool]:
    """Return the condition that an entry has all words of a search."""
    # SQLite stops at the first that an entry lacks, and long words are in few entries.
    words = sorted(split_search(search), key=len, reverse=True)
    return sa.exists().where(
        EntryWordsRow.entry_pk == EntryRow.pk,
        *map(_has_word, words),
    )


def _has_word(word: str) -> sa.ColumnElement[bool]:
    words = EntryWordsRow.words
    if is_cjk(word):
        return words.contains(word)
    is_whole = words.contains(f" {word} ")
    if len(word) < MIN_BEGINNING:
        return is_whole
    # The words of Vietnamese are syllables, which begin like many others.
    return words.contains(f" {word}") & (is_whole | ~is_in_language("vi"))
