"""The command line: `feedsvc …` and `python -m feedsvc …`, as `flask --app wsgi …`."""

import sys
from collections.abc import Callable
from functools import partial


def main() -> None:
    """Run a command."""
    try:
        run = _load_application()
        run()
    except ModuleNotFoundError as error:
        # Most often the system's Python was called instead of the environment's.
        sys.exit(
            f"Error: {error.name} is not installed for {sys.executable}. "
            "Use the Python of the virtual environment, .venv/bin/python."
        )


def _load_application() -> Callable[[], None]:
    from flask.cli import ScriptInfo

    from config import Config
    from feedsvc.app import create_app
    from feedsvc.cli.commands import commands

    # Called after `commands` has read --settings, which changes the environment.
    info = ScriptInfo(create_app=lambda: create_app(Config.from_env()))
    return partial(commands, obj=info, prog_name=".venv/bin/feedsvc")


if __name__ == "__main__":
    main()
