"""`feedsvc db copy`: from one database to another, of the same kind or not."""

import click

from feedsvc.extension import Extension


class CopyExtension(Extension):
    """Adds the command."""

    def add_commands(self, commands: click.Group) -> None:
        """Add `db copy`."""
        from feedsvc.extensions.copy.command import copy_database

        db = commands.commands["db"]
        assert isinstance(db, click.Group)
        db.add_command(copy_database)


extension = CopyExtension()
