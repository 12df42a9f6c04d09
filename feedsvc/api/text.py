"""Plain text, cleaned: normalised, and free of what XML cannot carry."""

from __future__ import annotations

import re
import unicodedata

INVALID_CHARS = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x84\x86-\x9f\ufdd0-\ufdef\ufffd-\uffff"
)
"""Characters that no document may have (XML 1.0 §2.2), for a pattern's character class: also controls and
noncharacters that it discourages, and U+FFFD, which stands where a character was lost."""

# And what such a pattern cannot name: surrogates, and the noncharacters that end each other plane.
_FORBIDDEN = re.compile(
    f"[{INVALID_CHARS}\ud800-\udfff"
    + "".join(
        chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(1, 17)
    )
    + "]"
)
_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")
MAX_COMBINING_MARKS = 30
_MARKED = re.compile(f"[^\x00-\u02ff]{{{MAX_COMBINING_MARKS + 1},}}")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def normalize(text: str) -> str:
    """Text in NFC with LF for line ends.

    :raises ValueError: as `check`.
    """
    check(text)
    return unicodedata.normalize("NFC", unify_line_ends(text))


def check(text: str) -> None:
    """Refuse text that cannot be published or normalised.

    :raises ValueError: a character that XML 1.0 cannot carry, such as NUL or a lone surrogate, or more than
        30 combining marks in a row (UAX #15 §13), which takes normalisation for ever.
    """
    bad = _FORBIDDEN.search(text)
    if bad:
        raise ValueError(f"The character U+{ord(bad[0]):04X} is not allowed.")
    check_marks(text)


def check_marks(text: str) -> None:
    """Refuse text with more than 30 combining marks in a row.

    :raises ValueError: it has such a run.
    """
    for marked in _MARKED.finditer(text):
        if _longest_run_of_marks(marked[0]) > MAX_COMBINING_MARKS:
            raise ValueError(
                f"More than {MAX_COMBINING_MARKS} combining marks in a row."
            )


def unify_line_ends(text: str) -> str:
    """Return text with LF for every line end, those of Unicode alone (NEL, U+2028, U+2029) included."""
    return _LINE_END.sub("\n", text)


def leading_marks(text: str) -> int:
    """Count the combining marks at the start of text, which would join what text is put behind."""
    count = 0
    while count < len(text) and unicodedata.combining(text[count]):
        count += 1
    return count


def _longest_run_of_marks(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        longest = max(longest, run)
    return longest


def strip_invalid_chars(text: str) -> str:
    """Text without what XML 1.0 cannot carry, for text that a parser may have decoded such from."""
    return _FORBIDDEN.sub("", text.replace("\x85", "\n"))


def lines(text: str) -> str:
    """Return cleaned text of any number of lines, without controls of the writing direction.

    No line starts with a combining mark: without a base it would join the tag that the line is put behind, as
    NFC composes `>` and U+0338.

    :raises ValueError: as `check`.
    """
    cleaned = _without_leading_marks(normalize(_BIDI_CONTROLS.sub("", text)).strip())
    return "\n".join(
        line[leading_marks(line) :] for line in cleaned.split("\n")
    ).rstrip()


def _without_leading_marks(text: str) -> str:
    """Return text that has no space at its start without the marks there, and the space among them."""
    if not leading_marks(text):
        return text
    starts = (
        n
        for n, char in enumerate(text)
        if not (char.isspace() or unicodedata.combining(char))
    )
    return text[next(starts, len(text)) :]


def normalize_line(text: str) -> str:
    """Cleaned text as one line: white space folded, no control of writing direction, no mark at its start.

    :raises ValueError: as `check`.
    """
    return _without_leading_marks(
        " ".join(normalize(_BIDI_CONTROLS.sub("", text)).split())
    )


def truncate(text: str, length: int) -> str:
    """At most `length` characters of a line, cut between words, with an ellipsis where something is cut."""
    if len(text) <= length:
        return text
    return text[: length - 1].rsplit(" ", 1)[0].rstrip(" ,;:.–-") + "…"
