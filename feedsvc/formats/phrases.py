"""The service's own words: `vi.toml` and `en.toml` beside this file have each phrase in a language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files

from babel.numbers import format_decimal
from babel.units import format_unit

from feedsvc.query import UI_LANGUAGES, primary_subtag

_PHRASES: dict[str, dict[str, dict[str, str]]] = {
    language: tomllib.loads(
        files(__package__).joinpath(f"{language}.toml").read_text("utf-8")
    )
    for language in UI_LANGUAGES
}
_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte")


def is_supported(language: str) -> bool:
    """Whether there are words in the language of a tag."""
    return primary_subtag(language) in _PHRASES


def resolve_locale(language: str) -> str:
    """The language of the words for a language tag: English where there are none in it."""
    return primary_subtag(language) if is_supported(language) else "en"


def translate(language: str, name: str, *parts: str) -> str:
    """What feeds say; parts fill its gaps."""
    said = _PHRASES[resolve_locale(language)]["feeds"][name]
    return said.format(*parts) if parts else said


def page_strings(language: str) -> Mapping[str, str]:
    """What pages say."""
    return _PHRASES[resolve_locale(language)]["pages"]


def format_count(count: int, language: str, *, has_more: bool = False) -> str:
    """Return a number in a language, such as 1,000, or 1,000+ where there are more."""
    digits: str = format_decimal(count, locale=resolve_locale(language))
    return f"{digits}+" if has_more else digits


def format_size(length: int, language: str) -> str:
    """A number of bytes in words, such as 1.2 MB."""
    power = min((len(str(length)) - 1) // 3, len(_UNITS) - 1)
    return format_unit(
        round(length / 1000**power, 1),
        _UNITS[power],
        "short",
        locale=resolve_locale(language),
    )
