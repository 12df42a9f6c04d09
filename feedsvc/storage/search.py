"""Search entries by words, without regard to case and diacritics.

The words of an entry are one text with a space before and after each, so an entry has a
word if the text has ` word `, and one that begins so if it has ` word`. A word of Han,
kana or Hangul is all between others and punctuation, so any part of it counts.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.folding import fold_search, is_cjk, split_words
from feedsvc.html_text import separate_blocks, strip_tags
from feedsvc.models import Entry
from feedsvc.storage.sets import is_in_language
from feedsvc.storage.tables import EntryRow, EntryWordsRow

#: A word of so many letters finds longer ones, too.
_MIN_BEGINNING = 5

_DELETE = (
    sa.delete(EntryWordsRow)
    .where(EntryWordsRow.entry_pk == sa.bindparam("pk"))
    .execution_options(synchronize_session=False)
)


def words_of(entry: Entry) -> str:
    """Return the words by which readers find an entry.

    A withdrawn one is not found by what readers no longer see.
    """
    shown = entry.public_view()
    event = shown.event
    place = event and event.location
    people = *shown.authors, shown.source, event and event.organizer
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
        session.execute(_DELETE, {"pk": entry_pk})
    if entry.status != "deleted":
        words = {"entry_pk": entry_pk, "words": words_of(entry)}
        session.execute(sa.insert(EntryWordsRow), words)


def has_words(search: str) -> sa.ColumnElement[bool]:
    """Return the condition that an entry has all words of a search."""
    return sa.exists().where(
        EntryWordsRow.entry_pk == EntryRow.pk,
        *map(_has_word, fold_search(search).split()),
    )


def _has_word(word: str) -> sa.ColumnElement[bool]:
    words = EntryWordsRow.words
    if is_cjk(word):
        return words.contains(word)
    is_whole = words.contains(f" {word} ")
    if len(word) < _MIN_BEGINNING:
        return is_whole
    # The words of Vietnamese are syllables, which begin like many others.
    return words.contains(f" {word}") & (is_whole | ~is_in_language("vi"))
