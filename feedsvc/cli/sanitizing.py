"""The command that sanitizes stored HTML again."""

from __future__ import annotations

import click
from flask.cli import with_appcontext
from tqdm import tqdm

from feedsvc.api.stored_markup import StoredMarkup
from feedsvc.cli.output import help_epilog
from feedsvc.services import current_services


@click.command(epilog=help_epilog("db sanitize"))
@with_appcontext
def sanitize() -> None:
    """Apply the current sanitizer rules to the HTML of all entries.

    An entry that changes gets a new version, so that feeds, caches and followers of the changes learn of it.
    HTML that the rules refuse becomes plain text; each such entry is listed. Safe to repeat.
    """
    store, site = current_services().storage, current_services().schemas["news"].site
    markup = StoredMarkup(store, site)
    with tqdm(total=store.markup.count(), unit=" entries", disable=None) as bar:
        for checked in markup.sanitize():
            bar.update(checked)
    for line in markup.refused:
        click.echo(f"refused: {line}", err=True)
    for name in markup.damaged:
        click.echo(
            f"damaged: {name}: It cannot be read, so it is not published. Put it anew.",
            err=True,
        )
    click.echo(
        f"{markup.checked} checked, {markup.changed} changed, {len(markup.refused)} of them refused."
    )
