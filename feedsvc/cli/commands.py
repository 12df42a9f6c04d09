"""The commands: the database, tokens, settings, and what `make run` says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from config import Config
from feedsvc.cli import samples
from feedsvc.errors import FeedsvcError
from feedsvc.ingest.schemas import EntrySchema
from feedsvc.model import SCOPES, utcnow
from feedsvc.store import Store
from feedsvc.store import backup as backups

_EXTENSION = "feedsvc"


@dataclass(frozen=True)
class Services:
    """What create_app hands to the commands."""

    config: Config
    store: Store
    schemas: dict[str, EntrySchema]


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


def register_commands(app: Flask, config: Config, store: Store, schemas: dict[str, EntrySchema]) -> None:
    """Give the commands to `flask --app wsgi`, and to them what they work with."""
    app.extensions[_EXTENSION] = Services(config, store, schemas)
    for command in commands.commands.values():
        app.cli.add_command(command)


def services_of(app: Flask) -> Services:
    """What create_app has handed to the commands."""
    services: Services = app.extensions[_EXTENSION]
    return services


def _services() -> Services:
    return services_of(current_app)


@commands.group()
def db() -> None:
    """Look after the database."""


@db.command()
@with_appcontext
def upgrade() -> None:
    """Bring the database to the newest schema."""
    _services().store.upgrade()
    click.echo("The database has the newest schema.")


@db.command()
@with_appcontext
def check() -> None:
    """Exit with 0 where the database is ready to serve."""
    if not _services().store.is_ready():
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


@commands.group()
def token() -> None:
    """Make, list, rotate and revoke the tokens with which editors post."""


def _span(value: str) -> timedelta:
    """A span of time: `30d` or `12h`."""
    found = re.fullmatch(r"([0-9]{1,4})([dh])", value)
    if not found:
        raise click.BadParameter("must be a number of days or hours such as 30d or 12h.")
    return timedelta(**{{"d": "days", "h": "hours"}[found[2]]: int(found[1])})


def _moment(value: str) -> datetime:
    """A moment to come: the start of a day in UTC, or how long it is until then."""
    try:
        moment = datetime.combine(date.fromisoformat(value), time(), UTC)
    except ValueError:
        moment = utcnow() + _span(value)
    if moment <= utcnow():
        raise click.BadParameter("must lie ahead.")
    return moment


_expires = click.option("--expires", type=_moment, metavar="DATE|30d", help="When it ends; else it does not.")


@token.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="Repeat it.")
@_expires
@with_appcontext
def create(name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Make a token and print it, alone; it is never shown again."""
    click.echo(_services().store.tokens.create(name, scopes, expires))


@token.command()
@click.argument("name")
@click.option("--grace", type=_span, default="1d", show_default=True, help="How long the old one works on.")
@_expires
@with_appcontext
def rotate(name: str, grace: timedelta, expires: datetime | None) -> None:
    """Make a new token in place of one and print it, alone; the old one works on for a time."""
    click.echo(_services().store.tokens.rotate(name, grace, expires))


@token.command("list")
@with_appcontext
def list_tokens() -> None:
    """List every token: its name, scopes and times, never the token."""
    for found in _services().store.tokens.all():
        times = [f"created {found.created:%Y-%m-%d}"]
        times += [f"last used {found.last_used:%Y-%m-%d %H:%M}"] if found.last_used else ["never used"]
        for word, moment in (
            ("expires", found.expires),
            ("the one before works until", found.former_until),
            ("revoked", found.revoked),
        ):
            times += [f"{word} {moment:%Y-%m-%d %H:%M}"] if moment else []
        click.echo(f"{found.name}\t{' '.join(sorted(found.scopes))}\t{', '.join(times)} UTC")


@token.command()
@click.argument("name")
@with_appcontext
def revoke(name: str) -> None:
    """End a token at once, for good."""
    _services().store.tokens.revoke(name)


@commands.command()
@click.option("--id", help="Of this entry or category alone.")
@click.option("--token", help="In the name of this token alone.")
@click.option("--since", type=click.DateTime(), help="From this time on, in UTC.")
@with_appcontext
def log(id: str | None, token: str | None, since: datetime | None) -> None:
    """Print every write, oldest first: step, time, token, action, what, version."""
    with services_of(current_app).store.read() as reader:
        for line in reader.log(id=id, token=token, since=since and since.replace(tzinfo=UTC)):
            when = line.time.strftime("%Y-%m-%dT%H:%M:%SZ")
            click.echo(
                f"{line.seq}\t{when}\t{line.token}\t{line.action}\t{line.kind}/{line.id}\t{line.version}"
            )


@commands.command()
@with_appcontext
def settings() -> None:
    """Print every setting: its value, where that came from, and what it is for."""
    for variable, value, source, help in _services().config.table():
        click.echo(f"{variable}={value}\n    {help} [{source}]")


@commands.command()
@with_appcontext
def welcome() -> None:
    """Load sample entries into an empty database, with a token; print where everything is."""
    services = _services()
    if samples.load(services.store, services.schemas):
        new = services.store.tokens.create("editor", SCOPES)
        click.echo(f"\nAn editor's token, shown this once:\n\n    export TOKEN={new}\n")
    base = services.config.public_url
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
