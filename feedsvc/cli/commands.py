"""The commands."""

import os
import socket
import sys
from collections.abc import Iterable
from contextlib import closing
from typing import IO, Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from feedsvc import __version__
from feedsvc.cli.samples import load_sample_data
from feedsvc.config import SettingError, check_database_url
from feedsvc.errors import FeedsvcError
from feedsvc.feeds.query import FORMATS
from feedsvc.models import ENTRY_SCOPES, KINDS, SCOPES
from feedsvc.services import checked_database, current_services
from feedsvc.storage.changes import renew_revisions
from feedsvc.storage.copy import copy_rows, count_rows
from feedsvc.storage.database import Database
from feedsvc.storage.migrations.runner import upgrade as upgrade_database
from feedsvc.storage.tables import CategoryRow, TokenRow
from feedsvc.storage.tokens import create_token, revoke_token, stored_tokens

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


class _ErrorHandlingGroup(AppGroup):
    """A group that prints the service's errors as one sentence.

    The exit status is 2 for an invalid setting, as for an invalid option, else 1.
    """

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SettingError as error:
            raise click.UsageError(str(error)) from None
        except (FeedsvcError, OSError) as error:
            raise click.ClickException(_printable(str(error))) from None
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
    schema = upgrade_database(current_services().database)
    click.echo(f"The database has schema {schema}, which this version can use.")


@db.command()
def restored() -> None:
    """Let those who follow the changes begin again, after a restore of a backup."""
    with checked_database().write() as transaction:
        floor = renew_revisions(transaction)
    click.echo(
        f"Cursors of /api/v1/changes from before {floor:%F %T} UTC are 410 from now "
        "on. If that is not the time now, set the clock and run this again."
    )


@db.command("copy")
@click.argument("url")
def copy_database(url: str) -> None:
    """Fill a new database with all rows of the one at URL.

    URL is as in FEEDSVC_DATABASE_URL, which names the new one. Stop the service before.
    """
    check_database_url(url)
    target = current_services().database
    source = Database(url, target.clock, is_read_only=True)
    with closing(source), source.read() as session:
        old = session.connection()
        length = count_rows(old)
        upgrade_database(target)
        with (
            target.begin_migration() as new,
            _progress_bar(None, length) as bar,
        ):
            for number in copy_rows(old, new):
                bar.update(number)
    click.echo(f"{length} rows copied")


@commands.command()
@click.option("--demo", "with_demo", is_flag=True, help="Run the command `demo` first.")
@click.pass_context
def serve(ctx: click.Context, with_demo: bool) -> None:
    """Migrate the database, and start gunicorn."""
    services = current_services()
    config = services.config
    # With one of these variables gunicorn may listen elsewhere.
    if not os.environ.keys() & {"GUNICORN_CMD_ARGS", "LISTEN_FDS"}:
        _check_address(config.host, config.port)
    upgrade_database(services.database)
    if with_demo:
        ctx.invoke(demo)
        _publish_languages_of_samples()
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


def _publish_languages_of_samples() -> None:
    """Set the languages of the samples, unless the settings name others."""
    if not os.environ.keys() & {
        "FEEDSVC_SITE_LANGUAGE",
        "FEEDSVC_SITE_LANGUAGES",
    }:
        os.environ["FEEDSVC_SITE_LANGUAGES"] = "vi,en,en-simple"
    # The title of another portal is no translation of this one.
    if "FEEDSVC_SITE_TITLE" not in os.environ:
        os.environ.setdefault("FEEDSVC_SITE_TITLE_EN", "Hanoi City Portal")
    if "FEEDSVC_SITE_DESCRIPTION" not in os.environ:
        os.environ.setdefault(
            "FEEDSVC_SITE_DESCRIPTION_EN",
            "News and events of the city of Hanoi",
        )


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
    if categories and "categories:write" in scopes:
        raise click.UsageError("--category excludes --scope categories:write.")
    scopes = scopes or (ENTRY_SCOPES if categories else SCOPES)
    # Nothing but the token, so that a script can read it.
    click.echo(create_token(checked_database(), name, scopes, categories, days))


@token.command("list")
def list_tokens() -> None:
    """List the tokens: name, scopes, day of creation, state, categories."""
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


def _state(stored: TokenRow) -> str:
    if stored.revoked_at:
        return f"revoked {stored.revoked_at:%F}"
    if stored.expires_at:
        return f"expires {stored.expires_at:%F}"
    return "active"


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End a token at once and for good."""
    revoke_token(checked_database(), name)


@commands.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Kind of all entries (default: events for calendars, news for others).",
)
def import_(file: IO[bytes], kind: str | None) -> None:
    """Import RSS, Atom or a calendar.

    FILE can be - for standard input.
    """
    # feedparser and icalendar take 0.3 s to import, and no other command needs them.
    from feedsvc.importers.importer import Importer, is_calendar, read

    data = file.read()
    database = checked_database()
    kind = kind or ("events" if is_calendar(data) else "news")
    schema = current_services().entry_schemas[kind]
    entries = list(read(data, schema.site.timezone))
    importer = Importer(database, schema)
    with _progress_bar(importer.run(entries), len(entries)) as bar:
        for _ in bar:
            pass
    for lines in importer.messages.values():
        for line in lines[:_SAME_MESSAGES]:
            click.echo(_printable(line), err=True)
        if len(lines) > _SAME_MESSAGES:
            more = len(lines) - _SAME_MESSAGES
            click.echo(f"… and {more} more", err=True)
    click.echo(", ".join(f"{importer.counts[name]} {name}" for name in _COUNTERS))


def _progress_bar(iterable: Iterable[Any] | None, length: int) -> Any:
    # Not on standard output, which may be redirected to a file.
    is_hidden = not sys.stderr.isatty()
    return click.progressbar(
        iterable, length, show_pos=True, file=sys.stderr, hidden=is_hidden
    )


def _printable(text: str) -> str:
    """Return a text without characters that control a terminal.

    Messages quote files, which strangers wrote.
    """
    return "".join(filter(str.isprintable, text))


@commands.command()
def demo() -> None:
    """Load sample entries into an empty database, create a token, print the URLs."""
    services = current_services()
    upgrade_database(services.database)
    if load_sample_data(services):
        new_token = create_token(services.database, "editor", SCOPES)
        click.echo(
            f"\nAn editor's token, shown once:\n\n    export TOKEN={new_token}\n"
        )
    else:
        click.echo(
            "\nThe database is not empty. For another token:\n\n"
            f"    {sys.executable} -m feedsvc token create NAME\n"
        )
    base_url = services.site.public_url
    click.echo(f"front page  {base_url}/")
    for kind in KINDS:
        for name, format in FORMATS.items():
            if kind in format.kinds:
                click.echo(f"{kind:>10}  {base_url}/feeds/{kind}.{name}")
    click.echo(f"  category  {base_url}/feeds/news/giao-thong.rss")
    click.echo(f"   post to  {base_url}/api/v1/articles")
