"""The feeds of the service have no findings but the known ones."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html

from feedsvc.cli.samples import load_sample_data
from feedsvc.feeds.query import FORMATS
from feedsvc.formats import render_feed
from feedsvc.services import get_services
from tests.conformance import CHECKS, Finding, findings
from tests.formats.feeds import ENTRIES, feed

KNOWN: dict[str, list[tuple[str, str]]] = {
    # A title that spells out a tag: Atom says that it is text, JSON Feed cannot.
    "news.atom": [("feed/entry[1]/title", "is plain text that looks like HTML")],
    "news.json": [("/items/0/title", "is plain text that looks like HTML")],
    "news.rss": [],
    "events.atom": [],
    "events.json": [],
    "events.rss": [],
}
"""The findings in the golden feeds: no others, and none fewer."""

NEW_ELEMENT = (
    "is not allowed here: list a new element in tests/conformance/elements.py, "
    "and a namespace that validators know in findings.py"
)


def is_known(finding: Finding) -> bool:
    """Tell if a finding is acceptable: a title or name with a tag, or an early date."""
    is_name = finding.location.endswith("/dc:creator[1]")
    return is_name or finding.message in (
        "is plain text that looks like HTML",
        "is before 1990",
    )


@pytest.mark.parametrize("name", KNOWN)
def test_golden_feeds_have_only_known_findings(name: str) -> None:
    kind, _, format = name.partition(".")
    document = render_feed(feed(kind, format, *ENTRIES[kind]))
    url = f"https://feeds.example/feeds/{name}"
    found = findings(document, FORMATS[format].media_type, url=url)
    assert [(finding.location, finding.message) for finding in found] == KNOWN[name], (
        NEW_ELEMENT
    )


def announced_findings(client: FlaskClient) -> list[str]:
    """Return the findings in every feed that the directory page announces."""
    page = html.fromstring(client.get("/").text)
    found, seen = [], 0
    for link in page.findall(".//link[@rel='alternate']"):
        if link.get("type") in CHECKS:
            response = client.get(link.get("href", ""))
            assert response.status_code == 200
            url = link.get("href", "")
            found += [
                f"{url} {finding}"
                for finding in findings(response.data, response.content_type, url=url)
            ]
            seen += 1
    assert seen >= 4, "two kinds in two formats at least"
    return found


def test_sample_feeds_have_no_findings(app: Flask, client: FlaskClient) -> None:
    assert load_sample_data(get_services(app))
    assert announced_findings(client) == [], NEW_ELEMENT


def test_empty_feeds_have_no_findings(client: FlaskClient) -> None:
    assert announced_findings(client) == []
