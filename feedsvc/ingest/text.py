"""Plain text, cleaned: normalised, and free of what XML cannot carry."""

from __future__ import annotations

import re
import unicodedata

UNFIT = r"\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
"""What may not stand in a document at all (XML 1.0 §2.2, Char), for a pattern's character class."""

# And what such a pattern cannot name: surrogates, and the noncharacters that end each other plane.
_FORBIDDEN = re.compile(
    f"[{UNFIT}\ud800-\udfff"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(1, 17))
    + "]"
)
MAX_MARKS = 30
_MARKED = re.compile(f"[^\x00-\u02ff]{{{MAX_MARKS + 1},}}")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text in NFC with LF for line ends.

    :raises ValueError: a character that XML 1.0 cannot carry, such as NUL or a lone surrogate, or more than
        30 combining marks in a row (UAX #15 §13), which takes normalisation for ever.
    """
    bad = _FORBIDDEN.search(text)
    if bad:
        raise ValueError(f"The character U+{ord(bad[0]):04X} is not allowed.")
    for marked in _MARKED.finditer(text):
        if _longest_run_of_marks(marked[0]) > MAX_MARKS:
            raise ValueError(f"More than {MAX_MARKS} combining marks in a row.")
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _longest_run_of_marks(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        longest = max(longest, run)
    return longest


def drop_forbidden(text: str) -> str:
    """Text without what XML 1.0 cannot carry, for text that a parser may have decoded such from."""
    return _FORBIDDEN.sub("", text)


def line(text: str) -> str:
    """Cleaned text as one line: white space folded, no control of writing direction.

    :raises ValueError: as `clean`.
    """
    return " ".join(clean(_BIDI_CONTROLS.sub("", text)).split())


def shorten(text: str, length: int) -> str:
    """At most `length` characters of a line, cut between words, with an ellipsis where something is cut."""
    if len(text) <= length:
        return text
    return text[: length - 1].rsplit(" ", 1)[0].rstrip(" ,;:.–-") + "…"
