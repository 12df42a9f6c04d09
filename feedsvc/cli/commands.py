"""The commands: the database, the log, settings, and what `make run` says; the others stand beside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext

from config import Config
from feedsvc.cli import samples
from feedsvc.cli.moving import export, import_
from feedsvc.cli.services import EXTENSION, Services, services
from feedsvc.cli.tokens import token
from feedsvc.errors import FeedsvcError
from feedsvc.ingest.schemas import EntrySchema
from feedsvc.model import SCOPES
from feedsvc.store import Store
from feedsvc.store import backup as backups


class _Commands(click.Group):
    """Says what went wrong in one sentence."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except FeedsvcError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands)
def commands() -> None:
    """Publishes a portal's news and events as feeds."""


for _command in (token, export, import_):
    commands.add_command(_command)


def register_commands(app: Flask, config: Config, store: Store, schemas: dict[str, EntrySchema]) -> None:
    """Give the commands to `flask --app wsgi`, and to them what they work with."""
    app.extensions[EXTENSION] = Services(config, store, schemas)
    for command in commands.commands.values():
        app.cli.add_command(command)


@commands.group()
def db() -> None:
    """Look after the database."""


@db.command()
@with_appcontext
def upgrade() -> None:
    """Bring the database to the newest schema."""
    services().store.upgrade()
    click.echo("The database has the newest schema.")


@db.command()
@with_appcontext
def check() -> None:
    """Exit with 0 where the database is ready to serve."""
    if not services().store.is_ready():
        raise click.ClickException("The database's schema is not the one of this version.")
    click.echo("The database is ready.")


# These two work without the application, which would make or change the database at its start.


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database, which may be in use, into a new file."""
    backups.backup(Config.from_env().database_url, file)


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Make the database from a backup, where there is none."""
    backups.restore(Config.from_env().database_url, file)


@commands.command()
@click.option("--id", help="Of this entry or category alone.")
@click.option("--token", help="In the name of this token alone.")
@click.option("--since", type=click.DateTime(), help="From this time on, in UTC.")
@with_appcontext
def log(id: str | None, token: str | None, since: datetime | None) -> None:
    """Print every write, oldest first: step, time, token, action, what, version."""
    with services().store.read() as reader:
        for line in reader.log(id=id, token=token, since=since and since.replace(tzinfo=UTC)):
            when = line.time.strftime("%Y-%m-%dT%H:%M:%SZ")
            click.echo(
                f"{line.seq}\t{when}\t{line.token}\t{line.action}\t{line.kind}/{line.id}\t{line.version}"
            )


@commands.command()
@with_appcontext
def settings() -> None:
    """Print every setting: its value, where that came from, and what it is for."""
    for variable, value, source, help in services().config.table():
        click.echo(f"{variable}={value}\n    {help} [{source}]")


@commands.command()
@with_appcontext
def welcome() -> None:
    """Load sample entries into an empty database, with a token; print where everything is."""
    found = services()
    if samples.load(found.store, found.schemas):
        new = found.store.tokens.create("editor", SCOPES)
        click.echo(f"\nAn editor's token, shown this once:\n\n    export TOKEN={new}\n")
    base = found.config.public_url
    for what, path in (
        ("directory", "/"),
        ("news", "/feeds/news.rss"),
        ("", "/feeds/news.atom"),
        ("events", "/feeds/events.rss"),
        ("", "/feeds/events.atom"),
        ("a category", "/feeds/news/giao-thong.rss"),
        ("post to", "/api/v1/articles"),
    ):
        click.echo(f"{what:>12}  {base}{path}")
