"""The commands `import` and `export`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import chain
from typing import IO

import click
from flask.cli import with_appcontext

from feedsvc.cli.output import help_epilog, printable, progress_bar, write_error
from feedsvc.importers.ndjson import export_lines, import_lines, is_export
from feedsvc.models import KINDS
from feedsvc.services import current_database, current_services

_COUNTERS = ("new", "changed", "unchanged", "skipped")


@click.command(epilog=help_epilog("export everything.ndjson"))
@click.argument("file", type=click.Path(allow_dash=True))
@with_appcontext
def export(file: str) -> None:
    """Write everything but tokens into a new file, as NDJSON.

    FILE can be - for standard output.
    """
    database = current_database()
    with _create_file(file) as output, database.read() as session:
        output.writelines(export_lines(session, current_services().schemas))


@contextmanager
def _create_file(file: str) -> Iterator[IO[str]]:
    """Create a file that only its owner can read; `-` is standard output.

    :raises click.ClickException: the file exists, or cannot be written.
    """
    if file == "-":
        output = TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        yield output
        output.detach()  # flush, but leave standard output open
        return
    try:
        # An export contains drafts.
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise click.FileError(file, error.strerror) from None
    try:
        with open(descriptor, "w", encoding="utf-8") as output:
            yield output
    except BaseException as error:
        # The beginning of an export would look like a whole one.
        os.unlink(file)
        if isinstance(error, OSError):
            raise write_error(file, error) from None
        raise


@click.command(
    "import",
    epilog=help_epilog("import old-feed.xml", "import old-feed.xml --kind events"),
)
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
    results = import_lines(current_database(), current_services().schemas, lines)
    count = skipped = 0
    with progress_bar(results) as counted_results:
        for result in counted_results:
            count += not result
            skipped += bool(result)
            if result:
                click.echo(printable(result), err=True)
    click.echo(f"{count} lines imported")
    if skipped:
        raise click.ClickException(f"{skipped} lines were skipped.")


def _import_feed(data: bytes, kind: str | None) -> None:
    # feedparser and icalendar take 0.3 s to import, and no other command needs them.
    from feedsvc.importers.importer import Importer, is_calendar, read

    database = current_database()
    kind = kind or ("events" if is_calendar(data) else "news")
    schema = current_services().schemas[kind]
    entries = list(read(data, schema.site.timezone))
    importer = Importer(database, schema)
    with progress_bar(length=len(entries)) as bar:
        for _ in importer.run(entries):
            bar.update(1)
    for warning in importer.warnings:
        # Strangers wrote the titles in it.
        click.echo(printable(warning), err=True)
    click.echo(", ".join(f"{importer.counts[name]} {name}" for name in _COUNTERS))
