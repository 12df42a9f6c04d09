"""How the core is extended: a class of hooks, and the names of those that use them.

The core imports no extension. Without its folder in `extensions/` the service starts,
and what the extension adds is a 404, an unknown command or an unknown setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click
    from environs import Env
    from flask import Flask

#: The packages with an object `extension`, in the order in which they are connected.
EXTENSIONS = (
    "feedsvc.extensions.copy",
    "feedsvc.extensions.demo",
    "feedsvc.extensions.importers",
    "feedsvc.extensions.opml",
    "feedsvc.extensions.websub",
)


class Extension:
    """What a folder adds to the core; it overrides the hooks that it needs.

    Every command imports its package, so what is slow is imported by the hooks.
    """

    def read_settings(self, env: Env) -> dict[str, Any]:
        """Return members of `Site`; `env` collects the errors."""
        return {}

    def add_commands(self, commands: click.Group) -> None:
        """Add commands, or options to those of the core, before settings are read."""

    def init_app(self, app: Flask) -> None:
        """Add blueprints, and tasks of `Background`; the database is not touched."""


@cache
def extensions() -> Sequence[Extension]:
    """Return the extensions whose folders are there."""
    return [import_module(name).extension for name in EXTENSIONS if find_spec(name)]
