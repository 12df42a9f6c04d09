"""All commands, and those for the database and samples."""

from __future__ import annotations

import errno
import os
import re
import socket

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from config import SETTINGS_VARIABLE, Config, SettingError
from feedsvc import __version__
from feedsvc.cli import samples
from feedsvc.cli.import_export import export, import_
from feedsvc.cli.output import help_epilog
from feedsvc.cli.tokens import token
from feedsvc.errors import FeedsvcError
from feedsvc.feeds.query import FORMATS
from feedsvc.models import KINDS, SCOPES
from feedsvc.services import Services, current_services
from feedsvc.storage.migrations.runner import upgrade as upgrade_database
from feedsvc.storage.tokens import create_token


class _ErrorHandlingGroup(AppGroup):
    """A group that prints the service's errors as one sentence.

    The exit status is 2 for an invalid setting, as for an invalid option, else 1.
    """

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SettingError as error:
            raise click.UsageError(str(error)) from None
        except FeedsvcError as error:
            raise click.ClickException(str(error)) from None
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", error)
            raise click.ClickException(f"Database: {reason}") from None


@click.group(
    cls=_ErrorHandlingGroup,
    epilog=help_epilog("demo", "token create an --scope news:write", "import --help"),
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


# Their modules cannot import `commands`, which imports them.
for _command in (token, export, import_):
    commands.add_command(_command)


def register_commands(app: Flask) -> None:
    """Add the commands to `flask --app wsgi`."""
    for command in commands.commands.values():
        app.cli.add_command(command)


@commands.group()
def db() -> None:
    """Migrate the database."""


@db.command(epilog=help_epilog("db upgrade"))
def upgrade() -> None:
    """Create the database, or migrate it to the newest schema."""
    upgrade_database(current_services().database)
    click.echo("The database has the newest schema.")


@commands.command(epilog=help_epilog("demo"))
@click.option(
    "--check-port", is_flag=True, help="First check that the service's port is free."
)
def demo(check_port: bool) -> None:
    """Load sample entries into an empty database, create a token, print the URLs."""
    services = current_services()
    if check_port:
        _check_port(services.config)
    upgrade_database(services.database)
    if not load_demo(services):
        click.echo(
            "\nThe database is not empty. For another token:\n\n"
            "    .venv/bin/feedsvc token create NAME\n"
        )
        _print_urls(services.config.public_url)


def load_demo(services: Services) -> bool:
    """Load samples into an empty database, create a token, and print it with the URLs.

    :returns: whether the database was empty.
    """
    if not samples.load_sample_data(services):
        return False
    new_token = create_token(services.database, "editor", SCOPES)
    click.echo(f"\nAn editor's token, shown once:\n\n    export TOKEN={new_token}\n")
    _print_urls(services.config.public_url)
    return True


def _print_urls(base_url: str) -> None:
    click.echo(f" directory  {base_url}/")
    for kind in KINDS:
        for name, format in FORMATS.items():
            if kind in format.kinds:
                click.echo(f"{kind:>10}  {base_url}/feeds/{kind}.{name}")
    click.echo(f"  category  {base_url}/feeds/news/giao-thong.rss")
    click.echo(f"   post to  {base_url}/api/v1/articles")


def _check_port(config: Config) -> None:
    """Check that gunicorn can listen.

    :raises FeedsvcError: the port is in use; the message names a free one.
    """
    # An address there precedes that of the settings.
    if re.search(r"(^|\s)(-b|--bind)", os.environ.get("GUNICORN_CMD_ARGS", "")):
        return
    if _is_port_free(config.host, config.port):
        return
    ports = range(config.port + 1, min(config.port + 100, 65536))
    other = next((port for port in ports if _is_port_free(config.host, port)), None)
    advice = f"Use another one: PORT={other} make run" if other else "Stop what uses it"
    raise FeedsvcError(f"Port {config.port} is in use. {advice}")


def _is_port_free(host: str, port: int) -> bool:
    try:
        # With SO_REUSEADDR, as gunicorn does, or a port that was just in use would not
        # be free.
        socket.create_server((host, port)).close()
    except OSError as error:
        # gunicorn tells of every other error.
        return error.errno != errno.EADDRINUSE
    return True
