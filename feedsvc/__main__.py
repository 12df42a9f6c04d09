"""`python -m feedsvc …`: the command line, the same as `flask --app wsgi …`."""

import sys

from flask.cli import ScriptInfo

from config import Config, SettingError
from feedsvc import create_app
from feedsvc.cli.commands import commands


def main() -> None:
    """Run a command; a bad setting is one sentence on standard error, and exit status 2."""
    try:
        commands(
            obj=ScriptInfo(create_app=lambda: create_app(Config.from_env())),
            prog_name="python -m feedsvc",
        )
    except SettingError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
