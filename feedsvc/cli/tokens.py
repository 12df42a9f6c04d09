"""The commands for tokens."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta

import click
from flask.cli import AppGroup

from feedsvc.cli.output import help_epilog, json_option, print_rows
from feedsvc.models import SCOPES, utcnow
from feedsvc.services import current_services


@click.group(cls=AppGroup)
def token() -> None:
    """Make, list, rotate and revoke the tokens with which editors post."""


def _parse_duration(value: str) -> timedelta:
    """A span of time: `30d` or `12h`."""
    found = re.fullmatch(r"([0-9]{1,4})([dh])", value)
    if not found:
        raise click.BadParameter(
            "must be a number of days or hours such as 30d or 12h."
        )
    return timedelta(**{{"d": "days", "h": "hours"}[found[2]]: int(found[1])})


def _parse_future_date(value: str) -> datetime:
    """A moment to come: the start of a day in UTC, or how long it is until then."""
    try:
        moment = datetime.combine(date.fromisoformat(value), time(), UTC)
    except ValueError:
        moment = utcnow() + _parse_duration(value)
    if moment <= utcnow():
        raise click.BadParameter("must lie ahead.")
    return moment


_expires = click.option(
    "--expires",
    type=_parse_future_date,
    metavar="DATE|30d",
    help="When it ends; else it does not.",
)


@token.command(
    epilog=help_epilog(
        "token create lan --scope news:write --scope news:publish",
        "token create thuc-tap --scope news:write --expires 90d",
    )
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="Repeat it.",
)
@_expires
def create(name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Make a token and print it, alone; it is never shown again."""
    click.echo(current_services().storage.tokens.create(name, scopes, expires))


@token.command(epilog=help_epilog("token rotate lan --grace 12h"))
@click.argument("name")
@click.option(
    "--grace",
    type=_parse_duration,
    default="1d",
    show_default=True,
    help="How long the old one works on.",
)
@_expires
def rotate(name: str, grace: timedelta, expires: datetime | None) -> None:
    """Make a new token in place of one and print it, alone; the old one works on for a time."""
    click.echo(current_services().storage.tokens.rotate(name, grace, expires))


@token.command("list", epilog=help_epilog("token list", "token list --json"))
@json_option
def list_tokens(as_json: bool) -> None:
    """List every token: its name, scopes and times in UTC, never the token.

    The one that it was rotated from works until `previous_valid_until`.
    """
    names = (
        "name",
        "scopes",
        "created",
        "last_used",
        "expires",
        "previous_valid_until",
        "revoked",
    )
    found = (
        {**asdict(one), "scopes": sorted(one.scopes)}
        for one in current_services().storage.tokens.list()
    )
    print_rows(names, ([row[name] for name in names] for row in found), as_json=as_json)


@token.command(epilog=help_epilog("token revoke lan"))
@click.argument("name")
def revoke(name: str) -> None:
    """End a token at once, for good."""
    current_services().storage.tokens.revoke(name)
