"""The command `import`."""

from typing import IO

import click
from flask.cli import with_appcontext

from feedsvc.cli.output import printable, progress_bar
from feedsvc.models import KINDS

_COUNTERS = (
    "new",
    "changed",
    "unchanged",
    "skipped",
    "repaired",
    "left out",
)
#: Messages of one kind that are shown.
_SAME_MESSAGES = 3


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Kind of all entries (default: events for calendars, news for others).",
)
@with_appcontext
def import_(file: IO[bytes], kind: str | None) -> None:
    """Import RSS, Atom or a calendar.

    FILE can be - for standard input.
    """
    from feedsvc.extensions.importers.importer import Importer, is_calendar, read
    from feedsvc.services import checked_database, current_services

    data = file.read()
    database = checked_database()
    kind = kind or ("events" if is_calendar(data) else "news")
    schema = current_services().entry_schemas[kind]
    entries = list(read(data, schema.site.timezone))
    importer = Importer(database, schema)
    with progress_bar(importer.run(entries), len(entries)) as bar:
        for _ in bar:
            pass
    for lines in importer.messages.values():
        for line in lines[:_SAME_MESSAGES]:
            click.echo(printable(line), err=True)
        if len(lines) > _SAME_MESSAGES:
            more = len(lines) - _SAME_MESSAGES
            click.echo(f"… and {more} more", err=True)
    click.echo(", ".join(f"{importer.counts[name]} {name}" for name in _COUNTERS))
