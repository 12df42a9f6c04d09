"""The commands `import` and `export`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from itertools import chain
from typing import IO, Any

import click
from flask.cli import with_appcontext

from feedsvc.importers.ndjson import export_lines, import_lines, is_export
from feedsvc.models import KINDS
from feedsvc.services import current_database, current_services

_COUNTERS = ("new", "changed", "unchanged", "skipped")


@click.command()
@click.argument("file", type=click.File("x", "utf-8", lazy=True))
@with_appcontext
def export(file: IO[str]) -> None:
    """Write everything but tokens into a new file, as NDJSON.

    FILE can be - for standard output.
    """
    # Only its owner may read it, since an export contains drafts.
    previous = os.umask(0o077)
    try:
        with current_database().read() as session:
            lines = export_lines(session, current_services().entry_schemas)
            file.writelines(lines)
    finally:
        os.umask(previous)


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Kind of all entries (default: events for calendars, news for others).",
)
@with_appcontext
def import_(file: IO[bytes], kind: str | None) -> None:
    """Import RSS, Atom, a calendar, or an export of feedsvc.

    FILE can be - for standard input.
    """
    # Read as a stream: an export may be larger than memory, other files must not be.
    first_line = file.readline()
    if is_export(first_line):
        _import_export(chain([first_line], file))
    else:
        _import_feed(first_line + file.read(), kind)


def _import_export(lines: Iterable[bytes]) -> None:
    count = skipped = 0
    results = import_lines(current_database(), current_services().entry_schemas, lines)
    with _progress_bar(results) as bar:
        for warning in bar:
            if warning:
                skipped += 1
                _print_warning(warning)
            else:
                count += 1
    click.echo(f"{count} lines imported")
    if skipped:
        raise click.ClickException(f"{skipped} lines were skipped.")


def _import_feed(data: bytes, kind: str | None) -> None:
    # feedparser and icalendar take 0.3 s to import, and no other command needs them.
    from feedsvc.importers.importer import Importer, is_calendar, read

    database = current_database()
    kind = kind or ("events" if is_calendar(data) else "news")
    schema = current_services().entry_schemas[kind]
    entries = list(read(data, schema.site.timezone))
    importer = Importer(database, schema)
    with _progress_bar(importer.run(entries), len(entries)) as bar:
        for _ in bar:
            pass
    for warning in importer.warnings:
        _print_warning(warning)
    click.echo(", ".join(f"{importer.counts[name]} {name}" for name in _COUNTERS))


def _progress_bar(iterable: Iterable[Any], length: int | None = None) -> Any:
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


def _print_warning(text: str) -> None:
    click.echo(printable(text), err=True)
