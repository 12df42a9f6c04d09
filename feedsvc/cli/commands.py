"""All commands, and those for the database, the audit log, settings and samples."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from config import SETTINGS_VARIABLE, Config
from feedsvc import __version__
from feedsvc.cli import samples
from feedsvc.cli.import_export import export, import_
from feedsvc.cli.output import error_text, help_epilog, json_option, print_rows
from feedsvc.cli.sanitizing import sanitize
from feedsvc.cli.tokens import token
from feedsvc.cli.websub import deliver, subscriptions
from feedsvc.errors import (
    DatabaseMissing,
    FeedsvcError,
    SchemaOutdated,
    SchemaTooNew,
)
from feedsvc.formats import FORMATS
from feedsvc.models import SCOPES
from feedsvc.query import KINDS
from feedsvc.services import current_services, current_storage
from feedsvc.storage import backup as storage_backup

_CHECK_STATUS = {SchemaOutdated: 3, SchemaTooNew: 4, DatabaseMissing: 5}
"""Exit statuses of `db check`."""


class _ErrorHandlingGroup(AppGroup):
    """A group that prints the service's errors as one sentence."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except FeedsvcError as error:
            raise click.ClickException(error_text(error)) from None


@click.group(
    cls=_ErrorHandlingGroup,
    epilog=help_epilog(
        "init-demo", "token create an --scope news:write", "import --help"
    ),
)
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Read settings from this file, which the service reads too "
    f"(default: {SETTINGS_VARIABLE}). The environment precedes it.",
)
@click.version_option(__version__, prog_name="feedsvc")
def commands(settings_file: str | None) -> None:
    """Publish articles and events as feeds."""
    if settings_file:
        # Before the application is created, which reads its settings from there.
        os.environ[SETTINGS_VARIABLE] = settings_file


for _command in (token, export, import_, deliver, subscriptions):
    commands.add_command(_command)


def register_commands(app: Flask) -> None:
    """Add the commands to `flask --app wsgi`."""
    for command in commands.commands.values():
        app.cli.add_command(command)


@commands.group()
def db() -> None:
    """Migrate, check and sanitize the database."""


db.add_command(sanitize)


@db.command(epilog=help_epilog("db upgrade"))
def upgrade() -> None:
    """Create the database, or migrate it to the newest schema."""
    current_services().storage.upgrade()
    click.echo("The database has the newest schema.")


@db.command(epilog=help_epilog("db check"))
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check that the database is ready to serve, without changing it.

    The exit status is 0 if it is, 3 if it needs an upgrade, 4 if it is too new for
    this version, 5 if there is none, and 1 if it cannot be reached.
    """
    try:
        current_storage()
    except FeedsvcError as error:
        click.echo(f"Error: {error_text(error)}", err=True)
        ctx.exit(_CHECK_STATUS.get(type(error), 1))
    click.echo("The database is ready.")


# Without an application context: `restore` must not find an open database.


@commands.command(with_appcontext=False, epilog=help_epilog("backup copy.db"))
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the SQLite database, which can be in use, into a new file."""
    storage_backup.backup(Config.from_env().database_url, file)


@commands.command(with_appcontext=False, epilog=help_epilog("restore copy.db"))
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Create the SQLite database from a backup. It must not exist yet."""
    storage_backup.restore(Config.from_env().database_url, file)


@commands.command(
    epilog=help_epilog("log --since 2026-11-01", "log --token lan --json")
)
@click.option("--id", help="Only this entry or category.")
@click.option("--token", help="Only writes with this token.")
@click.option("--since", type=click.DateTime(), help="Only from this time on, in UTC.")
@json_option
def log(
    id: str | None, token: str | None, since: datetime | None, as_json: bool
) -> None:
    """Print every write, oldest first.

    The columns are sequence number, time in UTC, token, action, entry or category,
    and version.
    """
    names = ("seq", "time", "token", "action", "what", "version")
    start = since.replace(tzinfo=UTC) if since else None
    with current_storage().reader() as reader:
        records = reader.audit_log(id=id, token=token, since=start)
        rows = (
            (
                record.seq,
                record.time,
                record.token,
                record.action,
                f"{record.kind}/{record.id}",
                record.version,
            )
            for record in records
        )
        print_rows(names, rows, as_json=as_json)


@commands.command(epilog=help_epilog("settings", "settings --json"))
@json_option
def settings(as_json: bool) -> None:
    """Print every setting: its value, the source of the value, and its meaning."""
    rows = current_services().config.rows()
    if as_json:
        print_rows(("name", "value", "source", "help"), rows, as_json=True)
        return
    for row in rows:
        variable = click.style(row.variable, bold=True)
        click.echo(f"{variable}={row.value}\n    {row.help} [{row.source}]")


@commands.command("init-demo", epilog=help_epilog("init-demo"))
def init_demo() -> None:
    """Load sample entries into an empty database, create a token, print the URLs."""
    services = current_services()
    services.storage.upgrade()
    if samples.load_sample_data(services.storage, services.schemas):
        new_token = services.storage.tokens.create("editor", SCOPES)
        click.echo(
            f"\nAn editor's token, shown once:\n\n    export TOKEN={new_token}\n"
        )
    base_url = services.config.public_url
    click.echo(f" directory  {base_url}/")
    for kind in KINDS:
        for name, format in FORMATS.items():
            if kind in format.kinds:
                click.echo(f"{kind:>10}  {base_url}/feeds/{kind}.{name}")
    click.echo(f"  category  {base_url}/feeds/news/giao-thong.rss")
    click.echo(f"   post to  {base_url}/api/v1/articles")
