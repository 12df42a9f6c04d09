"""The phrases of each language, and Babel's names and locales of languages."""

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

from babel import Locale, UnknownLocaleError

from feedsvc.text.languages import resolve_language


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
