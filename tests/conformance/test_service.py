"""What the service renders and answers has no finding but those that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html

from feedsvc.cli.samples import load_sample_data
from feedsvc.services import get_services
from tests.conformance import CHECKS, Finding, findings

GOLDEN = Path(__file__).parent.parent / "golden"
TYPES = {
    ".atom": "application/atom+xml",
    ".rss": "application/rss+xml",
    ".json": "application/feed+json",
}
KNOWN = {
    # A title that spells out a tag: Atom says that it is text, JSON Feed has no other way to say it.
    "news.atom": [("feed/entry[1]/title", "is plain text that spells out HTML")],
    "news.json": [("/items/0/title", "is plain text that spells out HTML")],
}
"""What the check says of the golden files, and nothing else."""


def known(finding: Finding) -> bool:
    """What may be: a title of Atom or JSON Feed that spells out a tag, an early date, the only archive there is."""
    return finding.what in (
        "is plain text that spells out HTML",
        "lies before 1990",
        "is an archive that links to no other",
    )


@pytest.mark.parametrize(
    "path",
    sorted(path for path in GOLDEN.iterdir() if path.suffix in TYPES),
    ids=lambda path: str(path.name),
)
def test_the_golden_files(path: Path) -> None:
    url = f"https://feeds.example/feeds/{path.name}"
    found = findings(path.read_bytes(), TYPES[path.suffix], url=url)
    assert [(finding.where, finding.what) for finding in found] == KNOWN.get(
        path.name, []
    )


def answers(client: FlaskClient) -> list[str]:
    """The findings in every feed that the directory page announces."""
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


def test_the_samples(app: Flask, client: FlaskClient) -> None:
    services = get_services(app)
    assert load_sample_data(services.storage, services.schemas)
    assert answers(client) == []


def test_empty_feeds(client: FlaskClient) -> None:
    assert answers(client) == []
