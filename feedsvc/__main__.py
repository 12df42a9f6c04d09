"""The command line: `feedsvc …` and `python -m feedsvc …`, as `flask --app wsgi …`."""

import sys


def main() -> None:
    """Run a command.

    An invalid setting is one sentence on standard error, and exit status 2.
    """
    try:
        from flask.cli import ScriptInfo

        from config import Config, SettingError
        from feedsvc.app import create_app
        from feedsvc.cli.commands import commands
    except ModuleNotFoundError as error:
        # Most often the system's Python was called instead of the environment's.
        sys.exit(
            f"Error: {error.name} is not installed for {sys.executable}. "
            "Use the Python of the virtual environment, .venv/bin/python."
        )
    try:
        commands(
            obj=ScriptInfo(create_app=lambda: create_app(Config.from_env())),
            prog_name=".venv/bin/feedsvc",
        )
    except SettingError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
