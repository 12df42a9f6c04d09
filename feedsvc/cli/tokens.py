"""The commands for tokens."""

from __future__ import annotations

from dataclasses import asdict

import click
from flask.cli import AppGroup

from feedsvc.cli.output import help_epilog, json_option, print_rows
from feedsvc.models import SCOPES
from feedsvc.services import current_database
from feedsvc.storage.tokens import create_token, revoke_token, stored_tokens


@click.group(cls=AppGroup)
def token() -> None:
    """Create, list and revoke the editors' tokens."""


@token.command(
    epilog=help_epilog(
        "token create lan",
        "token create thuc-tap --scope news:write",
    )
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=SCOPES,
    type=click.Choice(SCOPES),
    help="Permission; can be repeated (default: all).",
)
def create(name: str, scopes: tuple[str, ...]) -> None:
    """Create a token and print it. It is never shown again."""
    # Nothing but the token, so that a script can read it.
    click.echo(create_token(current_database(), name, scopes))


@token.command("list", epilog=help_epilog("token list", "token list --json"))
@json_option
def list_tokens(as_json: bool) -> None:
    """List tokens: name, scopes and times in UTC, without secrets."""
    names = ("name", "scopes", "created", "expires", "revoked")
    with current_database().read() as session:
        tokens = stored_tokens(session)
    rows = []
    for each in tokens:
        values = {**asdict(each), "scopes": sorted(each.scopes)}
        rows.append([values[name] for name in names])
    print_rows(names, rows, as_json=as_json)


@token.command(epilog=help_epilog("token revoke lan"))
@click.argument("name")
def revoke(name: str) -> None:
    """End a token at once and for good."""
    revoke_token(current_database(), name)
