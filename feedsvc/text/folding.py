"""Words without case and diacritics, for searches and slugs."""

import re
import unicodedata
from itertools import filterfalse

#: Limits of a search: its distinct words, and the characters of all of them.
MAX_SEARCH_WORDS = 10
MAX_SEARCH_LENGTH = 100

#: Words into which changes of script may divide those: each costs a comparison.
_MAX_DIVIDED = 20

#: Letters that a word must have to find longer ones, which begin with it.
MIN_BEGINNING = 5

# Han, kana and Hangul, which are written without spaces between words.
_CJK = (
    "\u1100-\u11ff\u3005-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\uff66-\uffdc\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
#: A pattern of words in other scripts.
OTHER_WORD = rf"[^\W_{_CJK}]+"
# These ranges have punctuation too, which belongs to no word.
WORD = re.compile(rf"{OTHER_WORD}|(?:(?=[^\W_])[{_CJK}])+")


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

    All but letters and digits separates words: “Lê-Lợi_2026” has three. Where Han, kana
    or Hangul begins or ends, a word ends: “wifi接続” has two.
    """
    # Texts repeat words, and folding takes longer than splitting.
    distinct = set(" ".join(texts).split())
    return set(split_search(" ".join(distinct)))


def is_cjk(word: str) -> bool:
    """Tell if a word of `split_words` is one of Han, kana or Hangul."""
    return re.match(f"[{_CJK}]", word) is not None


def split_search(text: str) -> list[str]:
    """Return the distinct words of a search, folded, in their order."""
    return list(dict.fromkeys(WORD.findall(fold(text))))


def fold_search(text: str) -> str:
    """Return the distinct words of a search as people see them, folded.

    A change of script ends none, so the words of the result are the same.
    """
    return " ".join(dict.fromkeys(re.findall(r"[^\W_]+", fold(text))))


def parse_search(text: str) -> str:
    """Return a search as it was typed, with single spaces; without words, an empty one.

    Only its folded words are returned if the whole is longer than they may be, or has
    invisible characters.

    :raises ValueError: the words are too many, or too long; the text follows the name
        of the parameter.
    """
    words = fold_search(text)
    # The text itself may be longer: decomposed letters are several characters.
    if (
        len(words) > MAX_SEARCH_LENGTH
        or words.count(" ") >= MAX_SEARCH_WORDS
        or len(split_search(words)) > _MAX_DIVIDED
    ):
        raise ValueError(
            f"must have at most {MAX_SEARCH_WORDS} words and "
            f"{MAX_SEARCH_LENGTH} characters"
        )
    typed = " ".join(unicodedata.normalize("NFC", text).split())
    is_short = len(typed) <= MAX_SEARCH_LENGTH
    return typed if words and is_short and typed.isprintable() else words


def slug_of(title: str) -> str:
    """Return the slug that a title would have, or an empty string.

    It keeps ASCII letters and digits, without diacritics: “Đời sống” is `doi-song`.
    """
    # Anything may be sent as a slug, so the title is cut first. In NFKD, “km²” has the
    # digit 2.
    text = fold(unicodedata.normalize("NFKD", title[:200]))
    words = re.findall("[a-z0-9]+", text)
    return "-".join(words)[:64].rstrip("-")
