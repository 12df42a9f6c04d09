"""Normalize plain text, and refuse characters that no document may contain."""

import re
import unicodedata
from itertools import takewhile

# Characters that XML 1.0 §2.2 forbids or discourages are invalid, surrogates,
# noncharacters, and U+FFFD, which stands where a character was lost. The class lists
# the valid ones.
_SUPPLEMENTARY = "".join(
    f"{chr(plane << 16)}-{chr(plane << 16 | 0xFFFD)}" for plane in range(1, 17)
)
_INVALID = re.compile(
    rf"[^\t\n\r\x20-\x7f\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffc{_SUPPLEMENTARY}]"
)
_LINE_END = re.compile("[\r\x85\u2028\u2029]")
MAX_COMBINING_MARKS = 30
_POSSIBLE_MARK = "[^\x00-\u02ff]"
_POSSIBLE_MARKS = re.compile(f"{_POSSIBLE_MARK}{{{MAX_COMBINING_MARKS + 1},}}")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def normalize(text: str) -> str:
    """Return text in NFC with LF for line ends.

    :raises ValueError: as `check`.
    """
    check(text)
    return unicodedata.normalize("NFC", unify_line_ends(text))


def check(text: str) -> None:
    """Refuse text that cannot be published or normalized.

    :raises ValueError: it has an invalid character, such as NUL or a lone surrogate, or
        more than 30 combining marks in a row.
    """
    invalid = _INVALID.search(text)
    if invalid:
        raise ValueError(f"The character U+{ord(invalid[0]):04X} is not allowed.")
    check_combining_marks(text)


def check_combining_marks(text: str) -> None:
    """Refuse text with more than 30 combining marks in a row (UAX #15 §13).

    :raises ValueError: it has such a run.
    """
    # Normalization sorts a run of marks, in time that grows with its square.
    for possible in _POSSIBLE_MARKS.finditer(text):
        if _longest_run_of_marks(possible[0]) > MAX_COMBINING_MARKS:
            raise ValueError(
                f"More than {MAX_COMBINING_MARKS} combining marks in a row."
            )


def unify_line_ends(text: str) -> str:
    """Return text with LF for every line end, also for NEL, U+2028 and U+2029."""
    return _LINE_END.sub("\n", text.replace("\r\n", "\n"))


def leading_marks(text: str) -> int:
    """Count the combining marks at the start of text."""
    return sum(1 for _ in takewhile(unicodedata.combining, text))


def _longest_run_of_marks(text: str) -> int:
    longest = run = 0
    for char in text:
        # Some marks count as none until normalization divides them, such as U+0F73.
        for part in unicodedata.normalize("NFD", char):
            run = run + 1 if unicodedata.combining(part) else 0
            longest = max(longest, run)
    return longest


def strip_invalid_chars(text: str) -> str:
    """Return text without the characters that `check` refuses.

    Use it for text that a parser has decoded from references such as `&#x0b;`.
    """
    return _INVALID.sub("", text)


def normalize_lines(text: str) -> str:
    """Return normalized text of any number of lines.

    Controls of the writing direction are removed, and combining marks at the start
    of a line.

    :raises ValueError: as `check`.
    """
    normalized = normalize(_BIDI_CONTROLS.sub("", text)).strip()
    lines = _strip_leading_marks(normalized).split("\n")
    # A mark without a base joins the markup that a format puts in front of the line:
    # NFC composes `>` and U+0338 into one character.
    return "\n".join(line[leading_marks(line) :] for line in lines).rstrip()


def _strip_leading_marks(text: str) -> str:
    """Return text without the marks at its start, and the space among them."""
    # No space is in front of them.
    marks = takewhile(lambda char: char.isspace() or unicodedata.combining(char), text)
    return text[sum(1 for _ in marks) :]


def normalize_line(text: str) -> str:
    """Return normalized text as one line, as `normalize_lines` otherwise.

    :raises ValueError: as `check`.
    """
    words = normalize(_BIDI_CONTROLS.sub("", text)).split()
    return _strip_leading_marks(" ".join(words))
