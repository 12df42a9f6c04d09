"""The command `readers`: tell by access logs who polls the feeds.

It needs neither the database nor the application, and stores nothing. The package
`access_log` reads the lines and makes the report.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click

from feedsvc.cli.access_log.render import is_number, render_html, summary, tables
from feedsvc.cli.access_log.report import EXPECTED, Report, make_report
from feedsvc.cli.access_log.statistics import Statistics
from feedsvc.cli.output import (
    help_epilog,
    json_option,
    print_table,
    progress_bar,
    write_error,
)


def _read_file(path: Path | None, statistics: Statistics, bar: Any) -> None:
    """Read a log, which may be compressed; None is standard input.

    :raises ClickException: it cannot be read.
    """
    name = path or "standard input"
    try:
        with path.open("rb") if path else sys.stdin.buffer as raw:
            file: Any = raw
            # Rotated logs are often compressed, also where they come by a pipe.
            if file.peek(2)[:2] == b"\x1f\x8b":
                file = gzip.GzipFile(fileobj=raw)
            position = 0
            # nginx logs the bytes of a path, which may be in any encoding.
            lines = (line.decode("utf-8", "replace") for line in file)
            while chunk := list(islice(lines, 10_000)):
                statistics.read(chunk)
                if path:
                    bar.update(raw.tell() - position)
                    position = raw.tell()
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"{name} cannot be read: {reason}.") from None


def _paths(
    ctx: click.Context, parameter: click.Parameter, names: Iterable[str]
) -> list[Path | None]:
    return [None if name == "-" else Path(name) for name in names] or [None]


@click.command(
    epilog=help_epilog(
        "readers /var/log/nginx/access.log", "readers access.log --html readers.html"
    )
)
@click.argument("files", nargs=-1, metavar="[FILE]...", callback=_paths)
@click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a page with plots to this file.",
)
@json_option
def readers(files: list[Path | None], html_file: Path | None, as_json: bool) -> None:
    """Tell who reads the feeds, by access logs.

    FILE is a log of this service, or of nginx with deploy/nginx.conf; it may be
    compressed by gzip. Without one, standard input is read. Give nginx's log if there
    is one: the service itself sees only what nginx has not cached.
    """
    statistics = Statistics()
    # A file that is missing is reported when its turn comes.
    size = sum(path.stat().st_size for path in files if path and path.exists())
    with progress_bar(length=size) as bar:
        for path in files:
            _read_file(path, statistics, bar)
    if not statistics.days:
        # Only lines with the URL of a feed are examined.
        number = statistics.unrecognised
        share = f", {number} of them not recognised" if number else ""
        raise click.ClickException(
            f"No poll of a feed in {statistics.lines} lines{share}. {EXPECTED}"
        )
    report = make_report(statistics)
    if html_file:
        _write_page(report, html_file)
    if as_json:
        click.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        _print(report)


def _write_page(report: Report, path: Path) -> None:
    try:
        path.write_text(render_html(report), "utf-8")
    except OSError as error:
        raise write_error(path, error) from None


def _print(report: Report) -> None:
    click.echo(summary(report))
    for title, (headings, rows) in tables(report).items():
        if rows:
            click.echo(f"\n{title}")
            # So that their digits are below each other.
            numbers = {
                column for column, cell in enumerate(rows[-1]) if is_number(cell)
            }
            print_table(headings, rows, align_right=numbers)
    for note in report.notes:
        click.echo(f"\n{note}")
