"""The commands for coming over and going away: import and export."""

from __future__ import annotations

import time
from typing import IO

import click
from flask.cli import with_appcontext
from tqdm import tqdm

from feedsvc.cli.services import services


@click.command()
@click.argument("file", type=click.File("x", encoding="utf-8", lazy=True))
@with_appcontext
def export(file: IO[str]) -> None:
    """Write all but tokens into a new file, or to standard output (-), as NDJSON."""
    file.writelines(services().store.export())


@click.command("import")
@click.argument("file", type=click.File("rb"))
@with_appcontext
def import_(file: IO[bytes]) -> None:
    """Take over an export of this service into an empty database."""
    begun = time.monotonic()
    count = services().store.load(tqdm(file, unit=" rows", unit_scale=True, disable=None))
    click.echo(f"{count} rows are imported, {count / (time.monotonic() - begun):.0f} a second.")
