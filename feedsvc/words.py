"""Words without case and diacritics: searches, slugs and suggestions of names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

MAX_WORDS = 10
MAX_LENGTH = 100
"""Limits of a search: its distinct words, and the characters of all of them."""

_MAX_COMPARED = 32
"""Characters of a name that is compared; comparing takes quadratic time."""

MAX_NAMES = 200
"""Names that are compared; if there are more, none is suggested.

Anyone may ask for a category that does not exist, so both limits bound the work.
"""

_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return a text without case and diacritics.

    For instance, “ha noi” for “Hà Nội”, and “da nang” for “Đà Nẵng”.
    """
    # Unicode does not decompose the letter đ.
    plain = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    stripped = "".join(char for char in plain if not unicodedata.combining(char))
    # Composed again, since NFD divides Korean syllables into their letters.
    return unicodedata.normalize("NFC", stripped)


def split_words(*texts: str) -> set[str]:
    """Return the distinct words of texts, folded.

    All but letters and digits separates words: “Lê-Lợi_2026” has three.
    """
    return set(_WORD.findall(fold(" ".join(texts))))


def parse_search(text: str) -> str:
    """Return the words of a search in canonical form: folded, once each.

    They stay in their order, since readers see them.

    :raises ValueError: they are too many, or too long; the text follows the name of the
        parameter.
    """
    words = " ".join(dict.fromkeys(_WORD.findall(fold(text))))
    # Folding may lengthen a text: “ß” becomes “ss”.
    if max(len(text), len(words)) > MAX_LENGTH or words.count(" ") >= MAX_WORDS:
        raise ValueError(
            f"must have at most {MAX_WORDS} words and {MAX_LENGTH} characters"
        )
    return words


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known name, or an empty string.

    It begins with a space, so that it can follow a sentence.
    """
    names = [candidate for candidate in known if len(candidate) <= _MAX_COMPARED]
    if len(name) > _MAX_COMPARED or len(names) > MAX_NAMES:
        return ""
    nearest = get_close_matches(name, names, n=1)
    return f" Did you mean “{nearest[0]}”?" if nearest else ""


def slug_of(title: str) -> str:
    """Return the slug that a title would have, or an empty string.

    It keeps ASCII letters and digits, without diacritics: “Đời sống” is `doi-song`.
    """
    # Anything may be sent as a slug, so the title is cut first. In NFKD, “km²” has the
    # digit 2.
    text = fold(unicodedata.normalize("NFKD", title[:200]))
    words = re.findall("[a-z0-9]+", text)
    return "-".join(words)[:64].rstrip("-")
