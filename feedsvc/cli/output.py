"""What commands print."""

import sys
from collections.abc import Iterable
from typing import Any

import click


def progress_bar(iterable: Iterable[Any] | None, length: int) -> Any:
    """Return a progress bar of click, hidden where nobody looks."""
    # Not on standard output, which may be redirected to a file.
    is_hidden = not sys.stderr.isatty()
    return click.progressbar(
        iterable, length, show_pos=True, file=sys.stderr, hidden=is_hidden
    )


def printable(text: str) -> str:
    """Return a text without characters that control a terminal.

    Messages quote files, which strangers wrote.
    """
    return "".join(filter(str.isprintable, text))
