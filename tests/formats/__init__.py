"""Tests of the formats."""

from importlib import import_module
from typing import Any


def format_tests(format: str) -> Any:
    """Return the module of a format's tests, `test_<suffix>.py` beside this file.

    Its `read_entries` is an independent parser: it returns the number of a document's
    entries, and all HTML that they show. Its `HIDDEN` names the members that the
    format does not show, and `search` if it has no title to say what a feed searches
    for.
    """
    return import_module(f"{__name__}.test_{format}")
