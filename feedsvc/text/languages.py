"""Language tags (RFC 5646), and the languages that have phrases."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from babel import Locale

#: The shape of a language tag.
LANGUAGE_TAG_PATTERN = r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,8}"

#: The languages of phrases: each has a file.
UI_LANGUAGES = tuple(
    sorted(path.stem for path in Path(__file__).parents[1].glob("formats/*.toml"))
)

_LANGUAGES = frozenset(Locale("en").languages)

#: Scripts and regions of traditional Chinese, while zh.toml is simplified.
_TRADITIONAL_CHINESE = {"hant", "tw", "hk", "mo"}


def check_language(tag: str) -> str:
    """Return a language tag itself.

    :raises ValueError: it is none, or Babel does not know its language.
    """
    has_shape = re.fullmatch(LANGUAGE_TAG_PATTERN, tag) is not None
    if not has_shape or primary_subtag(tag) not in _LANGUAGES:
        raise ValueError(
            "Must be the tag of a language that exists, such as vi or en-GB."
        )
    return tag


def primary_subtag(language: str) -> str:
    """Return the primary subtag of a language tag (RFC 5646 §2.2.1): `en` of en-GB."""
    return language.split("-")[0].lower()


# Both are asked for each phrase.
@lru_cache
def has_phrases(tag: str) -> bool:
    """Tell if there are phrases in the language of a tag."""
    primary, *subtags = tag.lower().split("-")
    if primary == "zh" and "hans" not in subtags:
        return _TRADITIONAL_CHINESE.isdisjoint(subtags)
    return primary in UI_LANGUAGES


@lru_cache
def resolve_language(tag: str) -> str:
    """Return the language of the phrases for a tag: English if there are none in it."""
    return primary_subtag(tag) if has_phrases(tag) else "en"


def is_in_range(tag: str, language_range: str) -> bool:
    """Tell if a tag is in a range, as “en-GB” is in “en” (RFC 4647 §3.3.1)."""
    return f"{tag}-".lower().startswith(f"{language_range}-".lower())


def match_tag(tags: Iterable[str], tag: str) -> str | None:
    """Return the one of some tags for a tag: “en” for “en-GB” (RFC 4647 §3.4).

    It is the longest in whose range the tag is; None if there is none.
    """
    matches = [each for each in tags if is_in_range(tag, each)]
    return max(matches, key=len, default=None)


def narrower_tags(tags: Iterable[str], tag: str) -> list[str]:
    """Return those of some tags that are in the range of a tag, and longer."""
    return [each for each in tags if each != tag and is_in_range(each, tag)]


def broader_tag(tags: Iterable[str], tag: str) -> str | None:
    """Return the primary subtag of a tag that is none of some tags, if it is one.

    Who reads traditional Chinese need not read the simplified one of `zh`.
    """
    primary = primary_subtag(tag)
    is_broader = primary in tags and tag not in tags
    has_same_script = has_phrases(tag) == has_phrases(primary)
    return primary if is_broader and has_same_script else None


def text_in(texts: Mapping[str, str], tag: str) -> str | None:
    """Return the text for a tag from texts by their tags; None if none is for it."""
    match = match_tag(texts, tag)
    return texts[match] if match else None
