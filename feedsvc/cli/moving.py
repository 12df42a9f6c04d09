"""The commands for coming over and going away: import and export."""

from __future__ import annotations

import time
from itertools import chain
from typing import IO

import click
from flask.cli import with_appcontext
from tqdm import tqdm

from feedsvc.cli.redirects import redirects
from feedsvc.cli.services import services
from feedsvc.cli.showing import examples
from feedsvc.coming.intake import Intake, kind_of, read
from feedsvc.query import KINDS

_OWN = b'{"feedsvc":'
_WORDS = ("new", "changed", "unchanged", "skipped")


@click.command(epilog=examples("export everything.ndjson", "export --redirects links.map"))
@click.argument("file", type=click.File("x", encoding="utf-8", lazy=True))
@click.option("--redirects", "links", is_flag=True, help="A map for nginx from imported links to pages here.")
@with_appcontext
def export(file: IO[str], links: bool) -> None:
    """Write all but tokens into a new file, or to standard output (-), as NDJSON."""
    store, site = services().store, services().schemas["news"].site
    if not links:
        file.writelines(store.export())
        return
    with store.read() as reader:
        file.write(redirects(reader.imported_links(), site))


@click.command("import", epilog=examples("import old-feed.xml", "import old-feed.xml --kind events"))
@click.argument("file", type=click.File("rb"))
@click.option("--kind", type=click.Choice(KINDS), help="Of all in it; else events of calendars, else news.")
@with_appcontext
def import_(file: IO[bytes], kind: str | None) -> None:
    """Take over an export of this service into an empty database; or a feed, calendar, WordPress's export."""
    first, store, begun = file.readline(), services().store, time.monotonic()
    if first.startswith(_OWN):
        count = store.load(tqdm(chain([first], file), unit=" rows", unit_scale=True, disable=None))
        click.echo(f"{count} rows are imported, {count / (time.monotonic() - begun):.0f} a second.")
        return
    data = first + file.read()
    found, intake = list(read(data)), Intake(store, services().schemas[kind or kind_of(data)])
    with tqdm(total=len(found), unit=" entries", disable=None) as bar:
        for seen in intake.take(found):
            bar.update(seen)
    for remark in intake.remarks:
        click.echo(remark, err=True)
    click.echo(", ".join(f"{intake.counts[word]} {word}" for word in _WORDS))
