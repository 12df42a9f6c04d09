"""The commands: the database, the log, settings, and what `make run` says; the others stand beside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from config import Config
from feedsvc.cli import samples
from feedsvc.cli.import_export import export, import_
from feedsvc.cli.output import help_epilog, json_option, print_rows
from feedsvc.cli.sanitizing import sanitize
from feedsvc.cli.tokens import token
from feedsvc.cli.websub import deliver, subscriptions
from feedsvc.errors import FeedsvcError
from feedsvc.models import SCOPES
from feedsvc.services import current_services
from feedsvc.storage import backup as backups


class _ErrorHandlingGroup(AppGroup):
    """Says what went wrong in one sentence."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except FeedsvcError as error:
            raise click.ClickException(str(error)) from None


@click.group(
    cls=_ErrorHandlingGroup,
    epilog=help_epilog(
        "welcome", "token create an --scope news:write", "import --help"
    ),
)
def commands() -> None:
    """Publishes a portal's news and events as feeds."""


for _command in (token, export, import_, deliver, subscriptions):
    commands.add_command(_command)


def register_commands(app: Flask) -> None:
    """Make the commands those of `flask --app wsgi`, too."""
    for command in commands.commands.values():
        app.cli.add_command(command)


@commands.group()
def db() -> None:
    """Look after the database."""


db.add_command(sanitize)


@db.command(epilog=help_epilog("db upgrade"))
def upgrade() -> None:
    """Bring the database to the newest schema."""
    current_services().storage.upgrade()
    click.echo("The database has the newest schema.")


@db.command(epilog=help_epilog("db check"))
def check() -> None:
    """Exit with 0 where the database is ready to serve."""
    if not current_services().storage.is_ready():
        raise click.ClickException(
            "The database's schema is not the one of this version."
        )
    click.echo("The database is ready.")


# These two work without the application, which would make or change the database at its start.


@commands.command(with_appcontext=False, epilog=help_epilog("backup copy.db"))
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database, which may be in use, into a new file."""
    backups.backup(Config.from_env().database_url, file)


@commands.command(with_appcontext=False, epilog=help_epilog("restore copy.db"))
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Make the database from a backup, where there is none."""
    backups.restore(Config.from_env().database_url, file)


@commands.command(
    epilog=help_epilog("log --since 2026-11-01", "log --token lan --json")
)
@click.option("--id", help="Of this entry or category alone.")
@click.option("--token", help="In the name of this token alone.")
@click.option("--since", type=click.DateTime(), help="From this time on, in UTC.")
@json_option
def log(
    id: str | None, token: str | None, since: datetime | None, as_json: bool
) -> None:
    """Print every write, oldest first: step, time in UTC, token, action, what, version."""
    names = ("seq", "time", "token", "action", "what", "version")
    with current_services().storage.reader() as reader:
        found = reader.audit_log(
            id=id, token=token, since=since and since.replace(tzinfo=UTC)
        )
        rows = (
            (
                one.seq,
                one.time,
                one.token,
                one.action,
                f"{one.kind}/{one.id}",
                one.version,
            )
            for one in found
        )
        print_rows(names, rows, as_json=as_json)


@commands.command(epilog=help_epilog("settings", "settings --json"))
@json_option
def settings(as_json: bool) -> None:
    """Print every setting: its value, where that came from, and what it is for."""
    rows = current_services().config.table()
    if as_json:
        print_rows(("name", "value", "source", "help"), rows, as_json=True)
        return
    for variable, value, source, help in rows:
        click.echo(f"{click.style(variable, bold=True)}={value}\n    {help} [{source}]")


@commands.command(epilog=help_epilog("welcome"))
def welcome() -> None:
    """Load sample entries into an empty database, with a token; print where everything is."""
    found = current_services()
    if samples.load_sample_data(found.storage, found.schemas):
        new = found.storage.tokens.create("editor", SCOPES)
        click.echo(f"\nAn editor's token, shown this once:\n\n    export TOKEN={new}\n")
    base = found.config.public_url
    for what, path in (
        ("directory", "/"),
        ("news", "/feeds/news.rss"),
        ("", "/feeds/news.atom"),
        ("", "/feeds/news.json"),
        ("", "/feeds/news.html"),
        ("events", "/feeds/events.rss"),
        ("", "/feeds/events.atom"),
        ("", "/feeds/events.html"),
        ("a calendar", "/feeds/events.ics"),
        ("a category", "/feeds/news/giao-thong.rss"),
        ("post to", "/api/v1/articles"),
    ):
        click.echo(f"{what:>12}  {base}{path}")
