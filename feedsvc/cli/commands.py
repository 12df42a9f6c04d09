"""The commands.

Each imports what it needs when it runs, so that help and completion are quick.
"""

import os
import socket
import sys
from typing import TYPE_CHECKING

import click
from flask import Flask
from flask.cli import AppGroup

from feedsvc import __version__
from feedsvc.cli.output import printable
from feedsvc.errors import FeedsvcError
from feedsvc.extension import extensions
from feedsvc.models import ENTRY_SCOPES, SCOPES

if TYPE_CHECKING:
    from feedsvc.storage.tables import TokenRow

#: The key of `Context.meta` with a function that `serve` calls before it serves, to
#: which it passes the context. An option of an extension sets it.
BEFORE_SERVING = "feedsvc.before_serving"


class _ErrorHandlingGroup(AppGroup):
    """A group that prints the service's errors as one sentence.

    The exit status is 2 for an invalid setting, as for an invalid option, else 1.
    """

    def invoke(self, ctx: click.Context) -> object:
        from sqlalchemy.exc import SQLAlchemyError

        from feedsvc.config import SettingError

        try:
            return super().invoke(ctx)
        except SettingError as error:
            raise click.UsageError(str(error)) from None
        except (FeedsvcError, OSError) as error:
            raise click.ClickException(printable(str(error))) from None
        except SQLAlchemyError as error:
            # PostgreSQL's errors go on with hints in further lines.
            reason = str(getattr(error, "orig", error)).partition("\n")[0]
            raise click.ClickException(f"Database: {reason}") from None


@click.group(cls=_ErrorHandlingGroup)
@click.version_option(__version__, prog_name="feedsvc")
def commands() -> None:
    """Publish articles and events as feeds."""


def register_commands(app: Flask) -> None:
    """Add the commands to `flask --app wsgi`."""
    for command in commands.commands.values():
        app.cli.add_command(command)


@commands.group()
def db() -> None:
    """Migrate the database, fill it from another one, or mark it as restored."""


@db.command()
def upgrade() -> None:
    """Create the database, or migrate it to the newest schema."""
    from feedsvc.services import current_services
    from feedsvc.storage.migrations.runner import upgrade as upgrade_database

    schema = upgrade_database(current_services().database)
    click.echo(f"The database has schema {schema}, which this version can use.")


@db.command()
def restored() -> None:
    """Let those who follow the changes begin again, after a restore of a backup."""
    from feedsvc.cli.restore import renew_revisions
    from feedsvc.services import checked_database

    with checked_database().write() as transaction:
        floor = renew_revisions(transaction)
    click.echo(
        f"Cursors of /api/v1/changes from before {floor:%F %T} UTC are 410 from now "
        "on. If that is not the time now, set the clock and run this again."
    )


@commands.command()
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Migrate the database, and start gunicorn."""
    from feedsvc.services import current_services
    from feedsvc.storage.migrations.runner import upgrade as upgrade_database

    services = current_services()
    config = services.config
    # With one of these variables gunicorn may listen elsewhere.
    if not os.environ.keys() & {"GUNICORN_CMD_ARGS", "LISTEN_FDS"}:
        _check_address(config.host, config.port)
    upgrade_database(services.database)
    if prepare := ctx.meta.get(BEFORE_SERVING):
        prepare(ctx)
    elif not os.environ.keys() & {"FEEDSVC_SITE_TITLE", "FEEDSVC_SITE_TITLE_FILE"}:
        click.echo(
            "Warning: FEEDSVC_SITE_TITLE is not set: this portal is published as "
            f"“{config.site.title}”.",
            err=True,
        )
    os.environ.update(
        HOST=config.host,
        PORT=str(config.port),
        FEEDSVC_LOG_FORMAT=config.log_format,
    )
    # Otherwise glibc keeps free memory for each thread, which others cannot use.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    # gunicorn replaces this process, since its first process must not have imported the
    # code that a reload loads.
    options = ["-c", "python:feedsvc.gunicorn_conf"]
    arguments = [sys.executable, "-m", "gunicorn", *options]
    os.execv(sys.executable, arguments)  # noqa: S606


def _check_address(host: str, port: int) -> None:
    """Refuse an address that is in use.

    gunicorn would try it five times, and would not name PORT.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), port), family=family).close()
    except OSError as error:
        reason = f"{error.strerror}. Set another PORT (or HOST)."
        raise click.ClickException(reason) from None


@commands.group()
def token() -> None:
    """Create, list and revoke the editors' tokens."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="Permission; can be repeated (default: all).",
)
@click.option(
    "--category",
    "categories",
    metavar="SLUG",
    multiple=True,
    help="Write only entries in and below this category; can be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    help="It expires after so many days (default: never).",
)
def create(
    name: str,
    scopes: tuple[str, ...],
    categories: tuple[str, ...],
    days: int | None,
) -> None:
    """Create a token and print it. It is never shown again."""
    from feedsvc.services import checked_database
    from feedsvc.storage.tokens import create_token

    if categories and "categories:write" in scopes:
        raise click.UsageError("--category excludes --scope categories:write.")
    scopes = scopes or (ENTRY_SCOPES if categories else SCOPES)
    # Nothing but the token, so that a script can read it.
    click.echo(create_token(checked_database(), name, scopes, categories, days))


@token.command("list")
def list_tokens() -> None:
    """List the tokens: name, scopes, day of creation, state, categories."""
    from feedsvc.services import checked_database
    from feedsvc.storage.tables import CategoryRow
    from feedsvc.storage.tokens import stored_tokens

    with checked_database().read() as session:
        for stored in stored_tokens(session):
            columns = [
                stored.name,
                " ".join(stored.scopes),
                f"{stored.created_at:%F}",
                _state(stored),
                *(
                    session.get_one(CategoryRow, category_id).slug
                    for category_id in stored.category_ids
                ),
            ]
            click.echo("\t".join(columns))


def _state(stored: "TokenRow") -> str:
    if stored.revoked_at:
        return f"revoked {stored.revoked_at:%F}"
    if stored.expires_at:
        return f"expires {stored.expires_at:%F}"
    return "active"


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End a token at once and for good."""
    from feedsvc.services import checked_database
    from feedsvc.storage.tokens import revoke_token

    revoke_token(checked_database(), name)


for _extension in extensions():
    _extension.add_commands(commands)
