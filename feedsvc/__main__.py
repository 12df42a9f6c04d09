"""The command line: `feedsvc …` and `python -m feedsvc …`, as `flask --app wsgi …`."""

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module

STANDALONE = ("check", "readers")
"""Commands in modules of `feedsvc/cli/` that need no application.

Without its imports they start at once, and take half of the memory.
"""


def main() -> None:
    """Run a command."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        run = _load_standalone(name) if name in STANDALONE else _load_application()
    except ModuleNotFoundError as error:
        # Most often the system's Python was called instead of the environment's.
        sys.exit(
            f"Error: {error.name} is not installed for {sys.executable}. "
            "Use the Python of the virtual environment, .venv/bin/python."
        )
    run()


def _load_standalone(name: str) -> Callable[[], None]:
    command = getattr(import_module(f"feedsvc.cli.{name}"), name)
    return partial(command, sys.argv[2:], prog_name=f".venv/bin/feedsvc {name}")


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
