"""How commands show what they find, and what their help shows of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="As JSON, an object a line."
)


def help_epilog(*lines: str) -> str:
    """The end of a command's help; a test runs every line."""
    return "\b\nExamples:\n" + "\n".join(
        f"  python -m feedsvc {line}" for line in lines
    )


def print_rows(
    names: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool
) -> None:
    """Rows as JSON lines; else as a table on a terminal, and with tabs between the cells elsewhere."""
    if as_json:
        for row in rows:
            click.echo(
                json.dumps(
                    dict(zip(names, row, strict=True)),
                    ensure_ascii=False,
                    default=_format_cell,
                )
            )
        return
    lines = ([_format_cell(cell) for cell in row] for row in rows)
    if not sys.stdout.isatty():
        for line in lines:
            click.echo("\t".join(line))
        return
    table = [[name.replace("_", " ") for name in names], *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, line in enumerate(table):
        text = "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        click.echo(click.style(text, bold=True) if not number else text)


def _format_cell(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        " ".join(cell) if isinstance(cell, list) else "–" if cell is None else str(cell)
    )
