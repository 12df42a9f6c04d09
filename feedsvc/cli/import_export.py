"""The commands for coming over and going away: import and export."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import chain
from typing import IO

import click
from flask.cli import with_appcontext
from tqdm import tqdm

from feedsvc.cli.output import help_epilog
from feedsvc.cli.redirects import redirects
from feedsvc.query import KINDS
from feedsvc.services import current_services

_DUMP_PREFIX = b'{"feedsvc":'
_COUNTERS = ("new", "changed", "unchanged", "skipped", "not overwritten")


@click.command(
    epilog=help_epilog("export everything.ndjson", "export --redirects links.map")
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--redirects",
    "links",
    is_flag=True,
    help="A map for nginx from imported links to pages here.",
)
@with_appcontext
def export(file: str, links: bool) -> None:
    """Write all but tokens into a new file, or to standard output (-), as NDJSON."""
    store, site = current_services().storage, current_services().schemas["news"].site
    with _created(file) as output:
        if not links:
            output.writelines(store.dump())
            return
        with store.reader() as reader:
            output.write(redirects(reader.entries.imported_links(), site))


@contextmanager
def _created(file: str) -> Iterator[IO[str]]:
    """Open a new file that its owner alone can read, since it holds drafts; `-` is standard output.

    :raises click.FileError: the file is there already, or cannot be made.
    """
    if file == "-":
        output = TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        yield output
        output.detach()  # flushed, and not closed
        return
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise click.FileError(file, error.strerror) from None
    with open(descriptor, "w", encoding="utf-8") as created:
        yield created


@click.command(
    "import",
    epilog=help_epilog("import old-feed.xml", "import old-feed.xml --kind events"),
)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Of all in it; else events of calendars, else news.",
)
@with_appcontext
def import_(file: IO[bytes], kind: str | None) -> None:
    """Take over an export of this service into an empty database; or a feed, calendar, WordPress's export."""
    first, store, begun = file.readline(), current_services().storage, time.monotonic()
    if first.startswith(_DUMP_PREFIX):
        count = store.load_dump(
            tqdm(chain([first], file), unit=" rows", unit_scale=True, disable=None)
        )
        click.echo(
            f"{count} rows are imported, {count / (time.monotonic() - begun):.0f} a second."
        )
        return
    # The importers' libraries are an extra, which no other command needs.
    from feedsvc.importers.importer import Importer, detect_kind, read

    data = first + file.read()
    schema = current_services().schemas[kind or detect_kind(data)]
    found, intake = list(read(data, schema.site.timezone)), Importer(store, schema)
    with tqdm(total=len(found), unit=" entries", disable=None) as bar:
        for seen in intake.run(found):
            bar.update(seen)
    for remark in intake.warnings:
        click.echo(remark, err=True)
    click.echo(", ".join(f"{intake.counts[word]} {word}" for word in _COUNTERS))
