"""The command `demo`, and the option of `serve`."""

import os
import sys

import click
from flask.cli import with_appcontext

from feedsvc.cli.commands import BEFORE_SERVING
from feedsvc.models import KINDS, SCOPES


@click.command()
@with_appcontext
def demo() -> None:
    """Load sample entries into an empty database, create a token, print the URLs."""
    from feedsvc.extensions.demo.samples import load_sample_data
    from feedsvc.feeds.query import FORMATS
    from feedsvc.services import current_services
    from feedsvc.storage.migrations.runner import upgrade as upgrade_database
    from feedsvc.storage.tokens import create_token

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


def _run_before_serving(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[BEFORE_SERVING] = _prepare_portal


demo_option = click.Option(
    ["--demo"],
    is_flag=True,
    expose_value=False,
    callback=_run_before_serving,
    help="Run the command `demo` first.",
)


def _prepare_portal(ctx: click.Context) -> None:
    """Load the samples, and publish their languages unless the settings name others."""
    ctx.invoke(demo)
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
