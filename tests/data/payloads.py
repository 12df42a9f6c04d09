"""Hundreds of XSS payloads, each of which sets `window.pwned` where it runs."""

from typing import Any

from tests.data import read

_FAMILIES: dict[str, list[Any]] = read("payloads")


def _read(family: str) -> list[str]:
    """Return the payloads of a family.

    One that repeats a text is stored as what is before it, the text, how often, and what
    is behind it.
    """
    return [
        item if isinstance(item, str) else item[0] + item[1] * item[2] + item[3]
        for item in _FAMILIES[family]
    ]


COMPOSING = _read("composing")
"""Markup that gains an attribute where somebody normalises it after it was sanitised."""


def payloads() -> list[str]:
    """Return all of them, without doubles, in one order."""
    return [payload for family in _FAMILIES for payload in _read(family)]
