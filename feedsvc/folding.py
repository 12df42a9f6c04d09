"""Words without case and diacritics, for searches and slugs."""

import re
import unicodedata
from itertools import filterfalse

#: Limits of a search: its distinct words, and the characters of all of them.
MAX_SEARCH_WORDS = 10
MAX_SEARCH_LENGTH = 100

_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return a text without case and diacritics.

    For instance, “ha noi” for “Hà Nội”, and “da nang” for “Đà Nẵng”.
    """
    # Unicode does not decompose the letter đ.
    plain = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    stripped = "".join(filterfalse(unicodedata.combining, plain))
    # Composed again, since NFD divides Korean syllables into their letters.
    return unicodedata.normalize("NFC", stripped)


def split_words(*texts: str) -> set[str]:
    """Return the distinct words of texts, folded.

    All but letters and digits separates words: “Lê-Lợi_2026” has three.
    """
    # Texts repeat words, and folding takes longer than splitting.
    distinct = set(" ".join(texts).split())
    return set(_WORD.findall(fold(" ".join(distinct))))


def parse_search(text: str) -> str:
    """Return the words of a search in canonical form: folded, once each.

    They stay in their order, since readers see them.

    :raises ValueError: they are too many, or too long; the text follows the name of the
        parameter.
    """
    words = " ".join(dict.fromkeys(_WORD.findall(fold(text))))
    # The text itself may be longer: decomposed letters are several characters.
    if len(words) > MAX_SEARCH_LENGTH or words.count(" ") >= MAX_SEARCH_WORDS:
        raise ValueError(
            f"must have at most {MAX_SEARCH_WORDS} words and "
            f"{MAX_SEARCH_LENGTH} characters"
        )
    return words


def slug_of(title: str) -> str:
    """Return the slug that a title would have, or an empty string.

    It keeps ASCII letters and digits, without diacritics: “Đời sống” is `doi-song`.
    """
    # Anything may be sent as a slug, so the title is cut first. In NFKD, “km²” has the
    # digit 2.
    text = fold(unicodedata.normalize("NFKD", title[:200]))
    words = re.findall("[a-z0-9]+", text)
    return "-".join(words)[:64].rstrip("-")
