"""Output and help of all commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a line."
)


def help_epilog(*examples: str) -> str:
    """Return the end of a command's help. A test runs every example."""
    lines = "\n".join(f"  .venv/bin/feedsvc {example}" for example in examples)
    return f"\b\nExamples:\n{lines}"


def printable(text: str) -> str:
    """Return a stranger's text without the characters that control a terminal."""
    return "".join(filter(str.isprintable, text))


def write_error(file: object, error: OSError) -> click.ClickException:
    """Return the exception for a file that cannot be written."""
    return click.ClickException(f"{file} cannot be written: {error.strerror}.")


def print_rows(
    names: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool
) -> None:
    """Print rows as JSON lines, or as a table with a bold heading.

    Outside a terminal, cells are separated by tabs, without a heading.
    """
    if as_json:
        for row in rows:
            document = dict(zip(names, row, strict=True))
            click.echo(json.dumps(document, ensure_ascii=False, default=_format_cell))
        return
    lines = ([_format_cell(cell) for cell in row] for row in rows)
    # For cut and awk, which a heading and padding would disturb.
    if not sys.stdout.isatty():
        for line in lines:
            click.echo("\t".join(line))
        return
    table = [[name.replace("_", " ") for name in names], *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, row in enumerate(table):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.secho("  ".join(cells).rstrip(), bold=number == 0 or None)


def progress_bar(
    iterable: Iterable[Any] | None = None, length: int | None = None
) -> Any:
    """Return a progress bar on standard error, hidden outside a terminal.

    Iterating over it yields the items of `iterable`. Without one it has a length, and
    `update` advances it.
    """
    # Standard output is for the result, which may be redirected.
    return click.progressbar(
        iterable,
        length,
        show_pos=True,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    )


def _format_cell(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(cell, list):
        return " ".join(cell)
    return "–" if cell is None else str(cell)
