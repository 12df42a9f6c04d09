"""Run feedsvc's commands in the process of the tests."""

from collections.abc import Iterator

import click
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

from feedsvc.cli.commands import commands


def invoke(app: Flask, *arguments: str, input: str | bytes = "") -> Result:
    """Run a command as `feedsvc` does, also if it fails."""
    info = ScriptInfo(create_app=lambda: app)
    return CliRunner().invoke(commands, arguments, obj=info, input=input)


def run(app: Flask, *arguments: str, input: str | bytes = "") -> str:
    """Run a command that must succeed, and return its standard output."""
    done = invoke(app, *arguments, input=input)
    assert done.exit_code == 0, done.output
    return done.stdout


def command_names(group: click.Group, *parents: str) -> Iterator[str]:
    """Yield the names of all commands of a group, such as `token create`."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from command_names(command, *parents, name)
        else:
            yield " ".join((*parents, name))
