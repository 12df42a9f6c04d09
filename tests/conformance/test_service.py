"""The feeds of the service have no findings, and a mutated feed has one."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html

from feedsvc.extensions.demo.samples import load_sample_data
from feedsvc.feeds.query import FORMATS
from feedsvc.services import get_services
from tests.conformance import CHECKS, findings
from tests.data import read
from tests.formats.feeds import ENTRIES, feed, render_feed

NAMES = """
news.atom news.json news.rss events.atom events.json events.rss
""".split()

VIOLATIONS = read("violations")
"""A feed, a text in it with its replacement, and a part of the finding."""


def golden_findings(name: str, old: str = "", new: str = "") -> list[str]:
    """Return the findings in a golden feed with a replacement."""
    kind, _, format = name.partition(".")
    document = render_feed(feed(kind, format, *ENTRIES[kind])).decode()
    assert old in document
    changed = document.replace(old, new, 1).encode()
    url = f"https://feeds.example/feeds/{name}"
    return findings(changed, FORMATS[format].media_type, url=url)


@pytest.mark.parametrize("name", NAMES)
def test_golden_feeds_have_no_findings(name: str) -> None:
    assert golden_findings(name) == []


@pytest.mark.parametrize(("name", "old", "new", "finding"), VIOLATIONS)
def test_violation_is_found(name: str, old: str, new: str, finding: str) -> None:
    assert finding in "\n".join(golden_findings(name, old, new))


def announced_findings(client: FlaskClient) -> list[str]:
    """Return the findings in every feed that the directory page announces."""
    page = html.fromstring(client.get("/").text)
    found, seen = [], 0
    for link in page.findall(".//link[@rel='alternate']"):
        if link.get("type") in CHECKS:
            url = link.get("href", "")
            response = client.get(url)
            assert response.status_code == 200
            found += findings(response.data, response.content_type, url=url)
            seen += 1
    assert seen >= 2, "two kinds at least"
    return found


def test_feeds_have_no_findings_empty_and_with_samples(
    app: Flask, client: FlaskClient
) -> None:
    assert announced_findings(client) == []
    assert load_sample_data(get_services(app))
    assert announced_findings(client) == []
