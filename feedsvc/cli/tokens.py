"""The commands for tokens."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta

import click
from flask.cli import AppGroup

from feedsvc.cli.output import help_epilog, json_option, print_rows
from feedsvc.models import SCOPES, utcnow
from feedsvc.services import current_storage


@click.group(cls=AppGroup)
def token() -> None:
    """Create, list and revoke the editors' tokens."""


def parse_duration(value: str) -> timedelta:
    """Parse days or hours, such as `30d` or `12h`.

    :raises click.BadParameter: the value is neither.
    """
    match = re.fullmatch(r"([0-9]{1,4})([dh])", value)
    if not match:
        raise click.BadParameter(
            "must be a number of days or hours such as 30d or 12h."
        )
    number = int(match[1])
    return timedelta(days=number) if match[2] == "d" else timedelta(hours=number)


def parse_future_date(value: str) -> datetime:
    """Parse a date, whose day begins in UTC, or a duration from now.

    :raises click.BadParameter: the value is neither, or is not in the future.
    """
    try:
        result = datetime.combine(date.fromisoformat(value), time(), UTC)
    except ValueError:
        try:
            result = utcnow() + parse_duration(value)
        except click.BadParameter:
            raise click.BadParameter(
                "must be a date such as 2026-12-31, or days or hours such as 30d or "
                "12h."
            ) from None
    if result <= utcnow():
        raise click.BadParameter("must be in the future.")
    return result


_expires = click.option(
    "--expires",
    type=parse_future_date,
    metavar="DATE|30d",
    help="Expiry, a date or a duration (default: never).",
)


@token.command(
    epilog=help_epilog(
        "token create lan",
        "token create thuc-tap --scope news:write --expires 90d",
        "token create cu --scope news:write --replace",
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
@_expires
@click.option(
    "--replace", is_flag=True, help="Replace a revoked or expired token of this name."
)
def create(
    name: str, scopes: tuple[str, ...], expires: datetime | None, replace: bool
) -> None:
    """Create a token and print it. It is never shown again."""
    # Nothing but the token, so that a script can read it.
    click.echo(current_storage().tokens.create(name, scopes, expires, replace=replace))


@token.command("list", epilog=help_epilog("token list", "token list --json"))
@json_option
def list_tokens(as_json: bool) -> None:
    """List tokens: name, scopes and times in UTC, without secrets."""
    names = ("name", "scopes", "created", "last_used", "expires", "revoked")
    rows = []
    for each in current_storage().tokens.list():
        values = {**asdict(each), "scopes": sorted(each.scopes)}
        rows.append([values[name] for name in names])
    print_rows(names, rows, as_json=as_json)


@token.command(epilog=help_epilog("token revoke lan"))
@click.argument("name")
def revoke(name: str) -> None:
    """End a token at once and for good."""
    current_storage().tokens.revoke(name)
