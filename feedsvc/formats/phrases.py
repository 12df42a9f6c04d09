"""The phrases of each language, and Babel's names and locales of languages."""

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from feedsvc.languages import has_phrases, resolve_language


def get_phrases(language: str) -> Mapping[str, str]:
    """Return all phrases by key, such as `feed.news`, in the language of a tag."""
    return _phrases_of(resolve_language(language))


# The cache has an entry for each file and not for each tag, of which there may be any
# number.
@cache
def _phrases_of(language: str) -> Mapping[str, str]:
    file = files(__package__).joinpath(f"{language}.toml")
    return {
        f"{section}.{name}": phrase
        for section, table in tomllib.loads(file.read_text("utf-8")).items()
        for name, phrase in table.items()
    }


def translate(language: str, key: str, *arguments: str) -> str:
    """Return a phrase, its placeholders replaced by the arguments."""
    phrase = get_phrases(language)[key]
    return phrase.format(*arguments) if arguments else phrase


def raise_first(text: str) -> str:
    """Return a text with a capital first letter, as at the start of a sentence."""
    return text[:1].upper() + text[1:]


def is_right_to_left(tag: str) -> bool:
    """Tell if a language is written from right to left."""
    return resolve_locale(tag).text_direction == "rtl"


@lru_cache
def resolve_locale(language: str) -> Locale:
    """Return Babel's locale for a tag; English if there is none."""
    # Babel knows the names of more languages than it has formats for.
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def language_name(tag: str) -> str:
    """Return the name of a language in itself, such as English; or its tag."""
    if tag.lower().endswith("-simple") and has_phrases(tag):
        return translate(tag, "page.easy_language")
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return tag
    # Many languages write their own name with a small letter, such as français.
    return raise_first(locale.get_display_name() or tag)


def likely_locale(tag: str) -> str:
    """Return the language and region of a tag, such as vi_VN of vi."""
    locale = resolve_locale(tag)
    likely = get_global("likely_subtags")
    subtags = likely.get(str(locale)) or likely[locale.language]
    return f"{locale.language}_{locale.territory or subtags.split('_')[-1]}"
