"""The command `db copy`."""

from contextlib import closing

import click
from flask.cli import with_appcontext

from feedsvc.cli.output import progress_bar


@click.command("copy")
@click.argument("url")
@with_appcontext
def copy_database(url: str) -> None:
    """Fill a new database with all rows of the one at URL.

    URL is as in FEEDSVC_DATABASE_URL, which names the new one. Stop the service before.
    """
    from feedsvc.config import check_database_url
    from feedsvc.extensions.copy.rows import copy_rows, count_rows
    from feedsvc.services import current_services
    from feedsvc.storage.database import Database
    from feedsvc.storage.migrations.runner import upgrade as upgrade_database

    check_database_url(url)
    target = current_services().database
    source = Database(url, target.clock, is_read_only=True)
    with closing(source), source.read() as session:
        old = session.connection()
        length = count_rows(old)
        upgrade_database(target)
        with (
            target.begin_migration() as new,
            progress_bar(None, length) as bar,
        ):
            for number in copy_rows(old, new):
                bar.update(number)
    click.echo(f"{length} rows copied")
