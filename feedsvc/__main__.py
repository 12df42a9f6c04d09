"""The command line: `feedsvc …` and `python -m feedsvc …`."""

from flask.cli import ScriptInfo

from config import Config
from feedsvc.app import create_app
from feedsvc.cli.commands import commands


def main() -> None:
    """Run a command."""
    # The settings are read when a command needs them: --help works without.
    commands(obj=ScriptInfo(create_app=lambda: create_app(Config.from_env())))


if __name__ == "__main__":
    main()
