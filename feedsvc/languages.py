"""Language tags (RFC 5646)."""

from __future__ import annotations

import re

from babel import Locale

#: The shape of a language tag.
LANGUAGE_TAG_PATTERN = r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,8}"

_LANGUAGES = frozenset(Locale("en").languages)


def check_language(tag: str) -> str:
    """Return a language tag itself.

    :raises ValueError: it is none, or Babel does not know its language.
    """
    has_shape = re.fullmatch(LANGUAGE_TAG_PATTERN, tag) is not None
    if not has_shape or primary_subtag(tag) not in _LANGUAGES:
        raise ValueError("Must be a BCP 47 language tag such as vi or en-GB.")
    return tag


def primary_subtag(language: str) -> str:
    """Return the primary subtag of a language tag (RFC 5646 §2.2.1): `en` of en-GB."""
    return language.split("-")[0].lower()
