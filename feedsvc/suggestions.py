"""Suggest the name that a client probably meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

from feedsvc.words import fold

# Anyone may ask for a category, so both bounds limit the work to about 10 ms.
_MAX_LENGTH = 32
"""Characters of a name that is compared; comparing takes quadratic time."""

MAX_NAMES = 200
"""Names that are compared; if there are more, none is suggested."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known name, or an empty string.

    It begins with a space, so that it can follow a sentence.
    """
    names = [candidate for candidate in known if len(candidate) <= _MAX_LENGTH]
    if len(name) > _MAX_LENGTH or len(names) > MAX_NAMES:
        return ""
    nearest = get_close_matches(name, names, n=1)
    return f" Did you mean “{nearest[0]}”?" if nearest else ""


def slug_of(title: str) -> str:
    """Return the slug that a title would have, or an empty string.

    It keeps ASCII letters and digits, without diacritics: “Đời sống” is `doi-song`.
    """
    # Cut first: anything may be sent as a slug, and a slug has 64 characters.
    # In NFKD, “km²” has the digit 2.
    words = re.findall("[a-z0-9]+", fold(unicodedata.normalize("NFKD", title[:200])))
    return "-".join(words)[:64].rstrip("-")
