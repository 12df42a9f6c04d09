"""Search entries by words, without regard to case and diacritics.

The words of an entry are one text with a space before and after each, so an entry has a
word if the text has ` word `.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.folding import MAX_SEARCH_LENGTH, split_words
from feedsvc.html_text import separate_blocks, strip_tags
from feedsvc.models import Entry
from feedsvc.storage.tables import EntryRow, EntryWordsRow

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
    place = shown.event and shown.event.location
    words = split_words(
        shown.title,
        shown.summary,
        strip_tags(separate_blocks(shown.content_html or "")),
        shown.content_text or "",
        *(author.name for author in shown.authors),
        *([shown.source.name] if shown.source else []),
        *([place.name, place.address or ""] if place else []),
    )
    # A search is shorter than a word that is left out.
    findable = sorted(word for word in words if len(word) <= MAX_SEARCH_LENGTH)
    return f" {' '.join(findable)} "


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


def has_words(words: str) -> sa.ColumnElement[bool]:
    """Return the condition that an entry has all words of a search.

    :param words: in the form of `parse_search`: letters and digits, folded.
    """
    return sa.exists().where(
        EntryWordsRow.entry_pk == EntryRow.pk,
        *(EntryWordsRow.words.contains(f" {word} ") for word in words.split()),
    )
