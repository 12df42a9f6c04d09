"""The command `check`: request feeds as feed readers do, and report what harms readers.

It needs neither the database nor the application, and checks feeds of any publisher.
The package `feed_check` makes the requests and examines the responses.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click
from lxml import etree

from feedsvc.cli.feed_check.client import READERS, Client, UnreachableError, join_urls
from feedsvc.cli.feed_check.observation import observe
from feedsvc.cli.feed_check.rules import FINDINGS, find_problems
from feedsvc.cli.output import (
    help_epilog,
    json_option,
    print_rows,
    printable,
    progress_bar,
)

SAMPLE = 20
"""Number of feeds of a list that are checked without `--all`."""

_ATTEMPTS = 3
"""Maximum observations of a feed, until it does not change during one."""

_HOST_WIDE = ("clock", "certificate")
"""Findings that are reported once for all feeds of a host."""


class Finding(NamedTuple):
    """A defect of a feed; `name` is a key of `FINDINGS`."""

    url: str
    name: str
    detail: str


def check_feed(client: Client, url: str) -> list[Finding]:
    """Return the findings of a feed.

    :raises UnreachableError: there is no response.
    """
    for _ in range(_ATTEMPTS):
        seen = observe(client, url)
        if not seen.is_unstable:
            break
    return [Finding(url, *problem) for problem in find_problems(client, seen)]


def list_feeds(client: Client, url: str) -> list[str]:
    """Return the feeds of a list (OPML) or of a feedsvc, or the URL itself.

    :raises UnreachableError: there is no response.
    """
    # Bot walls are least likely to refuse a program that looks like a browser.
    agent = READERS["Thunderbird"]
    reply = client.request(url, User_Agent=agent)
    # The directory of a feedsvc has the list beside it; any other page is a finding.
    if reply.kind == "html":
        try:
            opml = join_urls(
                reply.url.partition("?")[0].rstrip("/") + "/", "feeds.opml"
            )
            reply = client.request(opml, User_Agent=agent)
        except UnreachableError:
            return [url]
    if reply.status != 200 or reply.kind != "opml":
        return [url]
    return _outline_urls(reply.content) or [url]


def _outline_urls(opml: bytes) -> list[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root: Any = etree.fromstring(opml, parser)
    except etree.XMLSyntaxError:
        return []
    # Of some documents nothing can be recovered, which is no error.
    urls = [] if root is None else root.xpath("//outline/@xmlUrl")
    return [str(url) for url in dict.fromkeys(urls)]


def _sample(urls: list[str]) -> list[str]:
    """Return feeds at equal distances in a list."""
    if len(urls) <= SAMPLE:
        return urls
    # So that both kinds of a feedsvc are among them, and each time the same feeds.
    return [urls[index * len(urls) // SAMPLE] for index in range(SAMPLE)]


@click.command(
    epilog=help_epilog(
        "check https://feeds.example/", "check https://feeds.example/feeds/news.rss"
    )
)
@click.argument("url")
@click.option("--all", "is_all", is_flag=True, help=f"Not only {SAMPLE} feeds.")
@json_option
@click.pass_context
def check(ctx: click.Context, url: str, is_all: bool, as_json: bool) -> None:
    """Check feeds from outside, as feed readers see them.

    URL is a feed of any publisher, an OPML file, or a feedsvc with all its feeds. There
    is a line for each finding, and no output without. The exit status is 0 without
    findings, 1 with some, and 2 if there is no response. A feed takes 12 seconds: two
    requests a second.
    """
    client = Client()
    try:
        urls = list_feeds(client, url)
    except UnreachableError as error:
        click.echo(printable(f"Error: {url}: {error}"), err=True)
        ctx.exit(2)
    chosen = urls if is_all else _sample(urls)
    reported: set[tuple[str, ...]] = set()
    with progress_bar(chosen) as bar:
        for feed_url in bar:
            try:
                findings = check_feed(client, feed_url)
            except UnreachableError as error:
                findings = [Finding(feed_url, "unreachable", str(error))]
            for finding in findings:
                # Twenty feeds share a certificate.
                identity = _identity(finding)
                if identity not in reported:
                    reported.add(identity)
                    _print(finding, as_json=as_json)
    # cron mails whatever a command prints.
    if sys.stderr.isatty():
        total = f"{len(chosen)} of {len(urls)} feeds, {len(reported)} findings"
        click.echo(total, err=True)
    ctx.exit(1 if reported else 0)


def _identity(finding: Finding) -> tuple[str, ...]:
    """Return a key that findings share if only the first is to be reported."""
    if finding.name == "hub":
        return finding.name, finding.detail
    if finding.name in _HOST_WIDE:
        return finding.name, urlsplit(finding.url).netloc
    return finding


def _print(finding: Finding, *, as_json: bool) -> None:
    # Parts of it were sent by a server, which must not control the terminal.
    finding = Finding(*map(printable, finding))
    advice = FINDINGS[finding.name]
    if as_json:
        print_rows((*Finding._fields, "advice"), [(*finding, advice)], as_json=True)
        return
    click.echo(f"{finding.url}: {finding.name}: {finding.detail}. {advice}")
