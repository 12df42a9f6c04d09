"""Tests of the validator: valid documents, and one document for each rule that violates it."""

from __future__ import annotations

import ast
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conformance import findings, invalid_atom, invalid_json_feed, invalid_rss
from tests.conformance.findings import Element, Finding, Report

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 25, tzinfo=UTC)
TYPES = {
    ".atom": "application/atom+xml",
    ".rss": "application/rss+xml",
    ".json": "application/feed+json",
}
URLS = {
    "feed.atom": "https://tin.example/feed.atom",
    "feed.rss": "https://tin.example/feed.rss",
    "feed.json": "https://tin.example/feed.json",
}
CASES = [
    (file, *case)
    for file, cases in {
        "feed.atom": invalid_atom.FEED,
        "feed.rss": invalid_rss.FEED,
        "feed.json": invalid_json_feed.FEED,
    }.items()
    for case in cases
]


def check(file: str, document: bytes, parameters: str = "") -> list[Finding]:
    return findings(
        document, TYPES[Path(file).suffix] + parameters, url=URLS[file], now=NOW
    )


def violating(file: str, old: str, new: str) -> bytes:
    """Return a valid document with one replacement."""
    document = (HERE / "valid" / file).read_text("utf-8")
    assert old in document
    return document.replace(old, new, 1).encode("utf-8")


@pytest.mark.parametrize("file", URLS)
def test_valid_document_has_no_findings(file: str) -> None:
    assert check(file, (HERE / "valid" / file).read_bytes(), "; charset=utf-8") == []


@pytest.mark.parametrize(("file", "old", "new", "message"), CASES)
def test_violation_has_exactly_one_finding(
    file: str, old: str, new: str, message: str
) -> None:
    assert [finding.message for finding in check(file, violating(file, old, new))] == [
        message
    ]


@pytest.mark.parametrize("file", URLS)
def test_other_charset_is_a_finding(file: str) -> None:
    document = (HERE / "valid" / file).read_bytes()
    (finding,) = check(file, document, "; charset=iso-8859-1")
    assert finding.message == "is served with another charset"


def test_document_in_another_encoding() -> None:
    document = (
        violating("feed.atom", "UTF-8", "UTF-16").decode("utf-8").encode("utf-16")
    )
    assert [finding.section for finding in check("feed.atom", document)] == [
        "XML 1.0 §2.8",  # its declaration is not in ASCII
    ]
    document = (
        violating("feed.atom", "UTF-8", "windows-1258")
        .decode("utf-8")
        .encode("windows-1258", "replace")
    )
    (finding,) = check("feed.atom", document)
    assert (finding.message, finding.value) == ("is not in UTF-8", "windows-1258")


def test_location_of_a_finding() -> None:
    document = violating("feed.atom", "<updated>2026-11-19T08:00:00Z</updated>", "")
    (finding,) = check("feed.atom", document)
    assert finding == Finding(
        "RFC 4287 §4.1.2", "feed/entry[2]", "lacks an element", "updated"
    )
    assert str(finding) == "RFC 4287 §4.1.2: feed/entry[2] lacks an element: 'updated'"
    (finding,) = check(
        "feed.rss", violating("feed.rss", "<dc:language>en", "<dc:language>x")
    )
    assert finding.location == "rss/channel/item[1]/dc:language"
    (finding,) = check(
        "feed.json", violating("feed.json", '"size_in_bytes": 5', '"size": 5')
    )
    assert finding.location == "/items/0/attachments/0/size"


def test_document_that_is_not_a_feed() -> None:
    assert [
        finding.message for finding in findings(b"[]", "application/feed+json")
    ] == ["is not an object"]
    assert [finding.message for finding in findings(b"{}", "text/html")] == [
        "is not served with a feed's media type"
    ]


def test_url_and_time_are_optional() -> None:
    document = violating(
        "feed.rss",
        'href="https://tin.example/feed.rss"',
        'href="https://x.example/feed.rss"',
    )
    document = document.replace(b"Wed, 18 Nov 2026", b"Wed, 18 Nov 2099")
    assert findings(document, "application/rss+xml") == []


def reporting_lines() -> set[tuple[str, int]]:
    """Return the file and line of each rule."""
    return {
        (path.name, node.lineno)
        for path in HERE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "add"
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "report"
    }


def test_every_rule_has_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = set()
    add = Report.add

    def record(
        self: Report, where: Element | str, section: str, message: str, value: str = ""
    ) -> None:
        caller = sys._getframe(1)
        reached.add((Path(caller.f_code.co_filename).name, caller.f_lineno))
        add(self, where, section, message, value)

    monkeypatch.setattr(Report, "add", record)
    for file, old, new, _ in CASES:
        check(file, violating(file, old, new))
    for test in (
        test_document_that_is_not_a_feed,
        test_document_in_another_encoding,
    ):
        test()
    for file in URLS:
        test_other_charset_is_a_finding(file)
    assert reporting_lines() - reached == set()
    assert len(reached) > 100
