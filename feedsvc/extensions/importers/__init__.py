"""`feedsvc import`: feeds and calendars of others → entries, as if they were posted."""

import click

from feedsvc.extension import Extension


class ImportExtension(Extension):
    """Adds the command."""

    def add_commands(self, commands: click.Group) -> None:
        """Add `import`."""
        from feedsvc.extensions.importers.command import import_

        commands.add_command(import_)


extension = ImportExtension()
