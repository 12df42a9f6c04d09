"""The commands `import` and `export`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import chain
from typing import IO

import click
from flask.cli import with_appcontext

from feedsvc.cli.output import help_epilog, printable, progress_bar, write_error
from feedsvc.errors import FeedsvcError
from feedsvc.feed_query import KINDS
from feedsvc.services import current_services, current_storage

_DUMP_PREFIX = b'{"feedsvc":'
_COUNTERS = ("new", "changed", "unchanged", "skipped")


@click.command(epilog=help_epilog("export everything.ndjson"))
@click.argument("file", type=click.Path(allow_dash=True))
@with_appcontext
def export(file: str) -> None:
    """Write everything but tokens into a new file, as NDJSON.

    FILE can be - for standard output.
    """
    with _create_file(file) as output:
        output.writelines(current_storage().dump())


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
@click.option(
    "--trusted", is_flag=True, help="Load an export of feedsvc without checks."
)
@with_appcontext
def import_(file: IO[bytes], kind: str | None, trusted: bool) -> None:
    """Import RSS, Atom, a calendar, or an export of feedsvc.

    An export of feedsvc needs an empty database, and --trusted. FILE can be - for
    standard input.
    """
    # Read as a stream: an export may be larger than memory, other files must not be.
    first_line = file.readline()
    if first_line.startswith(_DUMP_PREFIX):
        # The site of a feed could send one, with scripts that no one sanitizes.
        if not trusted:
            raise FeedsvcError(
                "This is an export of feedsvc, which is not checked. "
                "If it is yours, add --trusted."
            )
        _import_dump(chain([first_line], file))
    else:
        _import_feed(first_line + file.read(), kind)


def _import_dump(lines: Iterable[bytes]) -> None:
    started_at = time.monotonic()
    with progress_bar(lines) as counted_lines:
        count = current_storage().load_dump(counted_lines)
    rate = count / (time.monotonic() - started_at)
    click.echo(f"{count} rows imported, {rate:.0f} a second.")


def _import_feed(data: bytes, kind: str | None) -> None:
    # Optional dependencies, and slow to import.
    try:
        from feedsvc.importers.importer import Importer, is_calendar, read
    except ModuleNotFoundError as error:
        raise FeedsvcError(
            f"`import` needs {error.name}: run `pip install feedsvc[importers]`."
        ) from None

    storage = current_storage()
    kind = kind or ("events" if is_calendar(data) else "news")
    schema = current_services().schemas[kind]
    entries = list(read(data, schema.site.timezone))
    importer = Importer(storage, schema)
    with progress_bar(length=len(entries)) as bar:
        for _ in importer.run(entries):
            bar.update(1)
    for warning in importer.warnings:
        # Strangers wrote the titles in it.
        click.echo(printable(warning), err=True)
    click.echo(", ".join(f"{importer.counts[name]} {name}" for name in _COUNTERS))
