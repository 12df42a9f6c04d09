"""`feedsvc demo` and `serve --demo`: sample entries, with their pictures."""

import click
from flask import Flask

from feedsvc.extension import Extension


class DemoExtension(Extension):
    """Adds the command, the option, and the pictures."""

    def add_commands(self, commands: click.Group) -> None:
        """Add `demo`, and the option `--demo` to `serve`."""
        from feedsvc.extensions.demo.command import demo, demo_option

        commands.add_command(demo)
        commands.commands["serve"].params.append(demo_option)

    def init_app(self, app: Flask) -> None:
        """Add the pictures, also for samples that were loaded earlier."""
        from feedsvc.web.static_files import FilesBlueprint

        blueprint = FilesBlueprint(
            "samples",
            __name__,
            static_folder="static",
            static_url_path="/static/samples",
        )
        app.register_blueprint(blueprint)


extension = DemoExtension()
