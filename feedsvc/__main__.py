"""The command line: `feedsvc …` and `python -m feedsvc …`."""

import atexit

import click
from flask import Flask
from flask.cli import ScriptInfo

from feedsvc.cli.commands import commands
from feedsvc.text.languages import UI_LANGUAGES, has_phrases


def main() -> None:
    """Run a command."""
    # The settings are read when a command needs them: --help works without.
    commands(obj=ScriptInfo(create_app=_create_app))


def _create_app() -> Flask:
    # These import all that serves, which takes most of the start of a command.
    from feedsvc.app import create_app
    from feedsvc.config import Config, unknown_settings
    from feedsvc.services import get_services

    config = Config.from_env()
    # Here and not in `from_env`, which each worker calls.
    sentences = unknown_settings()
    site = config.site
    if not has_phrases(site.language):
        sentences.append(
            f"No words in “{site.language}”; pages and feeds use English. "
            f"There are words in: {', '.join(UI_LANGUAGES)}."
        )
    for sentence in sentences:
        click.echo(f"Warning: {sentence}", err=True)
    app = create_app(config)
    atexit.register(get_services(app).database.close)
    return app


if __name__ == "__main__":
    main()
